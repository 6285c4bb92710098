"""Manifests: the files of a version, as Parquet."""

from contextlib import suppress

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from mlkit._core.hashing import digest_bytes
from mlkit.errors import Corrupt
from mlkit.objects.manifest import FileEntry, Manifest, Source, path_fault
from mlkit.objects.packs import ChunkRef
from mlkit.objects.shards import decode_shard, encode_shard

PACK = digest_bytes(b"pack")


def encode(entries):
    return encode_shard(Manifest.of(entries))


def decode(data, where="m"):
    return list(decode_shard(data, where))


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
    assert decode(encode(ENTRIES)) == ordered


def test_the_order_of_entries_leaves_no_trace():
    assert encode(ENTRIES) == encode(reversed(ENTRIES))


def test_any_tool_can_read_it():
    table = pq.read_table(pa.BufferReader(encode(ENTRIES)))
    assert table.column_names == ["path", "size", "digest", "chunks", "source"]
    assert table["path"].to_pylist() == ["a", "b/two", "empty", "there"]
    assert table.schema.metadata[b"mlkit.format"] == b"1"


@pytest.mark.parametrize("path", BAD_PATHS)
def test_a_path_that_would_leave_its_folder_or_cannot_be_is_refused(path):
    assert path_fault(path)
    with pytest.raises(Corrupt, match="which can't be"):
        decode(encode([evolve(ENTRIES[1], path=path)]))


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
        ({"size": -3, "chunks": ()}, "less than nothing"),
        ({"size": -3, "source": Source("s3://raw/a")}, "less than nothing"),
        ({"chunks": (ChunkRef(PACK, -3, PACK, 0), ChunkRef(PACK, 6, PACK, 0))}, "lies nowhere"),
        ({"chunks": (ChunkRef(PACK, 3, PACK, -1),)}, "lies nowhere"),
        ({"chunks": (ChunkRef(PACK, 3, PACK, 2**63 - 2),)}, "lies nowhere"),
        ({"chunks": (ChunkRef(PACK, 3, PACK, 0), ChunkRef(PACK, 0, PACK, 3))}, "is empty"),
        ({"size": 2**60, "chunks": (ChunkRef(PACK, 2**60, PACK, 0),)}, "too large"),
        ({"size": 2**26 + 1, "chunks": (ChunkRef(PACK, 2**26 + 1, PACK, 0),)}, "too large"),
        ({"digest": ""}, "no digest"),
        ({"digest": "", "size": 0, "chunks": ()}, "no digest"),
        ({"digest": "", "source": Source("s3://raw/a")}, "no digest"),
    ],
)
def test_chunks_that_cannot_be_are_refused(change, why):
    with pytest.raises(Corrupt, match=why):
        decode(encode([evolve(ENTRIES[1], **change)]))


def test_a_file_that_is_listed_twice_is_refused():
    with pytest.raises(Corrupt, match="twice"):
        decode(encode([ENTRIES[0], ENTRIES[0]]))


def written(table):
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink)
    return bytes(sink.getvalue())


def test_sizes_of_chunks_whose_sum_overflows_are_refused():
    huge = tuple(ChunkRef(PACK, 2**62, PACK, 0) for _ in range(4))
    with pytest.raises(Corrupt, match="overflow"):
        decode(encode([FileEntry("a", 0, PACK, huge)]))


def test_rows_in_any_order_are_read_sorted():
    table = Manifest.of(ENTRIES).table.take([2, 0, 3, 1])
    assert decode(written(table)) == sorted(ENTRIES, key=lambda file: file.path)


def nulls_in_one(column):
    rows = Manifest.of(ENTRIES).table.to_pylist()
    rows[1][column] = None
    return written(pa.Table.from_pylist(rows))


def null_chunk():
    rows = Manifest.of(ENTRIES).table.to_pylist()
    rows[1]["chunks"][0] = None
    return written(pa.Table.from_pylist(rows))


