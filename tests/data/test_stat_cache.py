"""What is remembered of folders: unchanged files aren't read again, and no digest is ever wrong."""

import hashlib
import itertools
import mmap
import multiprocessing
import os
import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mlkit.data.datasets import Datasets
from mlkit.data.storing import file_intake
from mlkit.data.storing.found_files import FileState
from mlkit.data.storing.stat_cache import StatCache
from mlkit.objects.manifest import FileEntry, Manifest
from mlkit.storage.local import LocalStorage
from mlkit.storage.memory import MemoryStorage

_numbers = itertools.count()


def later():
    """Give a time at which the files of now have been as they are for long."""
    return time.time_ns() + 60 * 10**9


def tick(folder):
    """Wait until the clock of a disk has moved on, as it does many times a second."""
    probe = folder.parent / "probe"
    probe.touch()
    before = probe.stat().st_ctime_ns
    while probe.stat().st_ctime_ns == before:
        probe.touch()
    probe.unlink()


def truth(data):
    """Give the digest of a folder or file, made without anything that is remembered."""
    number = next(_numbers)
    storage = MemoryStorage(f"stat-truth-{number}")
    return Datasets(storage, cache=Path(f"empty-{number}")).log("x", data).digest


class Reads:
    """Counts which files are read on their way into a store."""

    def __init__(self, monkeypatch):
        self.paths = []
        take = file_intake.take_files

        def watched(root, files, *others):
            files = list(files)
            self.paths.extend(file.path for file in files)
            return take(root, files, *others)

        monkeypatch.setattr("mlkit.data.storing.file_contents.take_files", watched)


@pytest.fixture
def reads(monkeypatch):
    return Reads(monkeypatch)


@pytest.fixture
def log(memory, tmp_path, folder):
    """Logs the folder, and checks its digest."""

    def log_it(name="images", data=folder, cache="cache", storage=memory, clock=later):
        tick(folder)
        version = Datasets(storage, cache=tmp_path / cache, clock=clock).log(name, data)
        assert version.digest == truth(data)
        return version

    return log_it


ALL = ["a.txt", "cats/old/felix.png", "cats/tom.png", "empty"]


class TestUnchanged:
    def test_files_that_have_not_changed_are_not_read_again(self, log, reads, folder):
        log()
        assert reads.paths == ALL * 2  # once to be logged, and once to know the truth
        reads.paths.clear()
        assert log().number == 1
        assert reads.paths == ALL  # for the truth
        (folder / "a.txt").write_bytes(b"other")
        reads.paths.clear()
        assert log().number == 2
        assert reads.paths == ["a.txt", *ALL]

    def test_another_dataset_of_the_same_folder_reads_nothing_and_stores_nothing(
        self, log, reads, memory
    ):
        log()
        before = [entry.path for entry in memory.list("packs")]
        reads.paths.clear()
        version = log("others")
        assert reads.paths == ALL
        assert [entry.path for entry in memory.list("packs")] == before
        assert version.open("a.txt").read() == b"alpha"

    def test_files_that_changed_a_moment_ago_are_read_again(self, log, reads):
        log(clock=time.time_ns)
        reads.paths.clear()
        log(clock=time.time_ns)
        assert reads.paths == ALL * 2

    def test_files_that_went_and_came_are_noticed(self, log, folder):
        log()
        (folder / "a.txt").unlink()
        assert log().number == 2
        (folder / "a.txt").write_bytes(b"alpha")
        assert log().number == 1


def edit(path, data):
    with path.open("r+b") as stream:
        stream.write(data)


def edit_and_set_back(path, data):
    status = path.stat()
    edit(path, data)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def replace(path, data):
    status = path.stat()
    other = path.with_name("other")
    other.write_bytes(data)
    os.utime(other, ns=(status.st_atime_ns, status.st_mtime_ns))
    other.replace(path)


def edit_in_memory(path, data):
    with path.open("r+b") as stream, mmap.mmap(stream.fileno(), 0) as mapped:
        mapped[: len(data)] = data


def edit_by_another_name(path, data):
    other = path.parent.parent / "linked"
    os.link(path, other)
    edit_and_set_back(other, data)
    other.unlink()


def edit_through_a_link(path, data):
    other = path.parent.parent / "link"
    other.symlink_to(path.resolve())
    edit_and_set_back(other, data)
    other.unlink()


EDITS = [
    edit,
    edit_and_set_back,
    replace,
    edit_in_memory,
    edit_by_another_name,
    edit_through_a_link,
]


