"""One dataset: its versions, and the aliases that move between them."""

from collections.abc import Callable, Mapping
from typing import Any

from attrs import field, frozen

from mlkit.data.reading.file_reader import FileReader
from mlkit.data.relations import Relations
from mlkit.data.version import DatasetVersion
from mlkit.objects.aliases import AliasEntry
from mlkit.objects.versions import Versions


@frozen(repr=False)
class Dataset(Versions[DatasetVersion]):
    """A name with its versions and aliases.

    Attributes:
        name: The name.

    Example:
        >>> import mlkit
        >>> store = mlkit.Store("memory://dataset-example")
        >>> for delay in (3.5, 4.5):
        ...     version = store.log_dataset("flights", {"delay": [delay]})
        >>> flights = store.datasets["flights"]
        >>> flights.promote(1, "gold", reason="checked by hand").version
        1
        >>> flights.promote(2, "gold").replaced
        1
        >>> flights.rollback("gold", reason="a wrong unit").version
        1
        >>> flights
        <Dataset flights: version 2, gold is 1>
        >>> store.dataset("flights@gold").ref
        'flights:1'
    """

    _reader: FileReader = field(repr=False)
    _known_digest: Callable[[int], str] = field(repr=False)
    _relations: Relations | None = field(default=None, repr=False)

    def promote(
        self,
        version: "int | str | DatasetVersion",
        alias: str,
        *,
        reason: str = "",
        run_id: str | None = None,
    ) -> AliasEntry:
        """Let a version hold an alias.

        Args:
            version: The version: its number, itself, or a reference to it.
            alias: The alias, such as `gold`; it is made if there is none.
            reason: Why; kept in the history.
            run_id: The run that does it.

        Returns:
            The entry that was added to the alias's history.

        Raises:
            InvalidName: The alias can't be: `latest`, a number, or a name of another shape.
            NotFound: There is no such version.
            SingleWriterOnly: The storage can't refuse a second writer.
        """
        number = self._meant(version).number
        return self._aliases.promote(alias, number, reason=reason, run_id=run_id)

    def _version(self, document: Mapping[str, Any]) -> DatasetVersion:
        return DatasetVersion.from_document(
            self.name,
            document,
            self._reader,
            remarks=self._remarks,
            relations=self._relations,
        )

    def _digest(self, number: int) -> str:
        return self._known_digest(number)