def other_type(column, values):
    table = Manifest.of(ENTRIES).table
    number = table.column_names.index(column)
    return written(table.set_column(number, column, pa.array(values)))


def nulls_for(column):
    table = Manifest.of(ENTRIES).table
    number = table.column_names.index(column)
    kind = table.schema.field(number).type
    changed = table.set_column(number, column, pa.nulls(len(table), kind))
    sink = pa.BufferOutputStream()
    pq.write_table(changed, sink)
    return bytes(sink.getvalue())


def nulls_within(column, part):
    rows = pq.read_table(pa.BufferReader(encode(ENTRIES))).to_pylist()
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
        nulls_in_one("path"),
        nulls_in_one("size"),
        nulls_in_one("chunks"),
        null_chunk(),
        other_type("path", [b"a", b"\xff", b"c", b"d"]),
        other_type("size", ["1", "x", "3", "4"]),
        other_type("size", [0.5, 1.5, 2.5, 3.5]),
        other_type("digest", [b"short"] * 4),
        other_type("chunks", [[1], [2], [3], [4]]),
        other_type("source", ["s3://x"] * 4),
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
        "a path is missing",
        "a size is missing",
        "chunks are missing",
        "a chunk is missing",
        "paths of no text",
        "texts as sizes",
        "fractions as sizes",
        "short digests",
        "numbers as chunks",
        "texts as sources",
    ],
)
def test_what_is_no_manifest_is_corrupt(data):
    with pytest.raises(Corrupt, match="The manifest"):
        decode(data, "The manifest m")


@given(st.data())
def test_no_flipped_bits_make_a_manifest_an_error_of_another_kind(draw):
    data = bytearray(encode(ENTRIES))
    for bit in draw.draw(st.lists(st.integers(0, 8 * len(data) - 1), min_size=1, max_size=4)):
        data[bit // 8] ^= 1 << bit % 8
    try:
        for file in decode(bytes(data)):
            assert not path_fault(file.path)
    except Corrupt as error:
        assert error.message.startswith("m ")  # noqa: PT017 - either outcome is right


def test_no_flipped_bit_of_the_footer_ends_the_process():
    whole = encode(ENTRIES)
    for bit in range(8 * len(whole) // 2, 8 * len(whole), 5):
        data = bytearray(whole)
        data[bit // 8] ^= 1 << bit % 8
        with suppress(Corrupt):
            decode(bytes(data))


class TestColumns:
    """What is told of all files at once is what would be counted file by file."""

    files = st.lists(
        st.tuples(st.text("abc/é", min_size=1, max_size=5), st.lists(st.binary(max_size=3))),
        unique_by=lambda file: file[0],
    )

    @given(files)
    def test_size_paths_and_chunks_are_those_of_the_files(self, files):
        entries = sorted((entry(path, *chunks) for path, chunks in files), key=lambda f: f.path)
        manifest = Manifest.of(entries)
        assert list(manifest) == entries
        assert manifest.size == sum(file.size for file in entries)
        assert manifest.paths.to_pylist() == [file.path for file in entries]
        digests = [f"sha256:{chunk['digest'].hex()}" for chunk in manifest.chunks().to_pylist()]
        assert digests == [chunk.digest for file in entries for chunk in file.chunks]
        assert [manifest.find(file.path) for file in entries] == entries
        assert manifest.find("nowhere") is None

    def test_packs_are_told_with_how_many_files_they_hold_and_the_first(self):
        other = digest_bytes(b"other")
        entries = [
            FileEntry("a", 2, PACK, (ChunkRef(PACK, 1, PACK, 0), ChunkRef(PACK, 1, PACK, 1))),
            FileEntry("b", 2, PACK, (ChunkRef(PACK, 1, PACK, 0), ChunkRef(PACK, 1, other, 0))),
            FileEntry("c", 1, PACK, (ChunkRef(PACK, 1, other, 0),)),
            FileEntry("d", 0, PACK),
        ]
        assert Manifest.of(entries).packs() == {PACK: (2, "a"), other: (2, "b")}
