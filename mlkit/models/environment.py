"""The packages that a model needs, with the versions that it was saved with."""

import platform
import sys
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from importlib import metadata

_DISTRIBUTIONS = {
    "PIL": "pillow",
    "cv2": "opencv-python",
    "skimage": "scikit-image",
    "sklearn": "scikit-learn",
    "yaml": "pyyaml",
}


def packages_of(modules: Iterable[str]) -> dict[str, str]:
    """Give the distributions that hold modules, with their versions, sorted.

    Args:
        modules: Dotted names. Modules of Python itself, and those that no distribution holds, are
            left out.

    Example:
        >>> list(packages_of(["joblib.numpy_pickle", "os.path", "__main__"]))
        ['joblib']
    """
    found = (distribution_of(name) for name in {module.partition(".")[0] for module in modules})
    return dict(sorted(pair for pair in found if pair is not None))


@cache
def distribution_of(module: str) -> tuple[str, str] | None:
    """Give the name and version of the distribution that holds a top-level module."""
    if not module.isidentifier() or module in sys.stdlib_module_names:
        return None
    for name in _candidates(module):
        try:
            found = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            continue
        return found.metadata["Name"], found.version
    return None


def _candidates(module: str) -> Iterator[str]:
    """Give the likely name first, so that the long search is for the others only."""
    yield _DISTRIBUTIONS.get(module, module)
    yield from _holders().get(module, ())


@cache
def _holders() -> Mapping[str, list[str]]:
    """Give the distributions of every module; it reads the lists of all files, once."""
    return metadata.packages_distributions()


def differences(environment: Mapping[str, str], python: str) -> list[str]:
    """Say what is other here than where a model was saved.

    Args:
        environment: Its packages with their versions.
        python: The version of its Python.

    Returns:
        A text for each difference: packages that are missing or of another version, and a Python
        of another minor version.

    Example:
        >>> differences({"joblib": "0.1"}, platform.python_version())[0].startswith("joblib 0.1 (")
        True
    """
    found = []
    here = platform.python_version()
    if here.split(".")[:2] != python.split(".")[:2]:
        found.append(f"Python {python} (here {here})")
    for name, version in environment.items():
        try:
            installed = metadata.version(name)
        except metadata.PackageNotFoundError:
            found.append(f"{name} {version} (not installed here)")
            continue
        if installed != version:
            found.append(f"{name} {version} (here {installed})")
    return found
