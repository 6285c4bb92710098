"""Commits that fail, are refused, interrupted or killed: a version is there whole or not at all."""

import functools
import multiprocessing
import random
import subprocess
import threading
from pathlib import Path

import pyarrow as pa
import pytest

from mlkit.data.datasets import Datasets
from mlkit.errors import DataRefused, InvalidInput, StorageFault
from mlkit.objects.pack_writer import PackWriter
from mlkit.objects.verify import verify_objects
from mlkit.storage.local import LocalStorage
from mlkit.storage.memory import MemoryStorage
from mlkit.testing import Fault, FaultyStorage, Kill

SCHEMA = pa.schema({"n": pa.int64(), "s": pa.string()})
THREADS = ("mlkit-packs", "mlkit-chunks", "mlkit-identity")


def batches(count=4, seed=1):
    some = random.Random(seed)
    for number in range(count):
        columns = {
            "n": [some.getrandbits(60) for _ in range(2000)],
            "s": [f"{number} {some.random()}" for _ in range(2000)],
        }
        yield pa.RecordBatch.from_pydict(columns, SCHEMA)


def stream(of=None):
    return pa.RecordBatchReader.from_batches(SCHEMA, batches() if of is None else of)


def objects(storage):
    return {entry.path for entry in storage.list() if entry.path.startswith(("packs/", "blobs/"))}


def own_threads():
    names = [one.name for one in threading.enumerate()]
    return [name for name in names if name.startswith(THREADS)]  # runs have threads that stay


@pytest.fixture
def small_packs(monkeypatch):
    """Packs that are full soon, so that a commit has several of them."""
    writer = functools.partial(PackWriter, pack_size=50_000)
    monkeypatch.setattr("mlkit.data.storing.committing.PackWriter", writer)


@pytest.fixture
def many(tmp_path):
    """A folder of a few packs."""
    root = tmp_path / "many"
    root.mkdir()
    for number in range(40):
        (root / f"{number:02}").write_bytes(random.Random(number).randbytes(4000))
    return root


@pytest.fixture
def large(tmp_path):
    """A file of several chunks."""
    (tmp_path / "large.bin").write_bytes(random.Random(3).randbytes(3 << 20))
    return tmp_path / "large.bin"


@pytest.mark.parametrize("how", ["before", "after", "kill before", "kill after", "down", "full"])
@pytest.mark.parametrize("what", ["stream", "folder", "file"])
def test_a_second_try_after_a_fault_at_any_moment_leaves_no_orphan_and_sends_no_pack_twice(
    tmp_path, many, large, small_packs, what, how
):
    def give():
        return {"stream": stream(), "folder": many, "file": large}[what]

    def opened(storage, number):
        return Datasets(storage, cache=tmp_path / f"cache-{number}")

    clean = FaultyStorage(MemoryStorage(f"{what}-{how}-clean"))
    opened(clean, 0).log("x", give())
    assert len(list(clean.list("packs"))) > 1
    digest = opened(clean, 0).get("x").digest
    count = len(clean.operations)
    outcomes = set()
    for number in range(1, count + 1):
        storage = MemoryStorage(f"{what}-{how}-{number}")
        try:
            opened(FaultyStorage(storage, Fault(number, how)), number).log("x", give())
            outcomes.add("done")
        except (StorageFault, Kill):
            outcomes.add("failed")
        assert own_threads() == []
        assert list(verify_objects(storage)) == []
        before = {entry.path for entry in storage.list("packs")}
        watched = FaultyStorage(storage)
        version = opened(watched, number).log("x", give())
        assert (version.number, version.digest) == (1, digest)
        written = {path for verb, path in watched.operations if verb == "write"}
        assert not written & before
        assert objects(storage) == objects(clean)
        assert {path for path, _ in opened(storage, number).uses()} == objects(storage)
    assert "failed" in outcomes


class TestTablesThatFail:
    """A reader that raises in the middle leaves no version, and no thread."""

    @pytest.mark.parametrize("error", [ValueError("torn"), KeyboardInterrupt(), Kill()])
    @pytest.mark.parametrize("good", [0, 1, 3])
    def test_an_error_of_the_reader_is_the_error_and_leaves_no_version(
        self, datasets, small_packs, error, good
    ):
        def torn():
            yield from batches(good)
            raise error

        with pytest.raises(type(error)):
            datasets.log("x", torn())
        assert datasets.names() == []
        assert own_threads() == []
        assert datasets.log("x", batches()).number == 1

    def test_a_batch_of_another_schema_leaves_no_version(self, datasets):
        def odd():
            yield from batches(2)
            yield pa.RecordBatch.from_pydict({"other": [1]})

        with pytest.raises(InvalidInput):
            datasets.log("x", odd())
        assert datasets.names() == []
        assert own_threads() == []


class Refusing:
    """Demands that are never met."""

    def __init__(self, error):
        self.error = error
        self.open = 0

    def checker(self, schema):
        self.open += 1
        return self

    def update(self, batch):
        if not isinstance(self.error, DataRefused):
            raise self.error

    def finish(self):
        raise self.error

    def close(self):
        self.open = 0


@pytest.mark.parametrize("error", [DataRefused("no"), ZeroDivisionError(), KeyboardInterrupt()])
@pytest.mark.parametrize("what", ["stream", "memory"])
def test_demands_that_refuse_or_fail_leave_no_version_and_are_closed(datasets, what, error):
    demands = Refusing(error)
    data = stream() if what == "stream" else stream().read_all()
    with pytest.raises(type(error)):
        datasets.log("x", data, expect=demands)
    assert demands.open == 0
    assert datasets.names() == []
    assert own_threads() == []


