"""The verbs that change all runs of a table, each by its own verb."""

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

from mlkit._core.tags import edited_tags

T = TypeVar("T")


class BulkVerbs:
    """What can be changed of many runs at once; a part of `RunTable`.

    Several runs are changed at the same time where requests travel. Whoever is stopped, or meets a
    fault, has changed some of them; doing it again does no harm. The table itself stays as it was.
    """

    def each(self, work: Callable[[Any], T]) -> Iterator[T]:
        """Do work for each run."""
        raise NotImplementedError

    def set_tags(self, tags: Mapping[str, Any] | None = None, /, **more: Any) -> None:
        """Label the runs anew; values are kept as text, and None takes a tag away.

        Args:
            tags: Name to value.
            more: The same as keywords.

        Raises:
            InvalidInput: A name is no text.
            NotFound: A run was removed meanwhile.
            ReadOnly: The store only reads.

        Example:
            >>> import mlkit
            >>> store = mlkit.Store("memory://bulk-example")
            >>> for depth in (4, 6):
            ...     with store.start_run("flights") as run:
            ...         run.log_params(depth=depth)
            >>> store.search_runs("params.depth > 4").set_tags(reviewed="yes")
            >>> len(store.search_runs("tags.reviewed = 'yes'"))
            1
        """
        given = edited_tags(tags, more)
        if given:
            self._change(lambda run: run.set_tags(given))

    def delete(self) -> None:
        """Have searches leave the runs out, until `restore`; see `Run.delete`.

        Raises:
            NotFound: A run was removed meanwhile.
            ReadOnly: The store only reads.
        """
        self._change(lambda run: run.delete())

    def restore(self) -> None:
        """Take back that the runs were deleted; `search_runs(deleted=True)` gives such.

        Raises:
            NotFound: A run was removed meanwhile.
            ReadOnly: The store only reads.
        """
        self._change(lambda run: run.restore())

    def _change(self, verb: Callable[[Any], object]) -> None:
        deque(self.each(verb), maxlen=0)
