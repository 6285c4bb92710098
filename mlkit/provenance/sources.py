"""The source of imported modules that git doesn't track, so that a run holds all of its code."""

import os
import stat
import sys
import sysconfig
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from types import ModuleType

from attrs import frozen

from mlkit._core.masking import mask_text
from mlkit.provenance.git import tracked

LARGEST = 1_048_576  # bytes of a file
MOST = 200  # files
MOST_BYTES = 8 * 1_048_576
_MAIN = ("__main__", "__mp_main__")
_INSTALLED = frozenset({"site-packages", "dist-packages"})


@frozen
class Source:
    """A file of code.

    Attributes:
        path: Below the working folder, else below the folder that its module was imported from;
            with `/`, never absolute.
        data: Its text in UTF-8, secrets masked.
    """

    path: str
    data: bytes


@frozen
class Sources:
    """What was found.

    Attributes:
        files: The files, in the order in which they were imported.
        left_out: How many more there are that were too large or too many.
    """

    files: tuple[Source, ...]
    left_out: int = 0


def loose_sources(
    *,
    folder: Path,
    modules: Mapping[str, ModuleType] | None = None,
    known: set[str] | None = None,
) -> Sources:
    """Give the source of imported modules that are neither installed nor tracked by git.

    Args:
        folder: The working folder.
        modules: The modules by name; those of this process by default.
        known: What was looked at before, to be left out now; this call adds to it. Hand the same
            set over again to get only what was imported since.

    Returns:
        At most 200 files with 8 MiB in all, none of more than 1 MiB. Files that can't be read
        are passed over.

    Example:
        >>> loose_sources(folder=Path(), modules={"json": sys.modules["json"]})
        Sources(files=(), left_out=0)
    """
    modules = sys.modules if modules is None else modules
    known = set() if known is None else known
    if modules.keys() <= known:
        return Sources(())
    found = _candidates(modules, known)
    by_git = tracked(found)
    files: list[Source] = []
    taken: set[str] = set()
    size = left_out = 0
    for path, name in found.items():
        if path in by_git:
            continue
        try:
            facts = path.stat()
            if not stat.S_ISREG(facts.st_mode):
                continue
            if facts.st_size > LARGEST or len(files) == MOST or size + facts.st_size > MOST_BYTES:
                left_out += 1
                continue
            text = _decoded(path.read_bytes())
        except OSError:
            continue
        size += facts.st_size
        shown = _shown(path, name, folder, taken)
        files.append(Source(shown, mask_text(text).encode("utf-8")))
    return Sources(tuple(files), left_out)


def _candidates(modules: Mapping[str, ModuleType], known: set[str]) -> dict[Path, str]:
    """Give the files of modules that aren't known yet, each with the name of its module."""
    found: dict[Path, str] = {}
    for name, module in list(modules.items()):  # other threads go on importing
        if name in known:
            continue
        known.add(name)
        file = _file_of(module)
        if not file.endswith(".py") or name.partition(".")[0] == "mlkit":
            continue
        real = os.path.realpath(file)
        # A file can be two modules: the script, and what is imported under its name.
        if real in known or _is_installed(Path(file)) or _is_installed(Path(real)):
            continue
        known.add(real)
        found[Path(real)] = name
    return found


def _file_of(module: object) -> str:
    try:
        # Not the module's own way to its attributes: it would load one that is lazy.
        file = object.__getattribute__(module, "__dict__").get("__file__")
    except AttributeError:
        return ""  # anything can be put among the modules
    return file if isinstance(file, str) else ""


def _is_installed(path: Path) -> bool:
    if not _INSTALLED.isdisjoint(path.parts):
        return True
    return any(path.is_relative_to(place) for place in _places())


@cache
def _places() -> frozenset[Path]:
    """Give the folders of this Python: its library, and what is installed beside it.

    Not its whole prefix: that can be `/usr`, with the user's code in `/usr/src`, or an environment
    made in the very folder of a project.
    """
    paths = sysconfig.get_paths()
    places = {Path(paths[key]) for key in ("stdlib", "platstdlib", "purelib", "platlib", "scripts")}
    for prefix in (sys.prefix, sys.base_prefix, sys.exec_prefix):
        places |= {Path(prefix) / name for name in ("lib", "lib64", "bin", "Scripts")}
    return frozenset({*places, *(place.resolve() for place in places)})


def _decoded(data: bytes) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("latin-1")  # which older sources are in, and takes every byte


def _shown(path: Path, name: str, folder: Path, taken: set[str]) -> str:
    """Give the path to show, that no other file has."""
    for shown in _names(path, name, folder):
        # Names that are no Unicode, and secrets in them, can't be written to a run.
        clean = mask_text(shown.encode("utf-8", "backslashreplace").decode("utf-8"))
        if clean not in taken:
            break
    taken.add(clean)
    return clean


def _names(path: Path, name: str, folder: Path) -> Iterator[str]:
    here = folder.resolve()
    if path.is_relative_to(here):
        yield path.relative_to(here).as_posix()
    parts = path.with_suffix("").parts
    words = tuple(name.split("."))
    depth = 1
    if name not in _MAIN:
        if parts[-len(words) :] == words:
            depth = len(words)
        elif parts[-len(words) - 1 :] == (*words, "__init__"):
            depth = len(words) + 1
    for more in range(depth, len(path.parts)):
        yield "/".join(path.parts[-more:])
