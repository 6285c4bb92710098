"""Loading runs nothing that isn't trusted, decodes nothing that isn't checked, escapes nowhere."""

import gzip
import os
import pickle
import subprocess
import sys
import textwrap

import joblib
import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from mlkit._core.codec import encode_document
from mlkit.errors import Corrupt, MissingExtra, NewerFormat, NotFound, Untrusted
from mlkit.models import loading
from mlkit.models.package import ModelFile, digest_of
from mlkit.storage.memory import MemoryStorage


class Attack:
    """Leaves a mark when it is loaded."""

    def __init__(self, mark):
        self.mark = mark

    def __reduce__(self):
        return os.system, (f"touch {self.mark}",)


@pytest.fixture
def mark(tmp_path):
    """Gives a file that must not exist after the test."""
    path = tmp_path / "mark"
    yield path
    assert not path.exists(), "code of the file was run"


@pytest.fixture
def planted(models, storage):
    """Gives a function that makes a version of bytes that somebody else wrote."""

    def plant(data, **change):
        if not models.names():
            models.save("evil", sum)
        digest = models.blobs.put(data)
        files = {"model.joblib": ModelFile(digest, len(data))}
        document = models.get("evil:1").to_document()
        body = {
            "number": 2,
            "writer": "mallory",
            **document,
            "digest": digest_of("joblib", 1, files),
            "files": {"model.joblib": {"digest": digest, "size": len(data)}},
            **change,
        }
        storage.create("models/evil/2.json", encode_document("model_version", body))

    return plant


def test_a_model_of_an_untrusted_store_is_not_loaded_and_its_imports_are_listed(
    models, registry_of
):
    models.save("delay", LogisticRegression().fit([[0.0], [1.0]], [0, 1]))
    untrusting = registry_of(models.storage, trusted=False)
    with pytest.raises(Untrusted) as caught:
        untrusting.load("delay")
    said = str(caught.value)
    assert "Loading delay:1 would run code" in said
    assert "sklearn.linear_model._logistic.LogisticRegression()" in said
    assert "trusted=True" in said


def test_the_caller_may_trust_and_distrust(models, registry_of):
    models.save("sum", sum)
    assert registry_of(models.storage, trusted=False).load("sum", trusted=True).predict([1]) == 1
    with pytest.raises(Untrusted):
        models.load("sum", trusted=False)


@pytest.mark.parametrize("wrap", [bytes, gzip.compress])
def test_attacks_are_listed_first_and_not_run(models, planted, mark, tmp_path, wrap):
    path = tmp_path / "evil.joblib"
    joblib.dump([np.arange(3), np.array([Attack(mark)], dtype=object)], path)
    planted(wrap(path.read_bytes()))
    with pytest.raises(Untrusted, match=r"would import posix\.system\(\), joblib"):
        models.load("evil", trusted=False)


def test_what_cannot_be_followed_is_said_and_not_run(models, planted, mark):
    planted(b"\x80\x04\x8c\x05posix\x8c\x06system\x93\x82\x07" + pickle.dumps(Attack(mark)))
    with pytest.raises(Untrusted, match=r"posix\.system\(\); more may follow, since it uses"):
        models.load("evil", trusted=False)


def test_a_file_of_which_nothing_is_seen_is_no_harmless_file(models, planted):
    planted(b"PK\x03\x04")
    with pytest.raises(Untrusted, match=r"nothing that could be seen; more may follow"):
        models.load("evil", trusted=False)


def test_very_long_lists_of_imports_are_cut(models, planted, monkeypatch):
    monkeypatch.setattr(loading, "_MOST_NAMES", 1)
    planted(b"(cos\nsystem\ncos\npopen\nt.")
    with pytest.raises(Untrusted, match=r"import os\.popen, and 1 more"):
        models.load("evil", trusted=False)


def test_bytes_are_checked_before_they_are_decoded(models, planted, mark):
    version = models.save("delay", {"weights": np.arange(100.0)})
    path = models.storage.local_path(f"blobs/{_place(version)}")
    path.chmod(0o600)
    path.write_bytes(pickle.dumps(Attack(mark)))
    for trusted in (True, False):
        with pytest.raises(Corrupt, match="doesn't match its digest"):
            models.load("delay", trusted=trusted)


def test_bytes_of_a_remote_store_are_checked_before_they_are_decoded(registry_of, mark):
    remote = registry_of(MemoryStorage("loading-remote"))
    version = remote.save("delay", {"weights": np.arange(100.0)})
    remote.storage.write(f"blobs/{_place(version)}", pickle.dumps(Attack(mark)))
    with pytest.raises(Corrupt, match="doesn't match its digest"):
        remote.load("delay")


