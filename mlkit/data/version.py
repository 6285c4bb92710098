"""One immutable version of a dataset: what it is, and its values and files."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any, BinaryIO

from attrs import field, frozen

from mlkit._core import shapes
from mlkit._core.names import near
from mlkit.data.comparing.diff import DatasetDiff, diff
from mlkit.data.comparing.split import Shares, Splits, split
from mlkit.data.parquet import FILE, decode_schema
from mlkit.data.profiles.profile import Profile, profile_batches
from mlkit.data.reading.checkout import Checkout
from mlkit.data.reading.file_reader import FileReader
from mlkit.data.reading.library_frames import pandas_frame, polars_frame
from mlkit.data.reading.table_reading import TableReader, checked_rows
from mlkit.data.relations import Related, Relations
from mlkit.data.sources.references import check_source
from mlkit.data.storing.stat_cache import StatCache
from mlkit.data.version_document import version_fields
from mlkit.display.formats import show_bytes, show_time
from mlkit.errors import Corrupt, InvalidInput, NotFound
from mlkit.objects.manifest import FileEntry, Manifest
from mlkit.objects.remarks import Remarked, Remarks
from mlkit.objects.shards import Shards
from mlkit.storage.parallel import threads_for

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl
    import pyarrow as pa

_ROWS = 1 << 16
_DIGEST = len("sha256:") + 8


@frozen
class DatasetVersion(Remarked, Related):
    """A version: reading it gives the same for ever, checked against its digests.

    Attributes:
        name: The dataset.
        number: The version's number, from 1.
        digest: The digest of the content; equal content has equal digests.
        kind: `table`, `folder`, `file`, or `reference` for files that were not copied.
        size: The bytes of its files.
        created_at: When it was made, in nanoseconds since 1970, UTC.
        rows: Of a table, the number of rows.
        columns: Of a table, the digest of each column, in order.
        types: Of a table, the logical type of each column.
        run_id: The run that made it, if one did.
        inputs: What it was made from.
        description: What its maker said of it.
        user: Who made it.
        url: Of a reference, the URL that was recorded.
        demanded: What was found when it was held against what was expected of it, such as `ok`,
            `rows`, `expectations` (their number) and `digest`; None where nothing was.
    """

    name: str
    number: int
    digest: str
    kind: str
    size: int
    created_at: int
    rows: int | None = None
    columns: Mapping[str, str] = field(factory=dict, repr=False)
    types: Mapping[str, str] = field(factory=dict, repr=False)
    run_id: str | None = None
    inputs: tuple[Any, ...] = field(default=(), repr=False)
    description: str = ""
    user: str = ""
    url: str | None = None
    demanded: Mapping[str, Any] | None = field(default=None, repr=False)
    _manifest: tuple[str, ...] = field(default=(), repr=False)
    _starts: tuple[str, ...] = field(default=(), repr=False)
    _schema: str = field(default="", repr=False)
    _made_with: Mapping[str, str] = field(factory=dict, repr=False)
    _reader: FileReader = field(kw_only=True, repr=False, eq=False)
    _remarks: Remarks | None = field(default=None, kw_only=True, repr=False, eq=False)
    _relations: Relations | None = field(default=None, kw_only=True, repr=False, eq=False)

    @classmethod
    def from_document(
        cls,
        name: str,
        document: Mapping[str, Any],
        reader: FileReader,
        *,
        remarks: Callable[[int, str], Remarks] | None = None,
        relations: Relations | None = None,
    ) -> "DatasetVersion":
        """Give the version that a document describes.

        Args:
            name: The dataset.
            document: The fields.
            reader: Reads its files.
            remarks: Gives what is said of the version of a number and a digest.
            relations: What is known of how it is related to others.

        Raises:
            Corrupt: A field is missing or of another kind than it must be.
        """
        try:
            fields = version_fields(document)
            about = None if remarks is None else remarks(fields["number"], fields["digest"])
            return cls(name=name, **fields, reader=reader, remarks=about, relations=relations)
        except (shapes.Misshapen, InvalidInput) as error:
            raise Corrupt(
                f"The document of dataset {name!r} lacks what it must hold: {error}"
            ) from error

    @property
    def ref(self) -> str:
        """The reference, such as `flights:3`."""
        return f"{self.name}:{self.number}"

    def __repr__(self) -> str:
        held = show_bytes(self.size)
        if self.rows is not None:
            held = "1 row" if self.rows == 1 else f"{self.rows:,} rows"
        kind = f"reference to {self.url}" if self.url else self.kind
        return f"<DatasetVersion {self.ref}: {kind}, {held}, {self.digest[:_DIGEST]}…>"

    @property
    def schema(self) -> "pa.Schema":
        """Of a table, its Arrow schema, as it was logged.

        Raises:
            InvalidInput: The version is no table.
        """
        self._require_table()
        return decode_schema(self._schema)

    @cached_property
    def _shards(self) -> Shards:
        return self._reader.shards(self._manifest, self._starts)

    @cached_property
    def listing(self) -> Manifest:
        """The files as columns, of which a million fit in memory.

        Raises:
            NotFound: A part of the manifest is missing.
            Corrupt: A part is damaged, or lists what can't be.
        """
        listing = self._shards.manifest
        if self.kind == "table" and listing.paths.to_pylist() != [FILE]:
            raise Corrupt(
                f"{self.ref} is a table, and its files aren't {FILE!r} alone",
                hint="The version was not made by mlkit, or was tampered with",
            )
        odd = listing.first_recorded(recorded=self.kind != "reference")
        if odd is not None:
            raise self._misplaced(odd)
        return listing

    def _misplaced(self, path: str) -> Corrupt:
        what = "isn't" if self.kind == "reference" else "is"
        return Corrupt(
            f"{self.ref} is a {self.kind}, and its file {path!r} {what} one that stays where it is",
            hint="The version was not made by mlkit, or was tampered with",
        )

    @cached_property
    def _files(self) -> tuple[FileEntry, ...]:
        return tuple(self.listing)

    def files(self) -> tuple[FileEntry, ...]:
        """Give the files, sorted by path; a table has one, `data.parquet`."""
        return self._files

    @property
    def manifest(self) -> tuple[str, ...]:
        """The digests of the blobs that list the files."""
        return self._manifest

    def to_arrow(self, columns: Sequence[str] | None = None, *, filters: Any = None) -> "pa.Table":
        """Give the table, with the exact types it was logged with.

        Only what is needed is read: the columns, and the row groups that may have such rows.

        Args:
            columns: Which columns, in which order; all by default.
            filters: Which rows, as in `pandas.read_parquet`: tuples of a column, an operator and a
                value, which must all hold; or a list of such lists, of which one must; or a
                `pyarrow.compute` expression. Their columns needn't be among `columns`.

        Raises:
            InvalidInput: The version is no table, has no such column, or a filter can't be.
            Corrupt: What was stored is damaged.

        Example:
            >>> import mlkit
            >>> store = mlkit.Store("memory://to-arrow-example")
            >>> version = store.log_dataset("flights", {"to": ["LAX", "BOS"], "delay": [70, 3]})
            >>> version.to_arrow(["to"], filters=[("delay", ">", 60)])["to"].to_pylist()
            ['LAX']
        """
        return self._table().read(columns, filters)

    def to_pandas(
        self, columns: Sequence[str] | None = None, *, filters: Any = None
    ) -> "pd.DataFrame":
        """Give the table as a DataFrame; see `to_arrow`.

        Integers with nulls become floats, as in pandas, unless floats can't hold them exactly:
        then the column is `Int64`.

        Raises:
            MissingExtra: pandas isn't installed.
        """
        return pandas_frame(self.to_arrow(columns, filters=filters))

    def to_polars(
        self, columns: Sequence[str] | None = None, *, filters: Any = None
    ) -> "pl.DataFrame":
        """Give the table as a polars DataFrame; see `to_arrow`.

        Raises:
            MissingExtra: polars isn't installed.
        """
        return polars_frame(self.to_arrow(columns, filters=filters))

    def batches(
        self, columns: Sequence[str] | None = None, *, filters: Any = None, rows: int = _ROWS
    ) -> Iterator["pa.RecordBatch"]:
        """Give the table batch by batch, in the memory of a few row groups; see `to_arrow`.

        Args:
            columns: Which columns, in which order; all by default.
            filters: Which rows; all by default.
            rows: The most rows of a batch.
        """
        yield from self._table().batches(columns, filters, checked_rows(rows))

    @cached_property
    def profile(self) -> Profile:
        """What the table holds: counts, nulls, ranges, spread, the commonest values.

        The table is read once, batch by batch. Figures of large columns are approximate, with an
        error that they tell.

        Raises:
            InvalidInput: The version is no table.
        """
        return profile_batches(self.schema, self.batches())

    def diff(self, other: "DatasetVersion", key: str | Sequence[str] | None = None) -> DatasetDiff:
        """Give what changed from this version to another: columns, rows, files.

        Args:
            other: The newer side.
            key: Of two tables, the columns that tell which row is which, so that rows can have
                changed; without it, rows go by all their values.

        Raises:
            InvalidInput: A column of the key isn't in both tables with one type.
        """
        return diff(self, other, key)

    def split(
        self, shares: Shares, *, by: str | Sequence[str] | None = None, seed: int = 0
    ) -> Splits:
        """Divide the table into parts, such as training and test data; see `mlkit.split`.

        Args:
            shares: The share of each part by its name.
            by: The columns whose equal values keep rows together; by default, all.
            seed: Another one gives other parts.

        Raises:
            InvalidInput: The version is no table, the shares don't make up 1, or there is no such
                column.
        """
        return split(self, shares, by=by, seed=seed)

    def open(
        self, path: str | PurePath = "", *, storage_options: Mapping[str, Any] | None = None
    ) -> BinaryIO:
        """Open a file of the version to read and seek in.

        Args:
            path: The file; may be left out when there is one only.
            storage_options: Of a reference, what its driver takes.

        Raises:
            NotFound: The version has no such file.
            Corrupt: A recorded file isn't what it was any more. What was stored and is damaged
                is found when it is read.
        """
        if not isinstance(path, str | PurePath):
            raise InvalidInput(f"{path!r} is no path of a file", hint="Write open('part.csv')")
        inner = path.as_posix() if isinstance(path, PurePath) else path
        return self._reader.open(self._entry(inner), storage_options)

    def checkout(
        self,
        folder: str | Path,
        *,
        clean: bool = False,
        storage_options: Mapping[str, Any] | None = None,
    ) -> Path:
        """Make a folder hold the files of the version.

        Only what differs is written, each file whole or not at all, and nothing outside of the
        folder. A file of the version that was edited there becomes what the version says. What an
        earlier checkout of the dataset put there on this machine, and the version lacks, is removed
        unless it was edited; all other files stay.

        Args:
            folder: Where the files go.
            clean: Remove all other files and empty folders, too, so that the folder holds just the
                version, whatever was there.
            storage_options: Of a reference, what its driver takes.

        Returns:
            The folder.

        Raises:
            InvalidInput: A folder or a link stands in the way.
            Corrupt: A file is damaged; it isn't written.
        """
        if not isinstance(folder, str | Path) or not str(folder):
            raise InvalidInput(f"{folder!r} is no folder", hint="Write checkout('a-folder')")
        source = _Bytes(self._reader, storage_options)
        written = StatCache(self._reader.cache, "checkouts")
        threads = max(os.cpu_count() or 1, threads_for(self._reader.storage))
        checkout = Checkout(self.listing, self.digest, source, written, self.name, threads, clean)
        return checkout.into(Path(folder))

    def check(self, storage_options: Mapping[str, Any] | None = None) -> None:
        """Raise unless the files of a reference are still what was recorded.

        Raises:
            Corrupt: Files are missing or changed; the message names them.
        """
        if self.kind == "reference":
            check_source(self.files(), storage_options)

    def _repr_html_(self) -> str:
        from mlkit.display.page import fragment
        from mlkit.display.table import definition_list, html_table

        facts = {
            "dataset": self.ref,
            "kind": self.kind,
            "digest": self.digest,
            "rows": None if self.rows is None else f"{self.rows:,}",
            "size": show_bytes(self.size),
            "made": show_time(self.created_at),
            "by": self.user,
            "run": self.run_id,
            "from": self.url,
            "description": self.description,
        }
        columns = [(name, self.types[name], digest) for name, digest in self.columns.items()]
        table = html_table(("column", "type", "digest"), columns) if columns else ""
        return fragment(definition_list([fact for fact in facts.items() if fact[1]]), table)

    def _entry(self, path: str) -> FileEntry:
        if self.kind == "table" or (not path and len(self.listing) == 1):
            found = next(iter(self.listing)) if path in {"", FILE} or self.kind != "table" else None
        else:
            found = self._shards.find(path)
        if found is None:
            names = self.listing.paths.to_pylist()
            known = f", such as {names[0]!r}" if names else ""
            hint = near(path, names) or f"It has {len(names):,} files{known}"
            raise NotFound(f"{self.ref} has no file {path!r}", hint=hint)
        if (found.source is not None) != (self.kind == "reference"):
            raise self._misplaced(found.path)
        return found

    def _require_table(self) -> None:
        if self.kind != "table":
            raise InvalidInput(
                f"{self.ref} is a {self.kind}, not a table",
                hint="Read its files with open(path) or checkout(folder)",
            )

    def _table(self) -> TableReader:
        schema = self.schema  # which only a table has
        return self._reader.table(self._entry(FILE), schema)


@frozen
class _Bytes:
    """The bytes of a version's files, also of those that were recorded where they are."""

    reader: FileReader
    storage_options: Mapping[str, Any] | None

    def pieces(self, entry: FileEntry) -> Iterator[bytes]:
        return self.reader.pieces(entry, self.storage_options)

    def whole(self, entries: Sequence[FileEntry]) -> Iterator[bytes]:
        return self.reader.whole(entries)