def test_demands_are_held_against_content_that_is_there_too(datasets):
    table = stream().read_all()
    datasets.log("x", table)
    with pytest.raises(DataRefused):
        datasets.log("x", table, expect=Refusing(DataRefused("no")))
    assert datasets["x"].numbers() == [1]


@pytest.mark.parametrize("at", [1, 5, 39])
def test_an_interruption_while_files_are_read_leaves_no_version(
    datasets, many, monkeypatch, small_packs, at
):
    left = [at]

    def report(self, **_):
        left[0] -= 1
        if not left[0]:
            raise KeyboardInterrupt

    monkeypatch.setattr("mlkit.display.progress.Progress.add", report)
    with pytest.raises(KeyboardInterrupt):
        datasets.log("x", many)
    monkeypatch.undo()
    assert datasets.names() == []
    assert own_threads() == []
    assert datasets.log("x", many).number == 1


def test_a_folder_to_fill_that_fails_leaves_neither_folder_nor_version(memory, tmp_path):
    broken = Datasets(FaultyStorage(memory, Fault(8, "down")), cache=tmp_path / "cache")
    kept = []

    def fill():
        with broken.new("x") as folder:
            (folder / "a").write_bytes(b"a")
            kept.append(folder)

    with pytest.raises(StorageFault):
        fill()
    assert not kept[0].exists()
    assert Datasets(memory, cache=tmp_path / "cache").names() == []


class TestProcesses:
    def started(self, target, *arguments):
        context = multiprocessing.get_context("spawn")
        worker = context.Process(target=target, args=arguments)
        worker.start()
        return worker

    def test_the_same_and_other_contents_of_many_writers_are_gapless_versions(self, tmp_path):
        workers = [self.started(log_some, str(tmp_path), number) for number in range(3)]
        for worker in workers:
            worker.join()
        assert [worker.exitcode for worker in workers] == [0, 0, 0]
        datasets = Datasets(LocalStorage(tmp_path / "store"), cache=tmp_path / "cache")
        versions = list(datasets["n"].versions())
        assert [version.number for version in versions] == list(range(1, len(versions) + 1))
        digests = [version.digest for version in versions]
        assert len(set(digests)) == len(digests) == 2 + 3 * 2  # shared ones, and of each its own
        assert list(verify_objects(datasets.storage)) == []
        for version in versions:
            assert version.to_arrow().num_rows == version.rows

    def test_writers_that_are_killed_leave_whole_versions_and_others_go_on(self, tmp_path):
        workers = [self.started(log_on, str(tmp_path), number) for number in range(2)]
        datasets = Datasets(LocalStorage(tmp_path / "store"), cache=tmp_path / "cache")
        while len(datasets["n"].numbers() if "n" in datasets else ()) < 6:
            assert all(worker.is_alive() for worker in workers)
        for worker in workers:
            worker.kill()
        for worker in workers:
            worker.join()
        numbers = datasets["n"].numbers()
        assert numbers == list(range(1, len(numbers) + 1))
        for version in datasets["n"].versions():
            assert version.to_arrow().num_rows == version.rows
        assert list(verify_objects(datasets.storage)) == []
        assert datasets.log("n", {"n": [-1]}).number == len(numbers) + 1


def log_some(root, writer):
    """Log tables that all writers log, and others; run in a process of its own."""
    datasets = Datasets(LocalStorage(Path(root) / "store"), cache=Path(root) / f"c{writer % 2}")
    for number in range(2):
        datasets.log("n", {"n": list(range(number + 1))})
        datasets.log("n", {"n": [1000 + 10 * writer + number]})


def log_on(root, writer):
    """Log tables and folders until killed."""
    datasets = Datasets(LocalStorage(Path(root) / "store"), cache=Path(root) / "cache")
    number = 0
    while True:
        number += 1
        datasets.log("n", {"n": [writer, number]})


@pytest.fixture
def small_disk(tmp_path):
    """A disk of one megabyte."""
    place = tmp_path / "disk"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", place]
    try:
        mounted = subprocess.run(command, check=False, capture_output=True).returncode == 0
    except FileNotFoundError:
        mounted = False
    if not mounted:
        pytest.skip("NOT TESTED HERE: a full disk; mounting a tmpfs needs root")
    yield place
    subprocess.run(["umount", "-l", place], check=True)


@pytest.mark.parametrize("what", ["file", "folder"])
def test_a_full_disk_is_said_and_leaves_no_version(small_disk, tmp_path, large, many, what):
    datasets = Datasets(LocalStorage(small_disk), cache=tmp_path / "cache")
    datasets.log("small", {"n": [1]})
    (many / "large").write_bytes(large.read_bytes())
    with pytest.raises(StorageFault, match="No space left"):
        datasets.log("x", large if what == "file" else many)
    assert datasets.names() == ["small"]
    assert list(verify_objects(datasets.storage)) == []
    assert datasets.log("small", {"n": [2]}).number == 2


def test_a_cache_on_a_full_disk_harms_nobody(small_disk, tmp_path, many):
    (small_disk / "filler").write_bytes(bytes(900_000))
    with (small_disk / "filler").open("ab") as stream, pytest.raises(OSError, match="No space"):
        stream.write(bytes(1 << 20))
    datasets = Datasets(LocalStorage(tmp_path / "store"), cache=small_disk / "cache")
    version = datasets.log("x", many)
    assert datasets.log("x", many) == version
    assert version.checkout(tmp_path / "out")