def test_every_flipped_bit_of_a_file_is_found(models):
    version = models.save("delay", {"a": 1})
    path = models.storage.local_path(f"blobs/{_place(version)}")
    path.chmod(0o600)
    whole = path.read_bytes()
    for place in range(len(whole)):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        with pytest.raises(Corrupt):
            models.load("delay")


def test_a_missing_file_is_not_found(models):
    version = models.save("delay", {"a": 1})
    models.storage.delete(f"blobs/{_place(version)}")
    with pytest.raises(NotFound):
        models.load("delay")


def _place(version):
    digits = next(iter(version.files.values())).digest.removeprefix("sha256:")
    return f"{digits[:2]}/{digits}"


@pytest.mark.parametrize(
    "name", ["os:system", "../../evil", "mlkit.models.pickled:JoblibSerializer", "Joblib"]
)
def test_a_document_names_no_code(models, planted, name):
    planted(b"", serializer={"id": name, "version": 1})
    with pytest.raises(MissingExtra, match="isn't installed here"):
        models.load("evil")


def test_names_of_files_in_a_document_are_no_paths(models, planted, tmp_path):
    target = tmp_path / "elsewhere"
    digest = models.blobs.put(pickle.dumps(1))
    planted(b"", files={f"../..{target}": {"digest": digest, "size": 1}})
    with pytest.raises(Corrupt, match=r"lacks its file 'model\.joblib'"):
        models.load("evil")
    assert not target.exists()


def test_files_of_a_newer_serializer_are_not_decoded(models, planted):
    planted(b"", serializer={"id": "joblib", "version": 9})
    with pytest.raises(NewerFormat):
        models.load("evil")


def test_an_object_that_refers_to_a_script_says_so(models, planted):
    planted(b"c__main__\nTrainer\n.")
    with pytest.raises(MissingExtra, match="in the script or notebook that saved it"):
        models.load("evil")


def test_a_module_that_is_missing_is_named_with_what_differs(models, planted):
    planted(b"cgone_module\nThing\n.", environment={"gone-package": "1.0"}, python="3.7.1")
    with pytest.raises(
        MissingExtra, match=r"gone_module.*Python 3\.7\.1 \(here.*gone-package 1\.0"
    ):
        models.load("evil")


def test_a_module_of_nobody_asks_for_its_folder(models, planted):
    planted(b"cgone_module\nThing\n.", environment={})
    with pytest.raises(MissingExtra, match="PYTHONPATH"):
        models.load("evil")


def test_an_object_that_cannot_be_made_is_corrupt_with_what_differs(models, planted):
    planted(b"cbuiltins\nint\n(S'x'\ntR.", environment={"joblib": "0.1"})
    with pytest.raises(Corrupt, match=r"ValueError.*saved with joblib 0\.1 \(here"):
        models.load("evil")


def test_a_model_of_a_script_is_loaded_by_another_process(tmp_path):
    script = """
        import sys
        from mlkit.models.registry import Models
        from mlkit.objects.blobs import Blobs
        from mlkit.storage.local import LocalStorage

        storage = LocalStorage(sys.argv[1])
        models = Models(storage, Blobs(storage), trusted=True)
    """
    saving = """
        SCALE = 3

        class Scaling:
            def predict(self, rows):
                return [SCALE * row for row in rows]

        models.save("scaling", Scaling(), input_example=[1, 2])
    """
    loading_ = """
        assert models.load("scaling").predict([5]) == [15]
    """
    for number, text in enumerate((saving, loading_)):
        path = tmp_path / f"script{number}.py"
        path.write_text(textwrap.dedent(script) + textwrap.dedent(text))
        subprocess.run([sys.executable, path, tmp_path / "store"], check=True)


def test_names_in_a_file_can_not_speak_to_the_terminal(planted, models, registry_of):
    planted(b"c\x1b[2Jos\nsys\rtem\n(tR\xff.")
    with pytest.raises(Untrusted) as caught:
        registry_of(models.storage, trusted=False).load("evil")
    assert str(caught.value).isprintable()
    assert r"\x1b[2Jos.sys\rtem()" in str(caught.value)


def test_a_name_in_a_file_that_is_very_long_is_cut(planted, models, registry_of):
    planted(b"cos\n" + b"x" * 5000 + b"\n.")
    with pytest.raises(Untrusted) as caught:
        registry_of(models.storage, trusted=False).load("evil")
    assert "xxx…" in str(caught.value)
    assert len(str(caught.value)) < 600
