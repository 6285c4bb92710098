"""The object chooses its serializer; what can't be kept says why; documents only hold an id."""

import pickle
import sys
import threading
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

from mlkit._core.plugins import Registry
from mlkit.errors import Corrupt, InvalidInput, MissingExtra, NewerFormat, NotFound
from mlkit.models import pickled, serializers
from mlkit.models.pickle_scan import PickleScan
from mlkit.models.serializers import (
    CannotSave,
    Serializer,
    registry,
    required,
    save_model,
    serializer_of,
)


class TextSerializer:
    """A serializer of another package: texts as text files, which run no code."""

    id = "text"
    version = 1
    runs_code = False

    def can_save(self, model):
        return isinstance(model, str)

    def save(self, model, folder):
        (folder / "half.txt").write_text(model)
        (folder / "more").mkdir()
        if model == "unspeakable":
            raise CannotSave("it is unspeakable")

    def load(self, files):
        return required(files, "half.txt").read_text()

    def imports(self, files):
        return PickleScan((), ())


class Sibling:
    def predict(self, rows):
        return rows


@pytest.fixture
def plugged(monkeypatch):
    """Makes the registry know the serializer of texts, as if a package offered it."""
    found = Registry("mlkit.test-serializers", serializers._BUILTINS)
    module = type(sys)("text_serializer")
    module.TextSerializer = TextSerializer
    monkeypatch.setitem(sys.modules, "text_serializer", module)
    found.register("text", "text_serializer:TextSerializer", source="a package")
    monkeypatch.setattr(serializers, "registry", lambda: found)


def files_of(folder):
    return {path.name: path for path in Path(folder).iterdir()}


@pytest.mark.parametrize("name", ["joblib", "cloudpickle"])
def test_the_builtin_serializers_keep_the_protocol(name):
    assert isinstance(serializer_of(name, 1, "m:1"), Serializer)


def test_joblib_keeps_arrays_uncompressed(tmp_path):
    weights = np.arange(1000.0)
    used = save_model({"weights": weights}, tmp_path)
    assert used.id == "joblib"
    assert weights.tobytes() in (tmp_path / "model.joblib").read_bytes()
    np.testing.assert_array_equal(used.load(files_of(tmp_path))["weights"], weights)


def test_functions_without_a_name_are_kept_by_value(tmp_path):
    offset = 3
    used = save_model(lambda rows: [row + offset for row in rows], tmp_path)
    assert used.id == "cloudpickle"
    assert sorted(files_of(tmp_path)) == ["model.pkl"]
    assert used.load(files_of(tmp_path))([1]) == [4]
    assert any(name.startswith("cloudpickle.") for name in used.imports(files_of(tmp_path)).calls)


def test_what_a_script_defines_is_kept_by_value(tmp_path, monkeypatch):
    main = sys.modules["__main__"]
    kind = type(
        "Doubling", (), {"__module__": "__main__", "predict": lambda _, x: [2 * i for i in x]}
    )
    monkeypatch.setattr(main, "Doubling", kind, raising=False)
    used = save_model(kind(), tmp_path)
    assert used.id == "cloudpickle"
    monkeypatch.delattr(main, "Doubling")
    assert used.load(files_of(tmp_path)).predict([2]) == [4]


def test_what_a_script_defines_is_not_kept_by_name(tmp_path, monkeypatch):
    kind = type("Doubling", (), {"__module__": "__main__"})
    monkeypatch.setattr(sys.modules["__main__"], "Doubling", kind, raising=False)
    with pytest.raises(InvalidInput, match=r"__main__\.Doubling is defined in the script"):
        save_model(kind(), tmp_path, "joblib")


def test_the_word_for_a_script_in_a_value_is_no_reference_to_one(tmp_path):
    assert save_model({"name": "__main__"}, tmp_path).id == "joblib"


def test_what_no_serializer_keeps_says_why(tmp_path):
    with pytest.raises(InvalidInput, match=r"joblib: .*lock.*cloudpickle: .*lock"):
        save_model({"lock": threading.Lock()}, tmp_path)
    assert files_of(tmp_path) == {}


def test_the_serializer_of_another_package_comes_first(tmp_path, plugged):
    assert save_model("a text", tmp_path).id == "text"


def test_a_serializer_is_not_asked_for_what_is_not_its_own(tmp_path, plugged):
    assert save_model(7, tmp_path).id == "joblib"


def test_one_that_cannot_keep_it_is_followed_by_the_next_and_leaves_nothing(tmp_path, plugged):
    assert save_model("unspeakable", tmp_path).id == "joblib"
    assert sorted(files_of(tmp_path)) == ["model.joblib"]


def test_the_wanted_serializer_is_the_only_one_asked(tmp_path, plugged):
    assert save_model("a text", tmp_path, "joblib").id == "joblib"
    with pytest.raises(InvalidInput, match="text: it is unspeakable"):
        save_model("unspeakable", tmp_path, "text")
    with pytest.raises(NotFound, match="Did you mean 'joblib'"):
        save_model(1, tmp_path, "joblip")


def test_an_id_that_is_not_registered_is_missing():
    with pytest.raises(MissingExtra, match="'os:system', which isn't installed here"):
        serializer_of("os:system", 1, "m:1")


def test_files_of_a_newer_version_are_not_read():
    with pytest.raises(NewerFormat, match="version 2 of the serializer 'joblib'"):
        serializer_of("joblib", 2, "m:1")


def test_a_version_without_its_file_is_corrupt():
    with pytest.raises(Corrupt, match=r"lacks its file 'model\.joblib'"):
        serializer_of("joblib", 1, "m:1").load({})


def test_programs_may_register_serializers():
    assert registry() is registry()
    assert {"joblib", "cloudpickle"} <= set(registry().names())


def test_the_copy_that_older_joblibs_bring_is_used_where_cloudpickle_is_missing(monkeypatch):
    real = import_module("cloudpickle")

    def importing(name):
        if name == "cloudpickle":
            raise ImportError(name)
        return {"joblib.externals.cloudpickle": real}[name]

    monkeypatch.setattr(pickled, "import_module", importing)
    assert pickle.loads(pickled._cloudpickle().dumps(1)) == 1


class Stubborn:
    """Raises what it is told to when it is pickled."""

    def __init__(self, error):
        self.error = error

    def __getstate__(self):
        raise self.error


@pytest.mark.parametrize("error", [RuntimeError("no"), KeyError("no"), ZeroDivisionError("no")])
def test_an_object_whose_own_code_fails_on_saving_is_refused_with_the_cause(tmp_path, error):
    said = rf"A Stubborn can't be kept as a model \(joblib: {type(error).__name__}: '?no"
    with pytest.raises(InvalidInput, match=said) as caught:
        save_model(Stubborn(error), tmp_path)
    cause = caught.value.__cause__
    assert isinstance(cause, CannotSave) or cause is error


def test_a_fault_of_the_disk_on_saving_is_no_fault_of_the_object(tmp_path):
    with pytest.raises(OSError, match="No space"):
        save_model(Stubborn(OSError(28, "No space left on device")), tmp_path)
