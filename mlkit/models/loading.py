"""From a version to its object: checked bytes, then trust, then code."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mlkit.errors import Corrupt, MissingExtra, MlkitError, Untrusted
from mlkit.models.environment import differences
from mlkit.models.package import ModelVersion
from mlkit.models.pickle_scan import PickleScan
from mlkit.models.serializers import Serializer, serializer_of
from mlkit.objects.blobs import Blobs

_MOST_NAMES = 200
_LONGEST_NAME = 200
_USUAL = {"joblib", "lightgbm", "numpy", "pandas", "polars", "pyarrow", "scipy", "sklearn"}


def load_object(version: ModelVersion, blobs: Blobs, cache: Path, *, trusted: bool) -> Any:
    """Give the object of a version.

    Every file is checked against its digest before a byte of it is decoded. The names of files are
    keys only: no path is made of them.

    Args:
        version: The version.
        blobs: Where its files lie.
        cache: A folder for copies of remote files.
        trusted: Whether code that its files hold may run.

    Raises:
        Untrusted: Loading would run code, and isn't trusted; the message lists what it imports.
        Corrupt: A file is damaged, or the object can't be made of it.
        MissingExtra: The serializer, or a module that the object needs, isn't there.
        NewerFormat: The files are of a newer format.
        NotFound: A file is missing.
    """
    serializer = serializer_of(version.serializer, version.serializer_version, version.ref)
    files = {name: blobs.path(file.digest, cache) for name, file in version.files.items()}
    if serializer.runs_code and not trusted:
        raise _untrusted(version, serializer.imports(files))
    return _decoded(version, serializer, files)


def _decoded(version: ModelVersion, serializer: Serializer, files: Mapping[str, Path]) -> Any:
    try:
        return serializer.load(files)
    except MlkitError:
        raise
    except (ImportError, AttributeError) as error:
        raise MissingExtra(
            f"{version.ref} can't be loaded: {error}", hint=_missing_hint(version, error)
        ) from error
    except Exception as error:
        raise Corrupt(
            f"{version.ref} can't be loaded: {type(error).__name__}: {error}",
            hint=_other_hint(version),
        ) from error


def _missing_hint(version: ModelVersion, error: ImportError | AttributeError) -> str:
    if "__main__" in str(error):
        return (
            "It refers to something in the script or notebook that saved it: define that in a "
            "module, import it from there, and save the model again"
        )
    return _other_hint(version) or "Install the module, or add its folder to PYTHONPATH"


def _other_hint(version: ModelVersion) -> str:
    found = differences(version.environment, version.python)
    return f"It was saved with {', '.join(found)}" if found else ""


def _untrusted(version: ModelVersion, scan: PickleScan) -> Untrusted:
    """Give the error that lists what loading would import, the unusual first."""
    names = sorted(scan.imports, key=lambda name: (name.partition(".")[0] in _USUAL, name))
    shown = ", ".join(
        f"{_escaped(name)}()" if name in scan.calls else _escaped(name)
        for name in names[:_MOST_NAMES]
    )
    more = f", and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
    unknown = f"; more may follow, since {_escaped(scan.problem)}" if scan.problem else ""
    return Untrusted(
        f"Loading {version.ref} would run code from a store that you haven't trusted. "
        f"It would import {shown or 'nothing that could be seen'}{more}{unknown}",
        hint="If you trust who wrote it: load_model(…, trusted=True), or Store(…, trusted=True)",
    )


def _escaped(text: str) -> str:
    """Give a text of the file without what would move a terminal's cursor, and not too long."""
    shown = "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)
    return shown if len(shown) <= _LONGEST_NAME else f"{shown[:_LONGEST_NAME]}…"
