"""Serializers: how objects become files and come back, chosen by the object, named by an id.

A version's document holds the id of its serializer and nothing else of it: what the id means is
said by this process, in which serializers are registered by mlkit and by installed packages.
"""

import shutil
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Protocol, cast, runtime_checkable

from mlkit._core.plugins import Registry
from mlkit.errors import Corrupt, InvalidInput, MissingExtra, NewerFormat, NotFound
from mlkit.models.pickle_scan import PickleScan

GROUP = "mlkit.serializers"
_BUILTINS = {
    "joblib": "mlkit.models.pickled:JoblibSerializer",
    "cloudpickle": "mlkit.models.pickled:CloudpickleSerializer",
}


class CannotSave(Exception):
    """A serializer can't keep an object; the message says why, and the next one is asked."""


@runtime_checkable
class Serializer(Protocol):
    """Turns objects into files and back; a class without arguments, registered under its id.

    An instance is shared by threads, so it has no state. Loading must give an object that does
    what the saved one did, in another process and on another machine.
    """

    @property
    def id(self) -> str:
        """What documents know it by; never changes."""
        ...

    @property
    def version(self) -> int:
        """The version of its files' format; it loads this one and all before."""
        ...

    @property
    def runs_code(self) -> bool:
        """Whether loading files that somebody has made up could run code of theirs."""
        ...

    def can_save(self, model: Any) -> bool:
        """Tell, without importing a library, whether an object is of its kind."""
        ...

    def save(self, model: Any, folder: Path) -> None:
        """Write the object to files in an empty folder.

        Raises:
            CannotSave: It can't be kept; what was written until then is dropped.
        """
        ...

    def load(self, files: Mapping[str, Path]) -> Any:
        """Give the object back.

        Args:
            files: The paths within the folder that `save` filled, to where the files are now. They
                are checked against their digests, and must not be changed.
        """
        ...

    def imports(self, files: Mapping[str, Path]) -> PickleScan:
        """Say what `load` would import and call, without running anything.

        Args:
            files: As for `load`.
        """
        ...


@cache
def registry() -> Registry:
    """Give the registry, to which a program may add serializers of its own."""
    return Registry(GROUP, _BUILTINS)


def serializer_of(name: str, version: int, what: str) -> Serializer:
    """Give the serializer that a version was saved by.

    Args:
        name: Its id.
        version: The version of its files.
        what: What is loaded, for messages.

    Raises:
        MissingExtra: There is no serializer of this id here.
        NewerFormat: The files are of a newer version than it knows.
    """
    try:
        serializer = _made(name)
    except NotFound as error:
        raise MissingExtra(
            f"{what} was saved by the serializer {name!r}, which isn't installed here",
            hint="Install the package that offers it",
        ) from error
    if version > serializer.version:
        raise NewerFormat(
            f"{what} was saved by version {version} of the serializer {name!r}, and this one is "
            f"{serializer.version}",
            hint="Upgrade the package that offers it",
        )
    return serializer


def save_model(model: Any, folder: Path, wanted: str | None = None) -> Serializer:
    """Write an object to an empty folder by the first serializer that can keep it.

    Those of other packages are asked first, then joblib, then cloudpickle, which keeps what is
    defined in a notebook or a script by value.

    Args:
        model: The object.
        folder: Where the files go.
        wanted: The id of the only serializer to ask.

    Returns:
        The serializer that did it.

    Raises:
        NotFound: There is no serializer of the id that is wanted.
        InvalidInput: None can keep it; the message says why.
    """
    reasons: list[str] = []
    cause: BaseException | None = None
    candidates = [_made(wanted)] if wanted is not None else _candidates(model)
    for serializer in candidates:
        try:
            serializer.save(model, folder)
        except CannotSave as error:
            cause = cause or error.__cause__
            reasons.append(f"{serializer.id}: {error}")
            for left in folder.iterdir():
                shutil.rmtree(left) if left.is_dir() else left.unlink()
        else:
            return serializer
    raise InvalidInput(
        f"A {type(model).__name__} can't be kept as a model ({'; '.join(reasons)})",
        hint="Leave out what belongs to this process: open files, locks, connections, threads",
    ) from cause


def required(files: Mapping[str, Path], name: str) -> Path:
    """Give the file of a name.

    Raises:
        Corrupt: The version doesn't have it.
    """
    if name not in files:
        raise Corrupt(f"The version lacks its file {name!r}")
    return files[name]


def _candidates(model: Any) -> Iterator[Serializer]:
    names = [*sorted(set(registry().names()) - set(_BUILTINS)), *_BUILTINS]
    for name in names:
        serializer = _made(name)
        if serializer.can_save(model):
            yield serializer


def _made(name: str) -> Serializer:
    return cast("type[Serializer]", registry().get(name))()
