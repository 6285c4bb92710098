"""The packages a model needs are found by its modules, and what differs is said."""

import platform
from importlib import metadata

from mlkit.models import environment
from mlkit.models.environment import differences, distribution_of, packages_of


def test_modules_are_mapped_to_the_distributions_that_hold_them():
    found = packages_of(["sklearn.linear_model._logistic.X", "numpy.dtype", "numpy.ndarray"])
    assert found == {
        "numpy": metadata.version("numpy"),
        "scikit-learn": metadata.version("scikit-learn"),
    }


def test_modules_of_python_and_of_nobody_are_left_out():
    assert packages_of(["os.system", "__main__.f", "", "../escape", "nobody_has_this"]) == {}


def test_a_module_with_another_name_than_its_distribution_is_found():
    assert distribution_of("_pytest") == ("pytest", metadata.version("pytest"))


def test_each_module_is_looked_up_once(monkeypatch):
    packages_of(["joblib"])
    monkeypatch.setattr(environment.metadata, "distribution", None)
    assert "joblib" in packages_of(["joblib.numpy_pickle"])


def test_a_distribution_that_is_listed_and_gone_is_left_out(monkeypatch):
    monkeypatch.setattr(environment, "_holders", lambda: {"half_gone": ["half-gone"]})
    assert distribution_of("half_gone") is None


def test_what_is_other_here_is_named():
    here = platform.python_version()
    same = {"joblib": metadata.version("joblib")}
    assert differences(same, here) == []
    assert differences({"joblib": "0.1", "gone-package": "2"}, "3.7.1") == [
        f"Python 3.7.1 (here {here})",
        f"joblib 0.1 (here {metadata.version('joblib')})",
        "gone-package 2 (not installed here)",
    ]
