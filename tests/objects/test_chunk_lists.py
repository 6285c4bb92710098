"""Lists of chunks: what any version has is found by its digest, and no harm stops a commit."""

import contextlib
import hashlib
import multiprocessing
import os
import random
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlkit.errors import StorageFault
from mlkit.objects.chunk_columns import ChunkColumns, Place
from mlkit.objects.chunk_lists import ChunkLists
from mlkit.objects.pack_writer import KnownChunk
from mlkit.objects.verify import verify_objects
from mlkit.storage.local import LocalStorage
from mlkit.storage.wrapped import WrappedStorage
from mlkit.testing import Fault, FaultyStorage, Kill

PACK = b"p" * 32


def digest(number):
    return hashlib.sha256(b"%d" % number).digest()


def chunks(numbers, pack=PACK):
    """Give chunks to be listed, each of a size and at an offset that its number tells."""
    columns = ChunkColumns()
    for number in numbers:
        columns.add(Place(digest(number), number + 1, 0, 10 * number))
    return columns.to_arrow([pack])


def place(number, pack=PACK):
    return KnownChunk(pack, 10 * number, number + 1)


def read(storage, cache):
    lists = ChunkLists(storage, Path(cache))
    lists.refresh()
    return lists


def paths(storage):
    return sorted(entry.path for entry in storage.list("chunks"))


def test_what_was_added_is_found_by_who_opens_the_store_later(storage, tmp_path):
    ChunkLists(storage, tmp_path / "one").add(chunks(range(10)))
    lists = read(storage, tmp_path / "two")
    assert [lists.get(digest(number)) for number in range(10)] == [*map(place, range(10))]
    assert lists.get(digest(99)) is None


def test_nothing_is_found_in_a_store_without_lists(storage, tmp_path):
    lists = read(storage, tmp_path)
    assert lists.get(digest(0)) is None
    assert not lists.complete


def test_no_chunks_are_no_list(storage, tmp_path):
    ChunkLists(storage, tmp_path).add(chunks([]))
    assert paths(storage) == []


def test_a_list_says_its_name(storage, tmp_path):
    ChunkLists(storage, tmp_path).add(chunks(range(3)))
    [path] = paths(storage)
    assert path == f"chunks/{hashlib.sha256(storage.read(path)).hexdigest()}.parquet"


def test_any_tool_can_read_it(storage, tmp_path):
    ChunkLists(storage, tmp_path).add(chunks(range(3)))
    [path] = paths(storage)
    table = pq.read_table(pa.BufferReader(storage.read(path)))
    assert table.column_names == ["digest", "size", "pack", "offset"]
    assert table["digest"].to_pylist() == sorted(map(digest, range(3)))


def test_many_commits_leave_few_lists_of_which_each_is_twice_as_long_as_all_shorter_ones(
    fresh, tmp_path
):
    storage = fresh()
    lists = ChunkLists(storage, tmp_path)
    most = 0
    for number in range(500):
        lists.add(chunks([number]))
        most = max(most, len(paths(storage)))
    assert most <= 9  # the logarithm of 500 to the base 2
    again = read(storage, tmp_path)
    assert all(again.get(digest(number)) == place(number) for number in range(500))


@given(st.lists(st.lists(st.integers(0, 200), max_size=40), max_size=12))
def test_any_commits_are_found_and_nothing_else(fresh, added):
    storage = fresh()
    cache = Path("cache") / storage.url.rpartition("/")[2]
    lists = ChunkLists(storage, cache)
    for numbers in added:
        lists.add(chunks(numbers))
    known = {number for numbers in added for number in numbers}
    for one in (lists, read(storage, cache)):
        for number in range(201):
            assert one.get(digest(number)) == (place(number) if number in known else None)


def test_chunks_of_many_row_groups_are_found_with_few_of_them_held(fresh, tmp_path, monkeypatch):
    monkeypatch.setattr("mlkit.objects.chunk_lists._GROUP", 16)
    monkeypatch.setattr("mlkit.objects.chunk_lists._HELD", 2)
    storage = fresh()
    lists = ChunkLists(storage, tmp_path)
    lists.add(chunks(range(500)))
    lists.add(chunks(range(500, 600)))
    for number in random.Random(1).sample(range(600), 600):
        assert lists.get(digest(number)) == place(number)
        assert len(lists._groups) <= 2


