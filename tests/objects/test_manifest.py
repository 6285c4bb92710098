"""Manifests: the files of a version, as Parquet."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from mlkit._core.hashing import digest_bytes
from mlkit.errors import Corrupt
from mlkit.objects.blobs import Blobs
from mlkit.objects.known import KnownChunks
from mlkit.objects.manifest import (
    FileEntry,
    Source,
    decode_manifest,
    encode_manifest,
    path_fault,
    read_manifests,
)
from mlkit.objects.packs import ChunkRef

PACK = digest_bytes(b"pack")


def entry(path, *chunks):
    refs = tuple(ChunkRef(digest_bytes(chunk), len(chunk), PACK, 7) for chunk in chunks)
    whole = b"".join(chunks)
    return FileEntry(path, len(whole), digest_bytes(whole), refs)


ENTRIES = [
    entry("b/two", b"x" * 10, b"y" * 5),
    entry("a", b"one"),
    entry("empty"),
    FileEntry("there", 9, "", (), Source("s3://raw/there", etag="e1", modified="2026-01-01")),
]

BAD_PATHS = ["", "/etc/passwd", "../up", "a/../b", "a//b", "./a", "a/", "a\\b", "a\nb", "x" * 4097]


def test_entries_come_back_sorted_and_whole():
    ordered = sorted(ENTRIES, key=lambda file: file.path)
    assert decode_manifest(encode_manifest(ENTRIES), "m") == ordered


def test_the_order_of_entries_leaves_no_trace():
    assert encode_manifest(ENTRIES) == encode_manifest(reversed(ENTRIES))


def test_any_tool_can_read_it():
    table = pq.read_table(pa.BufferReader(encode_manifest(ENTRIES)))
    assert table.column_names == ["path", "size", "digest", "chunks", "source"]
    assert table["path"].to_pylist() == ["a", "b/two", "empty", "there"]
    assert table.schema.metadata[b"mlkit.format"] == b"1"


@pytest.mark.parametrize("path", BAD_PATHS)
def test_a_path_that_would_leave_its_folder_or_cannot_be_is_refused(path):
    assert path_fault(path)
    with pytest.raises(Corrupt, match="which can't be"):
        decode_manifest(encode_manifest([evolve(ENTRIES[1], path=path)]), "m")


def test_text_that_is_no_unicode_is_no_path():
    assert "no UTF-8" in path_fault("caf\udce9")


@given(st.text(max_size=30))
def test_a_path_without_fault_stays_below_any_folder(path):
    if not path_fault(path):
        parts = path.split("/")
        assert all(part not in {"", ".", ".."} for part in parts)
        path.encode()


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"size": 99}, "make up its size"),
        ({"size": -3, "chunks": (ChunkRef(PACK, -3, PACK, 0),)}, "lies nowhere"),
        ({"chunks": (ChunkRef(PACK, 3, PACK, -1),)}, "lies nowhere"),
    ],
)
def test_chunks_that_cannot_be_are_refused(change, why):
    with pytest.raises(Corrupt, match=why):
        decode_manifest(encode_manifest([evolve(ENTRIES[1], **change)]), "m")


def test_a_file_that_is_listed_twice_is_refused():
    with pytest.raises(Corrupt, match="twice"):
        decode_manifest(encode_manifest([ENTRIES[0], ENTRIES[0]]), "m")


def nulls_for(column):
    table = pq.read_table(pa.BufferReader(encode_manifest(ENTRIES)))
    number = table.column_names.index(column)
    kind = table.schema.field(number).type
    changed = table.set_column(number, column, pa.nulls(len(table), kind))
    sink = pa.BufferOutputStream()
    pq.write_table(changed, sink)
    return bytes(sink.getvalue())


def nulls_within(column, part):
    rows = pq.read_table(pa.BufferReader(encode_manifest(ENTRIES))).to_pylist()
    for row in rows:
        for value in row[column] if isinstance(row[column], list) else [row[column]]:
            if value is not None:
                value[part] = None
    sink = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_pylist(rows), sink)
    return bytes(sink.getvalue())


def without_columns():
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table({"path": ["a"]}), sink)
    return bytes(sink.getvalue())


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"PAR1 no",
        without_columns(),
        nulls_for("path"),
        nulls_for("size"),
        nulls_for("chunks"),
        nulls_within("chunks", "size"),
        nulls_within("chunks", "pack"),
        nulls_within("chunks", "offset"),
        nulls_within("source", "url"),
    ],
    ids=[
        "empty",
        "no parquet",
        "other columns",
        "no path",
        "no size",
        "no chunks",
        "no size of a chunk",
        "no pack of a chunk",
        "no offset of a chunk",
        "no url of a source",
    ],
)
def test_what_is_no_manifest_is_corrupt(data):
    with pytest.raises(Corrupt, match="The manifest"):
        decode_manifest(data, "The manifest m")


def test_several_manifests_are_read_as_one(storage, tmp_path):
    blobs = Blobs(storage)
    digests = [blobs.put(encode_manifest([file])) for file in ENTRIES]
    found = read_manifests(blobs, digests, tmp_path)
    assert [file.path for file in found] == ["a", "b/two", "empty", "there"]


def test_a_file_in_two_manifests_is_refused(storage, tmp_path):
    blobs = Blobs(storage)
    digests = [
        blobs.put(encode_manifest([ENTRIES[1]])),
        blobs.put(encode_manifest([ENTRIES[1], ENTRIES[0]])),
    ]
    with pytest.raises(Corrupt, match="as another one does"):
        read_manifests(blobs, digests, tmp_path)


class TestKnownChunks:
    def test_older_manifests_are_read_only_when_a_chunk_is_missing(self, storage, tmp_path):
        blobs = Blobs(storage)
        asked = []

        def digests():
            for file in ENTRIES[:2]:
                asked.append(file.path)
                yield blobs.put(encode_manifest([file]))

        known = KnownChunks(blobs, tmp_path, digests())
        assert known.get(digest_bytes(b"x" * 10)).size == 10
        assert asked == ["b/two"]
        assert known.get(digest_bytes(b"one")).offset == 7
        assert known.get(digest_bytes(b"never")) is None
        assert asked == ["b/two", "a"]

    def test_a_manifest_of_several_versions_is_read_once(self, storage, tmp_path):
        blobs = Blobs(storage)
        digest = blobs.put(encode_manifest(ENTRIES))
        known = KnownChunks(blobs, tmp_path, [digest, digest])
        assert known.get(digest_bytes(b"never")) is None

    def test_a_manifest_that_is_missing_or_damaged_is_left_out(self, storage, tmp_path):
        blobs = Blobs(storage)
        digests = [digest_bytes(b"never"), blobs.put(b"none"), blobs.put(encode_manifest(ENTRIES))]
        known = KnownChunks(blobs, tmp_path, digests)
        assert known.get(digest_bytes(b"one")) is not None
