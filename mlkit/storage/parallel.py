"""The same for many things, a few of them at a time."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from mlkit.storage.paths import STORE_DOCUMENT

if TYPE_CHECKING:
    from mlkit.storage.protocol import Storage

P = ParamSpec("P")
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


class Pool(ThreadPoolExecutor):
    """Threads that do what they are handed; where there can be none, who hands it in does it.

    No pool takes anything once the main thread is done, though other threads and what is called at
    exit go on; and a system may have no more threads to give. What was handed in before is done
    first, so a pool of one thread keeps the order.

    Example:
        >>> with Pool(2) as pool:
        ...     pool.submit(abs, -1).result()
        1
    """

    def submit(self, act: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> Future[R]:
        """Let a thread do something, or do it."""
        done: Future[R] = Future()
        task = partial(_do, done, partial(act, *args, **kwargs))
        try:
            return super().submit(task)
        except RuntimeError:
            self.shutdown()
            if not done.done():  # or another thread did it: it was handed in before this failed
                with suppress(Exception):  # which `done` has
                    task()
        return done


def _do(done: Future[R], act: Callable[[], R]) -> R:
    try:
        result = act()
    except Exception as error:
        done.set_exception(error)
        raise
    done.set_result(result)
    return result


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
    pool = Pool(threads)
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
