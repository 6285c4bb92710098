"""Tables that become versions: identified and written in one pass."""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from mlkit.data.demands import Demands
from mlkit.data.identity import TableHasher, TableIdentity, identify
from mlkit.data.parquet import FILE, encode_schema
from mlkit.data.sources.table_stream import TableStream, kept_batch, parts
from mlkit.data.storing.content import Described, Listing, Surroundings
from mlkit.data.storing.parquet_writing import write_parquet
from mlkit.errors import InvalidInput
from mlkit.objects.intake import Intake
from mlkit.objects.manifest import Manifest
from mlkit.objects.pack_writer import PackWriter
from mlkit.storage.parallel import Pool

if TYPE_CHECKING:
    from concurrent.futures import Future

    import pyarrow as pa

_AHEAD = 8


class TableContent:
    """A table that becomes a version.

    One in memory is identified before anything is stored. A stream is identified while it is
    stored, in the memory of a few batches; its chunks that are known aren't stored again, so the
    same stream costs nothing the second time.

    Args:
        stream: The table.
        demands: What it must meet.
    """

    kind = "table"

    def __init__(self, stream: TableStream, demands: Demands | None = None) -> None:
        self._stream = stream
        self._demands = demands
        self._found: Mapping[str, Any] | None = None
        self._identity: TableIdentity | None = None

    def digest(self, around: Surroundings) -> str | None:
        """Give the digest of a table in memory."""
        if self._stream.whole is None:
            return None
        around.progress.stage("digesting")
        self._identity = identify(self._stream.whole)
        return self._identity.digest

    def demand(self) -> Mapping[str, Any] | None:
        """Give what was found in the table; it is looked through if it hasn't been stored."""
        if self._demands is not None and self._found is None:
            for _ in self._checked(self._batches()):
                pass
        return self._found

    def store(self, packs: PackWriter, intake: Intake, around: Surroundings) -> Listing:  # noqa: ARG002 - chunks go through the intake
        """Write the table as Parquet, whose chunks go to the packs."""
        around.progress.stage("storing rows")
        taking = intake.open()
        rows = 0

        def counted(batches: Iterable["pa.RecordBatch"]) -> Iterator["pa.RecordBatch"]:
            nonlocal rows
            for batch in batches:
                rows += len(batch)
                around.progress.add(count=len(batch), size=batch.nbytes)
                yield batch

        batches = counted(self._checked(self._batches()))
        hasher = TableHasher(self._stream.schema)
        write_parquet(_hashed(batches, hasher), self._stream.schema, taking.take)
        before, self._identity = self._identity, hasher.identity(rows)
        if before is not None and before.digest != self._identity.digest:
            raise InvalidInput(  # another thread writes to what was in memory
                "The table changed while it was stored",
                hint="Do it again when nothing writes to its columns; no version was made",
            )
        intake.add(FILE, taking.finish())
        return intake.manifest

    def describe(self, manifest: Manifest) -> Described:  # noqa: ARG002 - a table is its values
        """Say what the table is."""
        identity = self._identity
        if identity is None:
            raise InvalidInput("The table wasn't read")
        columns = [
            {"name": name, "type": identity.types[name], "digest": digest}
            for name, digest in identity.columns.items()
        ]
        schema = encode_schema(self._stream.schema)
        fields = {"rows": identity.rows, "columns": columns, "schema": schema}
        return Described(identity.digest, fields)

    def remember(self, manifest: Manifest, digest: str, around: Surroundings) -> None:
        """Nothing is remembered of tables."""

    def close(self) -> None:
        """Close what the stream reads."""
        self._stream.close()

    def _batches(self) -> Iterable["pa.RecordBatch"]:
        whole = self._stream.whole
        if whole is not None:
            schema = self._stream.schema
            return (kept_batch(batch, schema) for batch in parts(whole.to_batches()))
        return self._stream.batches

    def _checked(self, batches: Iterable["pa.RecordBatch"]) -> Iterator["pa.RecordBatch"]:
        """Give batches on, after they were held against the demands; the verdict comes last."""
        if self._demands is None or self._found is not None:
            yield from batches
            return
        checker = self._demands.checker(self._stream.schema)
        try:
            for batch in batches:
                checker.update(batch)
                yield batch
            self._found = checker.finish()
        finally:
            checker.close()


def _hashed(batches: Iterable["pa.RecordBatch"], hasher: TableHasher) -> Iterator["pa.RecordBatch"]:
    """Give batches on while a thread digests them, a few behind."""
    waiting: deque[Future[None]] = deque()
    with Pool(1, thread_name_prefix="mlkit-identity") as pool:
        for batch in batches:
            waiting.append(pool.submit(hasher.update, batch))
            if len(waiting) > _AHEAD:
                waiting.popleft().result()
            yield batch
        for update in waiting:
            update.result()