class TestDamage:
    @pytest.mark.parametrize(
        "harm", ["flipped", "cut", "empty", "gone", "no parquet", "other columns", "no firsts"]
    )
    def test_a_list_that_cannot_be_read_is_left_out_and_commits_go_on(
        self, storage, tmp_path, harm, flip
    ):
        lists = ChunkLists(storage, tmp_path / "cache")
        lists.add(chunks(range(100)))
        [path] = paths(storage)
        lists.add(chunks(range(100, 130)))
        whole = storage.read(path)
        if harm == "flipped":
            flip(storage, path, 4 * len(whole))
        elif harm == "gone":
            storage.delete(path)
        elif harm in {"cut", "empty"}:
            storage.write(path, whole[: len(whole) // 2 if harm == "cut" else 0])
        else:
            storage.delete(path)
            hostile(storage, harm)
        later = read(storage, tmp_path / "other")
        assert later.get(digest(5)) is None
        assert later.get(digest(105)) == place(105)
        later.add(chunks([5]))
        assert read(storage, tmp_path / "third").get(digest(5)) == place(5)

    def test_a_list_that_vanishes_while_it_is_used_harms_nobody(self, storage, tmp_path):
        lists = ChunkLists(storage, tmp_path)
        lists.add(chunks(range(10)))
        for path in paths(storage):
            storage.delete(path)
        assert lists.get(digest(3)) in {None, place(3)}
        lists.add(chunks(range(10, 12)))
        lists.refresh()
        assert lists.get(digest(11)) == place(11)

    def test_verify_names_a_damaged_list(self, storage, tmp_path, flip):
        ChunkLists(storage, tmp_path).add(chunks(range(10)))
        [path] = paths(storage)
        assert list(verify_objects(storage)) == []
        flip(storage, path, 99)
        [problem] = verify_objects(storage)
        assert (problem.path, problem.hurts) == (path, ())

    def test_what_is_no_list_by_its_name_is_not_looked_at(self, storage, tmp_path):
        storage.write("chunks/README", b"hello")
        storage.write("chunks/" + "0" * 63 + ".parquet", b"hello")
        assert read(storage, tmp_path).get(digest(1)) is None


def hostile(storage, harm):
    """Write a list whose name is right, and whose content isn't that of a list."""
    sink = pa.BufferOutputStream()
    if harm == "other columns":
        pq.write_table(pa.table({"digest": [b"x" * 32]}), sink)
    elif harm == "no firsts":
        table = pa.Table.from_struct_array(chunks(range(3)))
        raw = pa.binary(32)
        fields = [("digest", raw), ("size", pa.int64()), ("pack", raw), ("offset", pa.int64())]
        kinds = pa.schema([pa.field(name, kind, nullable=False) for name, kind in fields])
        pq.write_table(table.cast(kinds).replace_schema_metadata(None), sink)
    else:
        sink.write(b"PAR1 no")
    data = bytes(sink.getvalue())
    storage.write(f"chunks/{hashlib.sha256(data).hexdigest()}.parquet", data)


class Remote(WrappedStorage):
    """A storage whose objects are no local files."""

    def local_path(self, path):
        return None


class TestCopies:
    """Of remote lists there are copies in the cache, of which none is trusted."""

    def test_a_list_is_fetched_once(self, fresh, tmp_path):
        storage = fresh()
        ChunkLists(storage, tmp_path / "mine").add(chunks(range(10)))
        read(storage, tmp_path / "cache")
        watched = FaultyStorage(storage)
        assert read(watched, tmp_path / "cache").get(digest(1)) == place(1)
        assert [verb for verb, _ in watched.operations] == ["children"]

    @pytest.mark.parametrize("harm", [b"", b"damaged"])
    def test_a_damaged_copy_is_fetched_again(self, storage, tmp_path, harm):
        ChunkLists(storage, tmp_path / "mine").add(chunks(range(10)))
        remote = Remote(storage)
        read(remote, tmp_path / "cache")
        [path] = paths(storage)
        (tmp_path / "cache" / path).write_bytes(harm)
        assert read(remote, tmp_path / "cache").get(digest(1)) == place(1)
        assert (tmp_path / "cache" / path).read_bytes() == storage.read(path)

    def test_copies_of_lists_that_were_taken_in_go_too(self, storage, tmp_path):
        mine = ChunkLists(Remote(storage), tmp_path / "mine")
        for number in range(20):
            mine.add(chunks([number]))
        kept = sorted(f"chunks/{path.name}" for path in (tmp_path / "mine" / "chunks").iterdir())
        assert kept == paths(storage)

    def test_a_cache_that_cannot_be_written_harms_nobody(self, fresh, tmp_path):
        (tmp_path / "cache").write_bytes(b"a file")
        storage = fresh()
        lists = ChunkLists(storage, tmp_path / "cache")
        lists.add(chunks(range(10)))
        assert read(storage, tmp_path / "cache").get(digest(1)) == place(1)


class TestWritersAtOnce:
    def test_two_writers_that_merge_at_once_lose_nothing(self, storage, tmp_path):
        ChunkLists(storage, tmp_path / "zero").add(chunks(range(10)))
        one, two = read(storage, tmp_path / "one"), read(storage, tmp_path / "two")
        one.add(chunks(range(10, 20)))  # both take the first list in, and remove it
        two.add(chunks(range(20, 30)))
        lists = read(storage, tmp_path / "three")
        assert [lists.get(digest(number)) for number in range(30)] == [*map(place, range(30))]

    def test_writers_of_the_same_chunks_have_one_list(self, storage, tmp_path):
        one, two = read(storage, tmp_path / "one"), read(storage, tmp_path / "two")
        one.add(chunks(range(10)))
        two.add(chunks(range(10)))
        assert len(paths(storage)) == 1
        assert read(storage, tmp_path).get(digest(3)) == place(3)

    def test_a_storage_that_removes_nothing_harms_nobody(self, fresh, tmp_path):
        class Keeping(WrappedStorage):
            def delete(self, path):
                raise StorageFault(path)

        storage = fresh()
        lists = ChunkLists(Keeping(storage), tmp_path)
        for number in range(8):
            lists.add(chunks([number]))
        again = read(storage, tmp_path)
        assert all(again.get(digest(number)) == place(number) for number in range(8))

    def test_threads_share_one(self, storage, tmp_path, monkeypatch):
        monkeypatch.setattr("mlkit.objects.chunk_lists._GROUP", 8)
        monkeypatch.setattr("mlkit.objects.chunk_lists._HELD", 2)
        lists = ChunkLists(storage, tmp_path)

        def work(number):
            lists.add(chunks([number, 1000 + number]))
            lists.refresh()
            return [lists.get(digest(n)) for n in (number, 1000 + number, -1)]

        with ThreadPoolExecutor(8) as pool:
            found = list(pool.map(work, range(60)))
        assert found == [[place(n), place(1000 + n), None] for n in range(60)]

    def test_processes_share_one_store(self, tmp_path):
        context = multiprocessing.get_context("spawn")
        workers = [context.Process(target=add_some, args=(str(tmp_path), n)) for n in (0, 100)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        assert [worker.exitcode for worker in workers] == [0, 0]
        lists = read(LocalStorage(tmp_path / "store"), tmp_path / "cache")
        for number in (*range(20), *range(100, 120)):
            assert lists.get(digest(number)) == place(number)

    def test_a_child_is_not_held_up_by_a_thread_of_its_parent(self, fresh, tmp_path):
        lists = ChunkLists(fresh(), tmp_path)
        lists.add(chunks([1]))
        with lists._lock:
            child = os.fork()
            if not child:
                with ThreadPoolExecutor(1) as pool:
                    found = pool.submit(lists.get, digest(1)).result(timeout=30)
                os._exit(found != place(1))
        assert os.waitpid(child, 0)[1] == 0


def add_some(root, start):
    """Add twenty lists; run in a process of its own."""
    lists = read(LocalStorage(Path(root) / "store"), Path(root) / f"cache-{start}")
    for number in range(start, start + 20):
        lists.add(chunks([number]))
        lists.refresh()


@pytest.mark.parametrize("how", ["before", "after", "kill before", "kill after", "down", "full"])
def test_a_fault_at_any_moment_of_adding_loses_no_list(fresh, tmp_path, how):
    def prepared():
        storage = fresh()
        for numbers in (range(10), range(20, 24), [30]):
            ChunkLists(storage, tmp_path / "unread").add(chunks(numbers))
        return storage

    watched = FaultyStorage(prepared())
    read(watched, tmp_path / "count").add(chunks([40, 41, 42]))
    count = len(watched.operations)
    assert {verb for verb, _ in watched.operations} >= {"write", "delete"}
    for number in range(1, count + 1):
        storage = prepared()
        cache = tmp_path / f"{how}-{number}"
        with contextlib.suppress(StorageFault, Kill):
            read(FaultyStorage(storage, Fault(number, how)), cache).add(chunks([40, 41, 42]))
        assert list(verify_objects(storage)) == []
        lists = read(storage, cache)
        for known in (*range(10), *range(20, 24), 30):
            assert lists.get(digest(known)) == place(known)
        lists.add(chunks([40, 41, 42]))
        assert read(storage, cache).get(digest(41)) == place(41)


class TestPruning:
    def test_chunks_of_packs_that_nothing_needs_are_taken_off(self, storage, tmp_path):
        other = b"q" * 32
        lists = ChunkLists(storage, tmp_path / "mine")
        lists.add(chunks(range(10)))
        lists.add(chunks(range(10, 12), other))
        gone = {f"packs/71/{other.hex()}"}
        needed = {f"packs/70/{PACK.hex()}"}
        assert read(storage, tmp_path / "a").prune(needed, dry_run=True) == gone
        assert read(storage, tmp_path / "a").get(digest(11)) == place(11, other)
        assert read(storage, tmp_path / "a").prune(needed) == gone
        later = read(storage, tmp_path / "b")
        assert later.get(digest(11)) is None
        assert [later.get(digest(number)) for number in range(10)] == [*map(place, range(10))]
        assert later.prune(needed) == set()
        assert list(verify_objects(storage)) == []

    def test_a_list_of_nothing_but_them_goes(self, storage, tmp_path):
        ChunkLists(storage, tmp_path).add(chunks(range(10)))
        read(storage, tmp_path).prune(set())
        assert paths(storage) == []