class TestEdits:
    @pytest.mark.parametrize("change", EDITS)
    def test_an_edit_that_keeps_the_size_is_noticed(self, log, folder, change):
        log()
        tick(folder)
        change(folder / "a.txt", b"omega")
        version = log()
        assert version.number == 2
        assert version.open("a.txt").read() == b"omega"

    @pytest.mark.parametrize("change", EDITS)
    def test_an_edit_within_the_tick_of_the_clock_is_noticed(
        self, memory, tmp_path, folder, change
    ):
        datasets = Datasets(memory, cache=tmp_path / "cache")
        for number in range(1, 20):
            change(folder / "a.txt", b"%05d" % number)
            assert datasets.log("images", folder).number == number

    def test_files_that_change_places_are_noticed(self, log, folder):
        (folder / "b.txt").write_bytes(b"omega")
        os.utime(folder / "b.txt", ns=(1, 1))
        os.utime(folder / "a.txt", ns=(1, 1))
        log()
        tick(folder)
        (folder / "a.txt").rename(folder / "c")
        (folder / "b.txt").rename(folder / "a.txt")
        (folder / "c").rename(folder / "b.txt")
        assert log().open("a.txt").read() == b"omega"

    def test_another_folder_in_its_place_is_noticed(self, log, folder, tmp_path):
        log()
        copy = tmp_path / "copy"
        shutil.copytree(folder, copy)  # which keeps the times
        edit_and_set_back(copy / "a.txt", b"omega")
        folder.rename(tmp_path / "old")
        copy.rename(folder)
        assert log().open("a.txt").read() == b"omega"

    def test_a_link_that_leads_to_another_file_now_is_noticed(self, log, folder):
        (folder / "b.txt").write_bytes(b"omega")
        (folder / "link").symlink_to("a.txt")
        log()
        (folder / "link").unlink()
        (folder / "link").symlink_to("b.txt")
        assert log().open("link").read() == b"omega"

    def test_a_link_to_the_folder_is_the_folder(self, log, reads, folder, tmp_path):
        (tmp_path / "link").symlink_to(folder)
        log()
        reads.paths.clear()
        assert log(data=tmp_path / "link").number == 1
        assert reads.paths == ALL
        other = tmp_path / "other"
        other.mkdir()
        (other / "a.txt").write_bytes(b"omega")
        (tmp_path / "link").unlink()
        (tmp_path / "link").symlink_to(other)
        assert log(data=tmp_path / "link").number == 2

    def test_a_file_that_became_a_folder_is_noticed(self, log, tmp_path):
        place = tmp_path / "thing"
        place.write_bytes(b"alpha")
        assert log(data=place).kind == "file"
        place.rename(tmp_path / "old")
        place.mkdir()
        (tmp_path / "old").rename(place / "thing")
        assert log(data=place).kind == "folder"


class TestClock:
    @pytest.mark.parametrize("jump", [-(10**6), -3600, -3, 3, 3600, 10**6])
    def test_a_clock_that_jumps_makes_no_digest_wrong(self, log, folder, jump):
        log(clock=time.time_ns)
        for number in range(5):
            tick(folder)
            edit_and_set_back(folder / "a.txt", b"%05d" % number)
            log(clock=lambda: time.time_ns() + jump * 10**9)

    def test_times_of_the_future_are_not_trusted(self, log, reads, folder):
        ahead = later() + 3600 * 10**9
        os.utime(folder / "a.txt", ns=(ahead, ahead))
        log()
        reads.paths.clear()
        log()
        assert reads.paths == ["a.txt", *ALL]


def files_of_cache(tmp_path):
    return [path for path in (tmp_path / "cache" / "folders").iterdir() if path.is_file()]


