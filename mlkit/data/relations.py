"""How a version is related to others and to runs, which a store knows and this room doesn't."""

from collections.abc import Sequence
from typing import Any, Protocol

from mlkit.errors import InvalidInput


class Relations(Protocol):
    """What a store knows of the versions that it gave."""

    def parents(self, version: Any, /) -> list[Any]:
        """Give the versions that one was made from."""
        ...

    def children(self, version: Any, /) -> list[Any]:
        """Give the versions that were made from one."""
        ...

    def readers(self, version: Any, /) -> Sequence[Any]:
        """Give the runs that read one."""
        ...


class Related:
    """A version that knows its relations; a part of `DatasetVersion`."""

    __slots__ = ()

    _relations: Relations | None

    @property
    def ref(self) -> str:
        """The reference, such as `flights:3`."""
        raise NotImplementedError

    @property
    def parents(self) -> list[Any]:
        """The versions that this one was made from, by the numbers that they have here.

        Raises:
            NotFound: One isn't here.
            InvalidInput: No store gave the version.

        Example:
            >>> import mlkit
            >>> store = mlkit.Store("memory://parents-example")
            >>> raw = store.log_dataset("raw", {"delay": [3.5, None]})
            >>> with store.start_run("cleaning") as run:
            ...     used = run.use_dataset("raw:1")
            ...     clean = run.log_dataset("clean", {"delay": [3.5]})
            >>> [parent.ref for parent in clean.parents]
            ['raw:1']
            >>> [child.ref for child in raw.children()]
            ['clean:1']
            >>> [one.experiment for one in raw.used_by()]
            ['cleaning']
        """
        return self._known.parents(self)

    def children(self) -> list[Any]:
        """Give the versions of datasets and models that were made from this one directly.

        All versions of the store are looked at, and no runs; `store.lineage` with
        `direction="downstream"` has what came of it at any distance, by way of runs too.

        Raises:
            InvalidInput: No store gave the version.
        """
        return self._known.children(self)

    def used_by(self) -> Sequence[Any]:
        """Give the runs that read this version, the newest first, without deleted ones.

        Runs of archived experiments are among them. The tables of runs tell, so of many runs no
        folder is read.

        Returns:
            What `store.search_runs` gives.

        Raises:
            InvalidInput: No store gave the version.
        """
        return self._known.readers(self)

    @property
    def _known(self) -> Relations:
        if self._relations is None:
            message = f"{self.ref} wasn't given by a store, so its relations aren't known"
            raise InvalidInput(message, hint="Take it from store.dataset(…)")
        return self._relations
