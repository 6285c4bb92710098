"""Checkout: only what differs, each file whole, nothing outside of the folder."""

import pytest
from attrs import evolve

from mlkit._core.codec import decode_document, encode_document
from mlkit.errors import Corrupt, InvalidInput, StorageFault
from mlkit.objects.blobs import Blobs
from mlkit.objects.manifest import Manifest
from mlkit.objects.shards import encode_shard
from mlkit.testing import Fault, FaultyStorage


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


def test_chunks_that_are_whole_but_of_another_file_are_noticed(version, datasets, tmp_path):
    felix = next(entry for entry in version.files() if len(entry.chunks) > 1)
    wrong = evolve(felix, path="a.txt", digest=version.files()[0].digest)
    with pytest.raises(Corrupt, match=r"'a\.txt' doesn't match its digest, although"):
        tampered(datasets, [wrong]).checkout(tmp_path / "out")
    assert tree(tmp_path / "out") == {}


def test_a_disk_that_fails_is_a_fault_of_storage(version, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    version.files()
    monkeypatch.setattr("mlkit.data.checkout.os.replace", full)
    with pytest.raises(StorageFault, match="No space left"):
        version.checkout(tmp_path / "out")
    assert tree(tmp_path / "out") == {}


def test_a_fault_of_the_store_stays_what_it_is(version, memory, open_datasets, tmp_path):
    down = open_datasets(FaultyStorage(memory, Fault(3, "down")))
    with pytest.raises(StorageFault, match="Ordered fault"):
        down.get("images:1").checkout(tmp_path / "out")
    assert not (tmp_path / "out").exists() or tree(tmp_path / "out") == {}
