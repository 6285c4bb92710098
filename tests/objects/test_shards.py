"""Shards: a small change of many files costs little, and one file is found without the others."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlkit._core.hashing import digest_bytes
from mlkit.errors import Corrupt, InvalidInput, NotFound
from mlkit.objects.blobs import Blobs
from mlkit.objects.manifest import FileEntry, Manifest, Source, schema
from mlkit.objects.packs import ChunkRef
from mlkit.objects.shards import Shards, cut, decode_shard, encode_shard, starts_of
from mlkit.testing import FaultyStorage

PACK = digest_bytes(b"pack")


def entry(path, body=b"body", chunks=1):
    digest = digest_bytes(path.encode() + body)
    if chunks == 1:
        return FileEntry(path, 4, digest, (ChunkRef(digest, 4, PACK, 0),))
    refs = tuple(ChunkRef(PACK, 1, PACK, number) for number in range(chunks))
    return FileEntry(path, chunks, digest, refs)


def many(count):
    """Give many files, as columns at once: objects of Python would take a minute."""
    paths = [f"train/{number // 1000:04}/image-{number:07}.png" for number in range(count)]
    digests = [digest_bytes(path.encode()) for path in paths]
    raw = pa.array([bytes.fromhex(digest[7:]) for digest in digests], pa.binary(32))
    kind = schema().field("chunks").type
    struct = pa.StructArray.from_arrays(
        [
            pa.nulls(count, pa.binary(32)),
            pa.repeat(pa.scalar(4096, pa.int64()), count),
            pa.repeat(pa.scalar(bytes.fromhex(PACK[7:]), pa.binary(32)), count),
            pa.array([4096 * (number % 8000) for number in range(count)], pa.int64()),
        ],
        fields=list(kind.value_type),
    )
    offsets = pa.array(range(count + 1), pa.int32())
    source = schema().field("source").type
    columns = [
        pa.array(paths, pa.string()),
        pa.repeat(pa.scalar(4096, pa.int64()), count),
        raw,
        pa.ListArray.from_arrays(offsets, struct, type=kind),
        pa.array([None] * count, source),
    ]
    return Manifest(pa.Table.from_arrays(columns, schema=schema()))


def changed(manifest, how):
    """Give the manifest with one file changed, added, removed or renamed, in the middle."""
    row = len(manifest) // 2
    before, after = manifest.table.slice(0, row), manifest.table.slice(row + 1)
    path = manifest.paths[row].as_py()
    new = {
        "changed": [entry(path, b"new")],
        "added": [entry(path), entry(f"{path}.more")],
        "removed": [],
        "renamed": [entry(f"{path}.renamed")],
    }[how]
    return Manifest(pa.concat_tables([before, Manifest.of(new).table, after]).combine_chunks())


@pytest.fixture(scope="module")
def large():
    return many(100_000)


@pytest.fixture(scope="module")
def large_shards(large):
    return {encode_shard(shard) for shard in cut(large)}


@pytest.mark.parametrize("how", ["changed", "added", "removed", "renamed"])
def test_one_file_of_a_hundred_thousand_costs_few_shards_and_less_than_a_megabyte(
    large, large_shards, how
):
    new = {encode_shard(shard) for shard in cut(changed(large, how))} - large_shards
    assert 1 <= len(new) <= 3
    assert sum(map(len, new)) < 1 << 20


def test_a_shard_has_thousands_of_files(large, large_shards):
    sizes = [len(shard) for shard in cut(large)]
    assert sum(sizes) == 100_000
    assert all(2048 <= size <= 8192 for size in sizes[:-1])
    assert len(large_shards) < 50


def stored(storage, tmp_path, shards, starts=None):
    blobs = Blobs(storage)
    digests = tuple(blobs.put(encode_shard(shard)) for shard in shards)
    starts = starts_of(shards) if starts is None else starts
    return Shards(blobs, tmp_path / "cache", digests, tuple(starts))


@pytest.fixture
def three():
    """Three shards of two files each."""
    return [Manifest.of([entry(a), entry(b)]) for a, b in ("ab", "de", "gh")]


def test_one_path_is_looked_up_in_one_shard(storage, tmp_path, three):
    watched = FaultyStorage(storage)
    shards = stored(watched, tmp_path, three)
    watched.operations.clear()
    assert shards.find("d") == entry("d")
    assert shards.find("e") == entry("e")
    assert shards.find("f") is None
    assert [verb for verb, _ in watched.operations] == ["read"]
    assert shards.find("A") is None  # before the first one: none is read


def test_every_path_is_found_with_and_without_starts(storage, tmp_path, three):
    for starts in (None, ()):
        shards = stored(storage, tmp_path, three, starts)
        for path in "abdegh":
            assert shards.find(path) == entry(path)
        for path in ("", "aa", "c", "f", "z"):
            assert shards.find(path) is None
        assert shards.manifest.paths.to_pylist() == list("abdegh")


def test_a_path_is_found_in_what_was_read_already(storage, tmp_path, three):
    watched = FaultyStorage(storage)
    shards = stored(watched, tmp_path, three)
    assert len(shards.manifest) == 6
    watched.operations.clear()
    assert shards.find("g") == entry("g")
    assert watched.operations == []


@pytest.mark.parametrize("starts", [("a", "c", "g"), ("A", "d", "g"), ("d", "a", "g"), "bdg"])
def test_starts_that_lie_are_corrupt(storage, tmp_path, three, starts):
    shards = stored(storage, tmp_path, three, starts)
    with pytest.raises(Corrupt, match="doesn't hold the paths from"):
        _ = shards.manifest
    failed = 0
    for path in "abdegh":
        try:
            assert stored(storage, tmp_path, three, starts).find(path) in (None, entry(path))
        except Corrupt:
            failed += 1
    assert failed


def test_shards_that_reach_into_each_other_are_corrupt(storage, tmp_path):
    overlapping = [Manifest.of([entry("a"), entry("x")]), Manifest.of([entry("d"), entry("e")])]
    shards = stored(storage, tmp_path, overlapping)
    for read in (lambda: shards.find("a"), lambda: shards.manifest):
        with pytest.raises(Corrupt, match="doesn't hold the paths from 'a' to the next part"):
            read()


def test_a_file_in_two_shards_is_corrupt(storage, tmp_path):
    twice = [Manifest.of([entry("a")]), Manifest.of([entry("a"), entry("b")])]
    with pytest.raises(Corrupt, match="twice"):
        _ = stored(storage, tmp_path, twice, ()).manifest


def test_an_empty_shard_among_others_is_corrupt_where_starts_are_told(storage, tmp_path):
    shards = stored(storage, tmp_path, [Manifest.of([]), Manifest.of([entry("b")])], ("", "b"))
    with pytest.raises(Corrupt):
        _ = shards.manifest


def test_a_shard_that_is_missing_or_damaged_is_told(storage, tmp_path, three, flip):
    shards = stored(storage, tmp_path, three)
    path = f"blobs/{shards.digests[1][7:9]}/{shards.digests[1][7:]}"
    whole = storage.read(path)
    storage.write(path, whole[:-1])
    for read in (lambda: shards.find("d"), lambda: shards.manifest):
        with pytest.raises(Corrupt):
            read()
    storage.delete(path)
    with pytest.raises(NotFound):
        shards.find("d")
    assert shards.find("a") == entry("a")


def test_no_file_is_one_shard_without_start(storage, tmp_path):
    shards = list(cut(Manifest.of([])))
    assert [len(shard) for shard in shards] == [0]
    assert starts_of(shards) == []
    assert len(stored(storage, tmp_path, shards).manifest) == 0


def test_a_file_of_more_chunks_than_a_shard_has_is_a_shard_of_its_own():
    files = [entry("a"), entry("b", chunks=9000), entry("c"), entry("d", chunks=5000)]
    shards = list(cut(Manifest.of(files)))
    assert [shard.paths.to_pylist() for shard in shards] == [["a"], ["b"], ["c", "d"]]


BOMBS = {
    "texts": {"path": "p" * 4000},
    "long texts": {"path": "p" * 400_000},
    "sources": {"source": {"url": "s" * 4000}},
    "chunks": {"chunks": [{"digest": None, "size": 1, "pack": b"p" * 32, "offset": 0}] * 100},
}


@pytest.mark.parametrize("encoding", ["dictionary", "DELTA_BYTE_ARRAY"])
@pytest.mark.parametrize("bomb", BOMBS)
def test_a_small_shard_that_would_fill_the_memory_is_refused_before_it_does(bomb, encoding):
    row = {**Manifest.of([entry("a")]).table.to_pylist()[0], **BOMBS[bomb]}
    one = pa.Table.from_pylist([row], schema=schema())
    rows = one.take(pa.array([0] * (500 if bomb == "long texts" else 40_000)))
    options = (
        {}
        if encoding == "dictionary"
        else {
            "use_dictionary": False,
            "column_encoding": {"path": encoding, "source.url": encoding},
        }
    )
    sink = pa.BufferOutputStream()
    with pq.ParquetWriter(sink, schema(), compression="zstd", **options) as writer:
        for _ in range(5):
            writer.write_table(rows)
    data = bytes(sink.getvalue())
    del rows
    assert len(data) < 1 << 20
    usual = pa.default_memory_pool()
    watched = pa.proxy_memory_pool(usual)
    pa.set_memory_pool(watched)
    try:
        with pytest.raises(Corrupt, match="far more memory"):
            decode_shard(data, "The manifest m")
    finally:
        pa.set_memory_pool(usual)
    assert watched.max_memory() < 512 << 20


def test_no_shard_is_written_that_would_not_be_read(monkeypatch):
    nearly_empty = Manifest.of([entry("a", chunks=5000)])
    assert len(decode_shard(encode_shard(nearly_empty), "m")) == 1
    monkeypatch.setattr("mlkit.objects.shards._BASE", 1000)
    monkeypatch.setattr("mlkit.objects.shards._RATIO", 1)
    with pytest.raises(InvalidInput, match="too many equal parts"):
        encode_shard(nearly_empty)


def test_files_with_the_longest_paths_in_common_folders_are_read(large):
    folder = "/".join(["x" * 250] * 16)
    paths = [f"{folder}/{number:07}" for number in range(8192)]
    table = large.table.slice(0, 8192).set_column(0, "path", pa.array(paths))
    data = encode_shard(Manifest(table))
    assert decode_shard(data, "m").paths.to_pylist() == paths


names = st.text(st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="\\"), max_size=8)
paths = names.filter(lambda name: name not in {"", ".", ".."} and "/" not in name)
sources = st.builds(Source, st.text("abc:/é"), st.none() | st.text("e1"), st.none(), st.none())
files = st.builds(
    lambda path, chunks, source: (
        FileEntry(path, 7, "", (), source) if source else entry(path, chunks=chunks)
    ),
    paths,
    st.integers(0, 4),
    st.none() | sources,
)


@given(st.lists(files, unique_by=lambda file: file.path, max_size=40), st.integers(1, 9))
def test_any_files_come_back_from_any_shards(files, least):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("mlkit.objects.shards._LEAST", least)
        patch.setattr("mlkit.objects.shards._MOST", 2 * least)
        patch.setattr("mlkit.objects.shards._ENDS", 1 << 30)
        shards = list(cut(Manifest.of(files)))
    encoded = [encode_shard(shard) for shard in shards]
    assert encoded == [encode_shard(shard) for shard in shards]
    back = [file for data in encoded for file in decode_shard(data, "m")]
    assert back == sorted(files, key=lambda file: file.path)
    assert len(starts_of(shards)) == (len(shards) if files else 0)
