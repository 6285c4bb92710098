"""What a commit of a Delta table says: files added and removed, and the table's schema.

A commit is a file of JSON lines, one action each. The first is `commitInfo`, which the protocol
leaves to the writer; here it holds the digest of the lines after it, so that a commit proves
itself.

Source: the Delta transaction log protocol, "Actions".
"""

import json
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote, unquote

from attrs import field, frozen

from mlkit._core.hashing import digest_bytes
from mlkit.errors import Corrupt, NewerFormat
from mlkit.storage.paths import is_path

READER, WRITER = 1, 2
"""The versions of the Delta protocol that are written; all readers of Delta tables know them."""

_REBUILD = "store.reindex() makes the tables anew from the run folders"


@frozen
class Add:
    """A data file that belongs to a table.

    Attributes:
        path: Where it is, relative to the table's folder.
        size: Its length in bytes.
        modified_at: When it was written, in milliseconds since 1970, UTC.
        stats: `numRecords`, and `minValues`, `maxValues` and `nullCount` by column.
        tags: `sha256` of the whole file, and `tail`, that of its last `tail_size` bytes.
        data_change: False where it holds no rows but those of files removed by the same commit.
    """

    path: str
    size: int
    modified_at: int
    stats: Mapping[str, Any] = field(factory=dict)
    tags: Mapping[str, str] = field(factory=dict)
    data_change: bool = True

    @property
    def rows(self) -> int:
        """How many rows it has."""
        return int(self.stats["numRecords"])

    def to_json(self) -> dict[str, Any]:
        """Give the fields as the log keeps them."""
        return {
            "path": quote(self.path, safe="/"),
            "partitionValues": {},
            "size": self.size,
            "modificationTime": self.modified_at,
            "dataChange": self.data_change,
            "stats": json.dumps(self.stats),
            "tags": dict(self.tags),
        }

    @classmethod
    def from_json(cls, fields: Mapping[str, Any]) -> "Add":
        """Give the action that the log keeps.

        Raises:
            ValueError: It isn't one of mlkit's; LookupError and TypeError likewise.
        """
        stats, tags = json.loads(fields["stats"]), dict(fields["tags"])
        _ = int(stats["numRecords"]), dict(stats["minValues"]), dict(stats["maxValues"])
        _ = tags["tail"], int(tags["tail_size"])
        return cls(
            path=_inside(fields["path"]),
            size=int(fields["size"]),
            modified_at=int(fields["modificationTime"]),
            stats=stats,
            tags=tags,
            data_change=bool(fields["dataChange"]),
        )


@frozen
class Remove:
    """A data file that no longer belongs to a table; older readers may still read it.

    Attributes:
        path: Where it is, relative to the table's folder.
        removed_at: When, in milliseconds since 1970, UTC.
        data_change: False where its rows are in files that the same commit adds.
    """

    path: str
    removed_at: int
    data_change: bool = True

    def to_json(self) -> dict[str, Any]:
        """Give the fields as the log keeps them."""
        return {
            "path": quote(self.path, safe="/"),
            "deletionTimestamp": self.removed_at,
            "dataChange": self.data_change,
        }

    @classmethod
    def from_json(cls, fields: Mapping[str, Any]) -> "Remove":
        """Give the action that the log keeps."""
        removed_at = int(fields.get("deletionTimestamp") or 0)
        return cls(_inside(fields["path"]), removed_at, bool(fields["dataChange"]))


@frozen
class Metadata:
    """What a table is.

    Attributes:
        table_id: A UUID, the same for ever.
        schema: The schema, as JSON text.
        created_at: When the table was made, in milliseconds since 1970, UTC.
    """

    table_id: str
    schema: str
    created_at: int

    def to_json(self) -> dict[str, Any]:
        """Give the fields as the log keeps them."""
        return {
            "id": self.table_id,
            "format": {"provider": "parquet", "options": {}},
            "schemaString": self.schema,
            "partitionColumns": [],
            "configuration": {},
            "createdTime": self.created_at,
        }

    @classmethod
    def from_json(cls, fields: Mapping[str, Any]) -> "Metadata":
        """Give the action that the log keeps."""
        return cls(fields["id"], fields["schemaString"], int(fields["createdTime"] or 0))


Action = Add | Remove | Metadata
_NAMES: dict[type[Action], str] = {Add: "add", Remove: "remove", Metadata: "metaData"}
KINDS: dict[str, type[Action]] = {name: kind for kind, name in _NAMES.items()}


def _inside(quoted: str) -> str:
    """Give a path within a table's folder, as the log keeps it.

    Raises:
        ValueError: It leads out of it.
    """
    path = unquote(quoted)
    if not is_path(path):
        message = f"{path!r} leads out of the table"
        raise ValueError(message)
    return path


def encode_commit(
    actions: Iterable[Action], *, first: bool, info: Mapping[str, Any], writer: str
) -> bytes:
    """Give the bytes of a commit.

    Args:
        actions: What it does.
        first: Whether it is the table's first, which says the protocol.
        info: What to tell of it: `timestamp` in milliseconds, `operation`.
        writer: What no other commit has, so that a lost reply isn't taken for a conflict.
    """
    lines = [json.dumps({_NAMES[type(action)]: action.to_json()}) for action in actions]
    if first:
        versions = {"minReaderVersion": READER, "minWriterVersion": WRITER}
        lines.insert(0, json.dumps({"protocol": versions}))
    body = "".join(f"{line}\n" for line in lines).encode()
    said = {**info, "engineInfo": "mlkit", "txnId": writer, "sha256": digest_bytes(body)}
    return json.dumps({"commitInfo": said}).encode() + b"\n" + body


def decode_commit(data: bytes, where: str) -> list[Action]:
    """Give the actions of a commit, after checking that it is whole.

    Args:
        data: Its bytes.
        where: Its path, for messages.

    Raises:
        Corrupt: It isn't what mlkit wrote.
        NewerFormat: It needs a newer reader.
    """
    head, _, body = data.partition(b"\n")
    try:
        _check_digest(json.loads(head)["commitInfo"], body)
        found: list[Action] = []
        for line in body.splitlines():
            (name, fields), *_ = json.loads(line).items()
            if name == "protocol":
                check_protocol(fields, where)
            elif name in KINDS:
                found.append(KINDS[name].from_json(fields))
    except NewerFormat:
        raise
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        message = f"{where} isn't a commit of mlkit: {error}"
        raise Corrupt(message, hint=_REBUILD) from error
    return found


def _check_digest(info: Mapping[str, Any], body: bytes) -> None:
    if info["sha256"] != digest_bytes(body):
        message = "it doesn't match its own digest"
        raise ValueError(message)


def check_protocol(fields: Mapping[str, Any], where: str) -> None:
    """Refuse a table that needs more than this reader knows.

    Raises:
        NewerFormat: It does.
    """
    if fields["minReaderVersion"] > READER or fields["minWriterVersion"] > WRITER:
        message = f"{where} asks for another version of the Delta protocol: {dict(fields)}"
        raise NewerFormat(message, hint=_REBUILD)
