"""Objects as pickles: by joblib, which keeps arrays apart, and by cloudpickle for the rest.

joblib's file isn't compressed, so its arrays can be mapped into memory where the file lies.
"""

import pickle
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import Any

from mlkit.models.pickle_scan import PickleScan, scan_file
from mlkit.models.serializers import CannotSave, required

_UNPICKLABLE = (pickle.PicklingError, AttributeError, TypeError, RecursionError, ValueError)


class JoblibSerializer:
    """Keeps any object that pickle keeps, its numpy arrays as they are in memory."""

    id = "joblib"
    version = 1
    runs_code = True
    file = "model.joblib"

    def can_save(self, model: Any) -> bool:
        """Tell that it can be tried with every object."""
        del model
        return True

    def save(self, model: Any, folder: Path) -> None:
        """Write the object; one that refers to `__main__` couldn't be loaded elsewhere."""
        import joblib

        path = folder / self.file
        with _explained():
            joblib.dump(model, path)
        local = _names_of_script(path)
        if local:
            raise CannotSave(
                f"{local[0]} is defined in the script or notebook that runs, so no other process "
                "could load it; put it in a module"
            )

    def load(self, files: Mapping[str, Path]) -> Any:
        """Give the object back."""
        import joblib

        return joblib.load(required(files, self.file))

    def imports(self, files: Mapping[str, Path]) -> PickleScan:
        """Say what loading would import and call."""
        return scan_file(required(files, self.file))


class CloudpickleSerializer:
    """Keeps functions and classes of scripts and notebooks by value: lambdas, closures, models.

    Such a file holds bytecode, so it needs the same minor version of Python.
    """

    id = "cloudpickle"
    version = 1
    runs_code = True
    file = "model.pkl"

    def can_save(self, model: Any) -> bool:
        """Tell that it can be tried with every object."""
        del model
        return True

    def save(self, model: Any, folder: Path) -> None:
        """Write the object."""
        with (folder / self.file).open("wb") as stream, _explained():
            _cloudpickle().dump(model, stream)

    def load(self, files: Mapping[str, Path]) -> Any:
        """Give the object back."""
        with required(files, self.file).open("rb") as stream:
            return pickle.load(stream)  # noqa: S301 - the caller has trusted it before it got here

    def imports(self, files: Mapping[str, Path]) -> PickleScan:
        """Say what loading would import and call."""
        return scan_file(required(files, self.file))


def _names_of_script(path: Path) -> list[str]:
    """Give what a file would import from `__main__`; files without that word aren't followed."""
    with path.open("rb") as file, mmap(file.fileno(), 0, access=ACCESS_READ) as content:
        if content.find(b"__main__") < 0:
            return []
    return [name for name in scan_file(path).imports if name.startswith("__main__.")]


@contextmanager
def _explained() -> Iterator[None]:
    """Turn whatever an object's own code raises while it is pickled; the disk's faults stay."""
    try:
        yield
    except _UNPICKLABLE as error:
        raise CannotSave(_said(error)) from error
    except (OSError, MemoryError):
        raise
    except Exception as error:
        raise CannotSave(f"{type(error).__name__}: {_said(error)}") from error


def _said(error: Exception) -> str:
    return " ".join(str(error).split())[:300]


def _cloudpickle() -> Any:
    try:
        return import_module("cloudpickle")
    except ImportError:  # joblib before 1.6 brings its own copy
        return import_module("joblib.externals.cloudpickle")
