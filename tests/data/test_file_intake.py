"""Files on their way into a store: whole as they stood, or an error that names the file."""
# ruff: noqa: UP020 - `open` is what is replaced

import io
import itertools
import os
import random
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlkit._core.hashing import digest_bytes
from mlkit.data.datasets import Datasets
from mlkit.data.storing import file_intake
from mlkit.data.storing.file_intake import take_files
from mlkit.data.storing.folder import files_of, single_file
from mlkit.errors import InvalidInput, StorageFault
from mlkit.objects import cutting
from mlkit.objects.intake import Intake
from mlkit.objects.pack_reading import PackReader
from mlkit.objects.pack_writer import PackWriter
from mlkit.storage.memory import MemoryStorage
from mlkit.testing import Fault, FaultyStorage

LEAST = cutting.LEAST
BODY = random.Random(7).randbytes(5 << 20)
_numbers = itertools.count()


def taken(files, storage=None):
    """Take files, and give the manifest and the storage."""
    storage = MemoryStorage(f"intake-{next(_numbers)}") if storage is None else storage
    with PackWriter(storage) as packs, Intake(packs) as intake:
        states = take_files(files.root, files, intake, lambda _: None)
        manifest = intake.manifest(packs.finish())
    assert [file.state.size for file in states.sorted()] == [entry.size for entry in manifest]
    return manifest, storage


def read_back(manifest, storage):
    return {entry.path: b"".join(PackReader(storage).stream(entry.chunks)) for entry in manifest}


@pytest.mark.parametrize("size", [0, 1, LEAST - 1, LEAST, LEAST + 1, len(BODY)])
def test_a_file_of_any_size_is_its_bytes_and_their_digest(tmp_path, size):
    (tmp_path / "f").write_bytes(BODY[:size])
    manifest, storage = taken(single_file(tmp_path / "f"))
    [entry] = manifest
    assert (entry.size, entry.digest) == (size, digest_bytes(BODY[:size]))
    assert read_back(manifest, storage) == {"f": BODY[:size]}
    assert bool(entry.chunks) == bool(size)


@given(st.lists(st.sampled_from([0, 1, 2, 100, LEAST, LEAST + 1, 3 * LEAST]), max_size=30))
def test_small_and_large_files_come_in_any_mix(sizes):
    root = Path(f"mix-{next(_numbers)}")
    root.mkdir()
    (root / "0").write_bytes(b"")
    for number, size in enumerate(sizes):
        (root / f"{number}").write_bytes(BODY[number : number + size])
    manifest, storage = taken(files_of(root))
    assert read_back(manifest, storage) == {p.name: p.read_bytes() for p in root.iterdir()}
    shutil.rmtree(root)


def test_equal_files_are_stored_once(tmp_path):
    for name in "abc":
        (tmp_path / name).write_bytes(BODY)
    _, storage = taken(files_of(tmp_path))
    assert sum(entry.size for entry in storage.list("packs")) < 1.1 * len(BODY)


def test_a_file_has_one_identity_with_and_without_the_extra_that_cuts_by_content(
    tmp_path, monkeypatch
):
    def missing(name):
        raise ImportError(name)

    (tmp_path / "f.bin").write_bytes(BODY)
    digests = set()
    for module in (cutting.import_module, missing):
        monkeypatch.setattr(cutting, "import_module", module)
        storage = MemoryStorage(f"cut-{next(_numbers)}")
        version = Datasets(storage, cache=tmp_path / "no").log("f", tmp_path / "f.bin")
        digests.add(version.digest)
        assert version.open().read() == BODY
        shutil.rmtree(tmp_path / "no")
    assert len(digests) == 1


class Meddler:
    """Does something to a file when its bytes have been read, the first few times."""

    def __init__(self, monkeypatch, act, times):
        self._act, self._left = act, times
        self._stat = os.stat
        monkeypatch.setattr(file_intake.os, "stat", self)

    def __call__(self, path, **options):
        if self._left and isinstance(path, str) and path.endswith("victim"):
            self._left -= 1
            self._act(Path(path))
        return self._stat(path, **options)


def append(path):
    with path.open("ab") as stream:
        stream.write(b"more")


def overwrite(path):
    with path.open("r+b") as stream:
        stream.write(b"OTHER")


def replace(path):
    path.with_name("new").write_bytes(path.read_bytes())
    path.with_name("new").replace(path)


def shrink(path):
    os.truncate(path, max(0, path.stat().st_size - 3))


def grow(path):
    os.truncate(path, path.stat().st_size + LEAST)


CHANGES = [append, overwrite, replace, shrink, grow]


