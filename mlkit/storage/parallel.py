"""The same for many things, a few of them at a time."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

from mlkit.storage.paths import STORE_DOCUMENT

if TYPE_CHECKING:
    from mlkit.storage.protocol import Storage

T = TypeVar("T")
R = TypeVar("R")

_REMOTE = 16


def threads_for(*storages: "Storage") -> int:
    """Give how many threads make sense: one where every storage is a local disk.

    Args:
        storages: Those that are asked.
    """
    local = all(storage.local_path(STORE_DOCUMENT) is not None for storage in storages)
    return 1 if local else _REMOTE


def each(act: Callable[[T], R], things: Iterable[T], *, threads: int) -> Iterator[R]:
    """Give what an act gives for each thing, in their order.

    Only a few things are taken before their results are. When an act raises, or who asks stops
    asking, what has begun is finished and nothing else begins.

    Args:
        act: What to do; called by several threads at once.
        things: The things.
        threads: So many at a time.

    Example:
        >>> list(each(abs, [-1, 2, -3], threads=2))
        [1, 2, 3]
    """
    if threads == 1:
        yield from map(act, things)
        return
    pool = ThreadPoolExecutor(threads)
    waiting: deque[Future[R]] = deque()
    try:
        for thing in things:
            waiting.append(pool.submit(act, thing))
            if len(waiting) >= 2 * threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)
