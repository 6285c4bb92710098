"""Checkout: only what differs, each file whole, nothing outside of the folder."""

import multiprocessing
import os
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from attrs import evolve

from mlkit._core.codec import decode_document, encode_document
from mlkit._core.hashing import digest_bytes
from mlkit.data.datasets import Datasets
from mlkit.errors import Corrupt, InvalidInput, StorageFault
from mlkit.objects.blobs import Blobs
from mlkit.objects.manifest import Manifest
from mlkit.objects.shards import encode_shard
from mlkit.storage.local import LocalStorage
from mlkit.testing import Fault, FaultyStorage, Kill


@pytest.fixture
def version(datasets, folder):
    return datasets.log("images", folder)


def tree(root):
    return {
        str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()
    }


def test_the_files_come_back_as_they_were(version, folder, tmp_path):
    out = version.checkout(tmp_path / "out")
    assert out == tmp_path / "out"
    assert tree(out) == tree(folder)


def test_only_what_differs_is_written(version, tmp_path):
    out = version.checkout(tmp_path / "out")
    (out / "a.txt").write_bytes(b"other")
    (out / "cats" / "tom.png").unlink()
    before = {path: path.stat().st_ino for path in out.rglob("*") if path.is_file()}
    version.checkout(out)
    after = {path: path.stat().st_ino for path in out.rglob("*") if path.is_file()}
    same = {path.name for path in before if before[path] == after[path]}
    assert same == {"empty", "felix.png"}
    assert (out / "a.txt").read_bytes() == b"alpha"


def test_other_files_stay(version, tmp_path):
    (tmp_path / "out" / "cats").mkdir(parents=True)
    (tmp_path / "out" / "cats" / "mine").write_bytes(b"mine")
    version.checkout(tmp_path / "out")
    assert (tmp_path / "out" / "cats" / "mine").read_bytes() == b"mine"


def test_files_never_go_through_a_link_out_of_the_folder(version, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "cats").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(InvalidInput, match="cats' is a link"):
        version.checkout(tmp_path / "out")
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_a_link_in_place_of_a_file_is_replaced_and_its_target_left(version, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "target").write_bytes(b"alpha")
    (tmp_path / "out" / "a.txt").symlink_to(tmp_path / "target")
    version.checkout(tmp_path / "out")
    assert not (tmp_path / "out" / "a.txt").is_symlink()
    assert (tmp_path / "target").read_bytes() == b"alpha"


def test_a_folder_in_place_of_a_file_is_refused(version, tmp_path):
    (tmp_path / "out" / "a.txt").mkdir(parents=True)
    with pytest.raises(InvalidInput, match="must become a file"):
        version.checkout(tmp_path / "out")


def test_a_file_in_place_of_a_folder_is_refused(version, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "cats").write_bytes(b"")
    with pytest.raises(InvalidInput, match="is a file, and must be a folder"):
        version.checkout(tmp_path / "out")


def test_a_file_in_place_of_the_whole_is_refused(version, tmp_path):
    (tmp_path / "out").write_bytes(b"")
    with pytest.raises(InvalidInput, match="is a file, and must be a folder"):
        version.checkout(tmp_path / "out")


def tampered(datasets, entries):
    """Give the version again, with a manifest that says something else."""
    storage, path = datasets.storage, "datasets/images/1.json"
    body = decode_document(storage.read(path), "dataset_version", path)
    body["manifest"] = [Blobs(storage).put(encode_shard(Manifest.of(entries)))]
    storage.write(path, encode_document("dataset_version", body))
    return datasets.get("images:1")


@pytest.mark.parametrize("path", ["../escaped", "/escaped", "a/../../escaped", ""])
def test_an_entry_that_would_escape_is_refused(version, datasets, tmp_path, path):
    hostile = tampered(datasets, [evolve(version.files()[0], path=path)])
    with pytest.raises(Corrupt, match="which can't be"):
        hostile.checkout(tmp_path / "out")
    assert not (tmp_path / "escaped").exists()
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("paths", [("a", "a/b"), ("a/b", "a/b/c")])
def test_a_file_that_is_also_a_folder_is_refused(version, datasets, tmp_path, paths):
    hostile = tampered(datasets, [evolve(version.files()[0], path=path) for path in paths])
    with pytest.raises(InvalidInput, match="must be"):
        hostile.checkout(tmp_path / "out")
    hostile = tampered(datasets, [evolve(version.files()[0], path=path) for path in paths])
    with pytest.raises(InvalidInput, match="must be"):
        hostile.checkout(tmp_path / "out")


def test_a_damaged_file_is_not_written_and_leaves_nothing(version, memory, tmp_path):
    pack = next(memory.list("packs")).path
    data = bytearray(memory.read(pack))
    data[2] ^= 1
    memory.write(pack, bytes(data))
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "a.txt").write_bytes(b"older")
    with pytest.raises(Corrupt, match=pack):
        version.checkout(tmp_path / "out")
    left = tree(tmp_path / "out")
    assert left.pop("a.txt") == b"older"
    assert left.keys() <= {"empty", "cats/tom.png", "cats/old/felix.png"}  # whole ones may be there


