"""Checkpoints: all that a Delta table's log says up to a commit, as one Parquet file.

Among its metadata it has the digest of the file as it is with zeros in the place of the digest.

Source: the Delta transaction log protocol, "Checkpoints", the single-file form of version 1.
"""

import io
import json
from typing import TYPE_CHECKING, Any

from mlkit._core.hashing import digest_bytes
from mlkit.errors import Corrupt, NewerFormat
from mlkit.tables.actions import READER, WRITER, Add, Metadata, Remove, check_protocol
from mlkit.tables.snapshot import Snapshot

if TYPE_CHECKING:
    import pyarrow as pa

_SEAL = b"mlkit.digest="
_BLANK = b"sha256:" + b"0" * 64


def encode_checkpoint(snapshot: Snapshot) -> bytes:
    """Give the bytes of the checkpoint of a table."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows: list[dict[str, Any]] = [
        {"protocol": {"minReaderVersion": READER, "minWriterVersion": WRITER}}
    ]
    if snapshot.metadata is not None:
        metadata = snapshot.metadata.to_json()
        rows.append({"metaData": {**metadata, "format": {"provider": "parquet", "options": []}}})
    rows += [{"add": _with_pairs(add.to_json())} for add in snapshot.files.values()]
    rows += [{"remove": remove.to_json()} for remove in snapshot.removed.values()]
    sink = io.BytesIO()
    table = pa.Table.from_pylist(rows, schema=_schema())
    with pq.ParquetWriter(sink, table.schema, compression="snappy", store_schema=False) as writer:
        writer.write_table(table)
        writer.add_key_value_metadata({"mlkit": (_SEAL + _BLANK).decode()})
    data = sink.getvalue()
    before, _, after = data.rpartition(_SEAL + _BLANK)
    return before + _SEAL + digest_bytes(data).encode() + after


def decode_checkpoint(data: bytes, version: int, where: str) -> Snapshot:
    """Give the table that a checkpoint holds.

    Args:
        data: The checkpoint's bytes.
        version: The commit that it stands for.
        where: Its path, for messages.

    Raises:
        Corrupt: It can't be understood.
        NewerFormat: It needs a newer reader.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        _check_seal(data)
        table = pq.ParquetFile(pa.BufferReader(data)).read(use_threads=False)
        files, removed, metadata = {}, {}, None
        for row in table.to_pylist():
            if row.get("protocol") is not None:
                check_protocol(row["protocol"], where)
            elif row.get("add") is not None:
                tags = dict(row["add"]["tags"])
                add = Add.from_json({**row["add"], "tags": tags})
                files[add.path] = add
            elif row.get("remove") is not None:
                remove = Remove.from_json(row["remove"])
                removed[remove.path] = remove
            elif row.get("metaData") is not None:
                metadata = Metadata.from_json(row["metaData"])
    except NewerFormat:
        raise
    except (pa.ArrowException, OSError, ValueError, LookupError, TypeError) as error:
        message = f"{where} isn't a checkpoint of mlkit: {error}"
        raise Corrupt(message, hint="store.reindex() makes the tables anew") from error
    return Snapshot(version, metadata, files, removed)


def encode_pointer(version: int, actions: int) -> bytes:
    """Give the bytes of `_last_checkpoint`, which tells other readers where to begin."""
    return json.dumps({"version": version, "size": actions}).encode()


def _check_seal(data: bytes) -> None:
    before, _, after = data.rpartition(_SEAL)
    found, rest = after[: len(_BLANK)], after[len(_BLANK) :]
    if digest_bytes(before + _SEAL + _BLANK + rest).encode() != found:
        message = "it doesn't match its own digest"
        raise ValueError(message)


def _with_pairs(fields: dict[str, Any]) -> dict[str, Any]:
    return {**fields, "partitionValues": [], "tags": list(fields["tags"].items())}


def _schema() -> "pa.Schema":
    import pyarrow as pa

    texts = pa.map_(pa.string(), pa.string())
    add = [
        ("path", pa.string()),
        ("partitionValues", texts),
        ("size", pa.int64()),
        ("modificationTime", pa.int64()),
        ("dataChange", pa.bool_()),
        ("stats", pa.string()),
        ("tags", texts),
    ]
    remove = [
        ("path", pa.string()),
        ("deletionTimestamp", pa.int64()),
        ("dataChange", pa.bool_()),
    ]
    metadata = [
        ("id", pa.string()),
        ("format", pa.struct([("provider", pa.string()), ("options", texts)])),
        ("schemaString", pa.string()),
        ("partitionColumns", pa.list_(pa.field("element", pa.string()))),
        ("configuration", texts),
        ("createdTime", pa.int64()),
    ]
    protocol = [("minReaderVersion", pa.int32()), ("minWriterVersion", pa.int32())]
    return pa.schema(
        [
            ("protocol", pa.struct(protocol)),
            ("metaData", pa.struct(metadata)),
            ("add", pa.struct(add)),
            ("remove", pa.struct(remove)),
        ]
    )