@pytest.mark.parametrize("size", [10, LEAST, LEAST + 1, 3 * LEAST])
@pytest.mark.parametrize("change", CHANGES)
class TestChanging:
    def test_a_file_that_changed_once_is_read_again(self, tmp_path, monkeypatch, size, change):
        victim = tmp_path / "victim"
        victim.write_bytes(BODY[:size])
        found = single_file(victim)
        Meddler(monkeypatch, change, 1)
        manifest, storage = taken(found)
        assert read_back(manifest, storage) == {"victim": victim.read_bytes()}

    def test_a_file_that_keeps_changing_is_refused_and_makes_no_version(
        self, tmp_path, monkeypatch, size, change
    ):
        victim = tmp_path / "folder" / "victim"
        victim.parent.mkdir()
        victim.write_bytes(BODY[:size])
        storage = MemoryStorage(f"changing-{next(_numbers)}")
        datasets = Datasets(storage, cache=tmp_path / "cache")
        Meddler(monkeypatch, change, 100)
        with pytest.raises(InvalidInput, match=r"victim' changed while it was read") as caught:
            datasets.log("x", victim.parent)
        assert caught.value.hint
        assert datasets.names() == []


def test_a_file_that_grew_or_shrank_since_it_was_found_is_taken_as_it_is(tmp_path):
    for before, after in ((10, 3 * LEAST), (3 * LEAST, 10), (3 * LEAST, 0), (0, 3)):
        (tmp_path / "f").write_bytes(BODY[:before])
        found = single_file(tmp_path / "f")
        (tmp_path / "f").write_bytes(BODY[:after])
        manifest, storage = taken(found)
        assert read_back(manifest, storage) == {"f": BODY[:after]}


@pytest.mark.parametrize("size", [10, 3 * LEAST])
class TestUnreadable:
    def refused(self, root, name, why):
        with pytest.raises(InvalidInput, match=rf"{name}' can't be read: {why}") as caught:
            taken(root)
        assert caught.value.hint

    def test_a_file_that_vanished_is_named(self, folder, size):
        (folder / "gone").write_bytes(BODY[:size])
        found = files_of(folder)
        (folder / "gone").unlink()
        self.refused(found, "gone", "No such file")

    def test_a_folder_that_came_in_its_place_is_named(self, folder, size):
        (folder / "thing").write_bytes(BODY[:size])
        found = files_of(folder)
        (folder / "thing").unlink()
        (folder / "thing").mkdir()
        self.refused(found, "thing", "Is a directory")

    def test_a_file_without_permission_is_named(self, folder, size, monkeypatch):
        (folder / "secret").write_bytes(BODY[:size])

        def refuse(path, *args, **options):
            if str(path).endswith("secret"):
                raise PermissionError(13, "Permission denied", str(path))
            return io.open(path, *args, **options)

        monkeypatch.setattr(file_intake, "open", refuse, raising=False)
        self.refused(files_of(folder), "secret", "Permission denied")

    def test_a_disk_that_fails_in_the_middle_is_named(self, folder, size, monkeypatch):
        (folder / "hurt").write_bytes(BODY[:size])

        class Broken(io.FileIO):
            """A file whose bytes can't be read."""

            def read(self, size=-1):
                raise OSError(5, "Input/output error")

            readinto = readall = read

        def broken(path, *args, **options):
            return Broken(path) if path.endswith("hurt") else io.open(path, *args, **options)

        monkeypatch.setattr(file_intake, "open", broken, raising=False)
        self.refused(files_of(folder), "hurt", "Input/output error")


def test_a_store_that_fails_is_no_file_that_fails(tmp_path):
    (tmp_path / "f").write_bytes(os.urandom(40 << 20))
    storage = FaultyStorage(MemoryStorage(f"intake-{next(_numbers)}"), Fault(1, "down"))
    with pytest.raises(StorageFault, match="Ordered fault"):
        taken(single_file(tmp_path / "f"), storage)


@pytest.mark.parametrize("make", [os.mkfifo, lambda path: path.symlink_to("/dev/null")])
def test_a_pipe_or_device_is_no_file_and_is_not_waited_for(datasets, tmp_path, make):
    make(tmp_path / "odd")
    with pytest.raises(InvalidInput):
        datasets.log("x", tmp_path / "odd")
    assert datasets.names() == []


def test_folders_may_lie_in_each_other_as_deep_as_the_disk_allows(datasets, tmp_path):
    root = tmp_path / "deep"
    root.mkdir()
    here = os.open(root, os.O_RDONLY)
    for _ in range(1500):
        os.mkdir("d", dir_fd=here)
        inner = os.open("d", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = inner
    os.close(os.open("f", os.O_WRONLY | os.O_CREAT, dir_fd=here))
    os.close(here)
    try:
        [entry] = datasets.log("x", root).files()
        assert entry.path == "d/" * 1500 + "f"
    finally:
        subprocess.run(["rm", "-rf", root], check=True)