class TestDamagedCache:
    @pytest.mark.parametrize("harm", ["flipped", "cut", "empty", "gone", "folder", "older"])
    def test_a_cache_that_is_damaged_costs_time_and_nothing_else(self, log, reads, tmp_path, harm):
        log()
        [place] = files_of_cache(tmp_path)
        data = bytearray(place.read_bytes())
        if harm == "flipped":
            data[len(data) // 2] ^= 1
            place.write_bytes(data)
        elif harm == "cut":
            place.write_bytes(data[: len(data) // 2])
        elif harm == "empty":
            place.write_bytes(b"")
        elif harm == "older":
            place.write_bytes(of_another_release())
        else:
            place.unlink()
            if harm == "folder":
                place.mkdir()
        reads.paths.clear()
        assert log().number == 1
        assert reads.paths == ALL * 2

    @given(st.data())
    @settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
    def test_no_flipped_bit_makes_a_digest_wrong(self, log, tmp_path, draw):
        log()
        [place] = files_of_cache(tmp_path)
        data = bytearray(place.read_bytes())
        bit = draw.draw(st.integers(0, 8 * len(data) - 1))
        data[bit // 8] ^= 1 << bit % 8
        place.write_bytes(data)
        assert log().number == 1

    def test_a_cache_that_cannot_be_written_harms_nobody(self, log, tmp_path):
        (tmp_path / "no").write_bytes(b"a file")
        assert log(cache="no").number == 1
        assert log(cache="no").number == 1

    def test_a_cache_that_goes_meanwhile_harms_nobody(self, log, tmp_path, monkeypatch):
        take = file_intake.take_files

        def taking(*args):
            shutil.rmtree(tmp_path / "cache", ignore_errors=True)
            return take(*args)

        log()
        monkeypatch.setattr("mlkit.data.storing.file_contents.take_files", taking)
        (tmp_path / "images" / "a.txt").write_bytes(b"other")
        assert log().number == 2


def of_another_release():
    """Give a file of the cache that is whole, and has other columns."""
    sink = pa.BufferOutputStream()
    table = pa.table({"path": ["a.txt"], "mtime": [1]})
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    body = bytes(sink.getvalue())
    return hashlib.sha256(body).digest() + body


class TestStores:
    def test_packs_that_are_gone_are_stored_again(self, log, memory, folder):
        log()
        for entry in list(memory.list("packs")):
            memory.delete(entry.path)
        (folder / "more").write_bytes(b"more")
        version = log()
        for path in ALL:
            assert version.open(path).read() == (folder / path).read_bytes()

    def test_a_store_in_place_of_another_has_all_bytes(self, log, folder):
        log()
        other = MemoryStorage(f"stat-other-{next(_numbers)}")
        version = log(storage=other)
        for path in ALL:
            assert version.open(path).read() == (folder / path).read_bytes()

    def test_threads_and_processes_share_a_cache(self, tmp_path, folder):
        root = str(tmp_path)
        context = multiprocessing.get_context("spawn")
        workers = [context.Process(target=log_some, args=(root, n)) for n in range(2)]
        for worker in workers:
            worker.start()
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(lambda number: log_some(root, number), range(2, 4)))
        for worker in workers:
            worker.join()
        assert [worker.exitcode for worker in workers] == [0, 0]
        datasets = Datasets(LocalStorage(tmp_path / "store"), cache=tmp_path / "cache")
        assert {name: datasets[name].numbers() for name in datasets} == {
            f"images-{n}": [1] for n in range(4)
        }
        assert {datasets.get(name).digest for name in datasets} == {truth(folder)}


def log_some(root, number):
    """Log one folder several times; run in a process or thread of its own."""
    root = Path(root)
    datasets = Datasets(LocalStorage(root / "store"), cache=root / "cache", clock=later)
    for _ in range(5):
        datasets.log(f"images-{number}", root / "images")


def test_files_that_are_gone_when_they_are_remembered_are_remembered_without_times(tmp_path):
    cache = StatCache(tmp_path)
    entries = [FileEntry(path, 0, "sha256:" + "0" * 64) for path in "abc"]
    kinds = {"path": pa.string(), **dict.fromkeys(FileState._fields, pa.int64())}
    states = pa.table(
        {name: pa.array([["a", "c"], [5, 6]][name != "path"], kinds[name]) for name in kinds}
    )
    cache.remember("place", Manifest.of(entries), "sha256:" + "1" * 64, states, later())
    assert list(cache.remembered("place")) == entries


names = st.sampled_from(["a", "b", "c", "d/a", "d/b"])
bodies = st.binary(min_size=3, max_size=4)
steps = st.lists(
    st.tuples(
        st.sampled_from([*EDITS, "write", "remove", "rename", "touch"]), names, names, bodies
    ),
    max_size=4,
)


def act(root, step):
    what, name, other, body = step
    path = root / name
    if what == "write":
        path.write_bytes(body)
    elif not path.exists():
        return
    elif what == "remove":
        path.unlink()
    elif what == "rename":
        path.replace(root / other)
    elif what == "touch":
        os.utime(path)
    else:
        what(path, body[: path.stat().st_size])


@given(st.lists(steps, min_size=1, max_size=5), st.sampled_from([later, time.time_ns]))
@settings(max_examples=60)
def test_whatever_is_done_to_a_folder_its_digest_is_right(rounds, clock):
    number = next(_numbers)
    root = Path(f"random-{number}") / "folder"
    (root / "d").mkdir(parents=True)
    storage = MemoryStorage(f"stat-random-{number}")
    datasets = Datasets(storage, cache=Path(f"cache-{number}"), clock=clock)
    for steps_of_round in rounds:
        (root / "stays").write_bytes(b"stays")
        tick(root)
        for step in steps_of_round:
            act(root, step)
        version = datasets.log("x", root)
        assert version.digest == truth(root)
        for entry in version.files():
            assert version.open(entry.path).read() == (root / entry.path).read_bytes()
        if clock is later:
            tick(root)