def test_a_disk_that_fails_is_a_fault_of_storage(version, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    version.files()
    monkeypatch.setattr("mlkit.data.reading.checkout.os.replace", full)
    with pytest.raises(StorageFault, match="No space left"):
        version.checkout(tmp_path / "out")
    assert tree(tmp_path / "out") == {}


def test_a_fault_of_the_store_stays_what_it_is(version, memory, open_datasets, tmp_path):
    down = open_datasets(FaultyStorage(memory, Fault(3, "down")))
    with pytest.raises(StorageFault, match="Ordered fault"):
        down.get("images:1").checkout(tmp_path / "out")
    assert not (tmp_path / "out").exists() or tree(tmp_path / "out") == {}


class TestOnlyWhatDiffers:
    def state(self, root):
        return {
            path.relative_to(root).as_posix(): (path.stat().st_ino, path.stat().st_mtime_ns)
            for path in root.rglob("*")
            if path.is_file()
        }

    def test_a_second_checkout_writes_nothing(self, version, tmp_path):
        out = version.checkout(tmp_path / "out")
        before = self.state(out)
        for _ in range(2):
            version.checkout(out)
        assert self.state(out) == before

    def test_another_version_writes_what_changed_and_removes_what_is_gone(
        self, version, datasets, folder, tmp_path
    ):
        (folder / "a.txt").write_bytes(b"other")
        (folder / "cats" / "tom.png").unlink()
        (folder / "new").mkdir()
        (folder / "new" / "one").write_bytes(b"one")
        second = datasets.log("images", folder)
        out = version.checkout(tmp_path / "out")
        before = self.state(out)
        second.checkout(out)
        assert tree(out) == tree(folder)
        same = {path for path, state in self.state(out).items() if before.get(path) == state}
        assert same == {"empty", "cats/old/felix.png"}
        version.checkout(out)
        assert sorted(tree(out)) == ["a.txt", "cats/old/felix.png", "cats/tom.png", "empty"]
        assert not (out / "new").exists()

    def test_a_file_that_was_changed_since_stays_when_the_version_lacks_it(
        self, version, datasets, folder, tmp_path
    ):
        (folder / "cats" / "tom.png").unlink()
        second = datasets.log("images", folder)
        out = version.checkout(tmp_path / "out")
        (out / "cats" / "tom.png").write_bytes(b"mine" * 750)  # of the same size
        second.checkout(out)
        assert (out / "cats" / "tom.png").read_bytes() == b"mine" * 750

    @pytest.mark.parametrize("harm", ["cleared", "damaged"])
    def test_after_the_cache_is_lost_nothing_is_removed_and_the_rest_is_right(
        self, version, datasets, folder, tmp_path, harm
    ):
        (folder / "cats" / "tom.png").unlink()
        second = datasets.log("images", folder)
        out = version.checkout(tmp_path / "out")
        for path in (tmp_path / "cache" / "checkouts").iterdir():
            path.write_bytes(b"damaged" if harm == "damaged" else b"")
        (out / "a.txt").write_bytes(b"omega")
        second.checkout(out)
        assert (out / "cats" / "tom.png").exists()
        assert (out / "a.txt").read_bytes() == b"alpha"

    def test_what_another_dataset_wrote_stays(self, version, datasets, folder, tmp_path):
        (tmp_path / "few").mkdir()
        (tmp_path / "few" / "mine").write_bytes(b"mine")
        other = datasets.log("others", tmp_path / "few")
        out = version.checkout(tmp_path / "out")
        other.checkout(out)
        assert tree(out) == {**tree(folder), "mine": b"mine"}

    def test_nothing_is_removed_through_a_link(self, version, datasets, folder, tmp_path):
        (folder / "cats" / "tom.png").unlink()
        (folder / "cats" / "old" / "felix.png").rename(folder / "felix.png")
        second = datasets.log("images", folder)
        out = version.checkout(tmp_path / "out")
        (out / "cats").rename(tmp_path / "elsewhere")
        (out / "cats").symlink_to(tmp_path / "elsewhere")
        second.checkout(out)
        assert sorted(tree(tmp_path / "elsewhere")) == ["old/felix.png", "tom.png"]

    def test_an_edit_that_keeps_size_and_times_is_written_over(self, version, tmp_path):
        out = version.checkout(tmp_path / "out")
        for _ in range(3):
            status = (out / "a.txt").stat()
            (out / "a.txt").write_bytes(b"omega")
            os.utime(out / "a.txt", ns=(status.st_atime_ns, status.st_mtime_ns))
            version.checkout(out)
            assert (out / "a.txt").read_bytes() == b"alpha"


class TestInterrupted:
    @pytest.mark.parametrize("error", [KeyboardInterrupt, Kill, OSError(28, "No space left")])
    def test_each_file_is_whole_old_or_whole_new_and_nothing_else_is_left(
        self, version, datasets, folder, tmp_path, monkeypatch, error
    ):
        for path in ("a.txt", "empty", "cats/tom.png"):
            (folder / path).write_bytes(b"new" * 100)
        second = datasets.log("images", folder)
        old, new = {}, tree(folder)
        replace = os.replace
        for count in range(4):
            out = version.checkout(tmp_path / f"out-{count}")
            old = tree(out)
            left = [count]

            def replacing(source, target, left=left):
                if str(target).startswith(str(tmp_path / "out")):
                    if not left[0]:
                        raise error
                    left[0] -= 1
                replace(source, target)

            monkeypatch.setattr("mlkit.data.reading.checkout.os.replace", replacing)
            if count < 3:
                with pytest.raises((KeyboardInterrupt, Kill, StorageFault)):
                    second.checkout(out)
            monkeypatch.setattr("mlkit.data.reading.checkout.os.replace", replace)
            found = tree(out)
            assert found.keys() == old.keys()
            assert all(found[path] in (old[path], new[path]) for path in found)
            second.checkout(out)
            assert tree(out) == new

    def test_one_that_is_killed_leaves_whole_files_and_the_next_one_is_right(self, tmp_path):
        context = multiprocessing.get_context("spawn")
        for number in range(3):
            out = tmp_path / f"out-{number}"
            ready = context.Event()
            worker = context.Process(target=check_out_again, args=(str(tmp_path), str(out), ready))
            worker.start()
            assert ready.wait(60)
            worker.kill()
            worker.join()
            datasets = Datasets(LocalStorage(tmp_path / "store"), cache=tmp_path / "cache")
            for path, data in tree(out).items():
                if not path.startswith(".mlkit-checkout-"):
                    assert data in (b"one" * 1000, b"two" * 1000)
            datasets.get("d:2").checkout(out)
            left = [data for path, data in tree(out).items() if not path.startswith(".mlkit-")]
            assert left == [b"two" * 1000] * 50

    def test_two_at_once_into_one_folder_leave_whole_files_and_no_error(self, tmp_path):
        datasets = two_versions(tmp_path)
        versions = [datasets.get(f"d:{number}") for number in (1, 2, 3)]
        out = tmp_path / "out"
        with ThreadPoolExecutor(3) as pool:
            for _ in range(20):
                list(pool.map(lambda version: version.checkout(out), versions))
        assert set(tree(out).values()) <= {b"one" * 1000, b"two" * 1000}
        for version in versions:
            version.checkout(out)
            held = {entry.path: entry.digest for entry in version.files()}
            found = {path: digest_bytes(data) for path, data in tree(out).items()}
            assert held.items() <= found.items()


def two_versions(root):
    """Give datasets with versions of fifty files, of others, and of fewer."""
    datasets = Datasets(LocalStorage(root / "store"), cache=root / "cache")
    if not datasets.names():
        for number, text in enumerate((b"one", b"two", b"two")):
            files = root / f"files-{number}"
            names = [f"{name % 10}/{name}" for name in range(50)]
            for name in names[::10] if number == 2 else names:
                (files / name).parent.mkdir(parents=True, exist_ok=True)
                (files / name).write_bytes(text * 1000)
            datasets.log("d", files)
    return datasets


def check_out_again(root, out, ready):
    """Check two versions out in turn, until killed."""
    root, out = Path(root), Path(out)
    datasets = two_versions(root)
    datasets.get("d:1").checkout(out)
    ready.set()
    while True:
        for number in (2, 1):
            datasets.get(f"d:{number}").checkout(out)


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


def test_a_full_disk_is_said_and_old_files_stay_whole(version, folder, small_disk):
    (small_disk / "out").mkdir()
    (small_disk / "out" / "a.txt").write_bytes(b"older")
    with pytest.raises(StorageFault, match="No space left"):
        version.checkout(small_disk / "out")
    left, whole = tree(small_disk / "out"), tree(folder)
    assert left.pop("a.txt") in (b"older", b"alpha")
    assert all(whole[path] == data for path, data in left.items())
    assert "cats/old/felix.png" not in left


def test_a_pipe_in_place_of_a_file_is_replaced_and_not_waited_for(version, tmp_path):
    (tmp_path / "out").mkdir()
    os.mkfifo(tmp_path / "out" / "a.txt")
    assert version.checkout(tmp_path / "out").joinpath("a.txt").read_bytes() == b"alpha"


def test_a_folder_that_cannot_be_written_is_named(version, tmp_path, monkeypatch):
    def refuse(path, *_):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr("mlkit.data.reading.checkout.os.mkdir", refuse)
    with pytest.raises(StorageFault, match=r"out' can't be written: Permission denied"):
        version.checkout(tmp_path / "out")


def test_a_file_that_goes_while_it_is_checked_out_harms_nobody(version, tmp_path, monkeypatch):
    replace = os.replace

    def replacing(source, target):
        replace(source, target)
        if str(target).endswith("a.txt"):
            Path(target).unlink()

    monkeypatch.setattr("mlkit.data.reading.checkout.os.replace", replacing)
    out = version.checkout(tmp_path / "out")
    monkeypatch.setattr("mlkit.data.reading.checkout.os.replace", replace)
    assert not (out / "a.txt").exists()
    version.checkout(out)
    assert (out / "a.txt").read_bytes() == b"alpha"
