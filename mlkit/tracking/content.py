"""What users hand over to be kept, as bytes: by what an object can do, importing no library."""
# A folder may hold a million files, and pathlib would cost more than the system calls it wraps:
# ruff: noqa: PTH100, PTH118, PTH119

import io
import os
import re
import stat
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from attrs import frozen

from mlkit.errors import InvalidInput, NotFound
from mlkit.schema.frames import to_arrow

_DRAWINGS = frozenset({
    "eps", "gif", "jpeg", "jpg", "pdf", "pgf", "png", "ps", "svg", "svgz", "tif", "tiff", "webp",
})  # fmt: skip
_PICTURES = frozenset({
    "avif", "bmp", "eps", "gif", "ico", "jp2", "jpeg", "jpg", "pbm", "pdf", "pgm", "png", "pnm",
    "ppm", "svg", "tga", "tif", "tiff", "webp",
})  # fmt: skip
_PIL_NAMES = {
    "jp2": "jpeg2000",
    "jpg": "jpeg",
    "pbm": "ppm",
    "pgm": "ppm",
    "pnm": "ppm",
    "tif": "tiff",
}
_PAGES = frozenset({"html", "htm"})
_TABLES = frozenset({"parquet", "pq"})
_BEGINNINGS = (
    (re.compile(rb"\xff\xd8\xff"), "jpg"),
    (re.compile(rb"GIF8"), "gif"),
    (re.compile(rb"RIFF....WEBP", re.DOTALL), "webp"),
    (re.compile(rb"(?:<\?xml[^>]*>\s*)?<svg\b"), "svg"),
    (re.compile(rb"%PDF-"), "pdf"),
)


@frozen
class Content:
    """Something to keep as one artifact.

    Attributes:
        name: The artifact's name, with an ending that says what it is.
        data: The bytes, or the file that holds them.
    """

    name: str
    data: bytes | Path


def check_artifact_name(name: str) -> str:
    """Give the name back when it is a relative path with `/` that stays where it is put.

    Raises:
        InvalidInput: It is empty or absolute, or has an empty, `.` or `..` part, a backslash or
            a control character.
    """
    parts = name.split("/") if isinstance(name, str) else [""]
    bad = any(part in ("", ".", "..") for part in parts) or "\\" in str(name)
    if bad or any(ord(char) < ord(" ") for char in name):
        message = f"{name!r} can't be the name of an artifact"
        raise InvalidInput(message, hint="Write a relative path such as 'plots/roc.png'")
    return name


def unreadable(path: str | os.PathLike[str], error: OSError) -> InvalidInput:
    """Give the error for a file or folder of the user's that can't be read."""
    message = f"{os.fspath(path)!r} can't be read: {error.strerror or error}"
    return InvalidInput(message, hint="Check its permissions, and the disk that it is on")


def odd(path: str | os.PathLike[str]) -> InvalidInput:
    """Give the error for a pipe, a socket or a device, reading which could last for ever."""
    message = f"{os.fspath(path)!r} is neither a file nor a folder"
    return InvalidInput(message, hint="Log the files beside it, or what comes out of it as bytes")


# Files, folders and bytes


def contents(
    data: str | os.PathLike[str] | bytes | bytearray | memoryview, name: str | None = None
) -> Iterator[Content]:
    """Give what a file, all files below a folder, or bytes hold; all of it is checked first.

    Args:
        data: A path, or the bytes themselves.
        name: What to call it; a path's own name by default. Bytes have none, so they need one.

    Returns:
        An iterator; of a folder it is walked through once more, never held in memory whole.

    Raises:
        NotFound: There is nothing at the path.
        InvalidInput: Bytes without a name; a name that can't be kept; nothing below the folder, or
            something in it that `files_of` refuses; neither a path nor bytes.

    Example:
        >>> list(contents(b"weights", "model/weights.bin"))
        [Content(name='model/weights.bin', data=b'weights')]
    """
    if isinstance(data, bytes | bytearray | memoryview):
        if name is None:
            message = "Bytes have no name of their own"
            raise InvalidInput(message, hint="Write log_artifact(data, 'name.bin')")
        return iter([Content(check_artifact_name(name), bytes(data))])
    if isinstance(data, str | os.PathLike):
        return files_of(Path(data), name)
    message = f"{type(data).__name__} is neither a path nor bytes"
    hint = "log_text, log_dict, log_table, log_figure and log_image take other things"
    raise InvalidInput(message, hint=hint)


def files_of(path: Path, name: str | None) -> Iterator[Content]:
    """Give what a file, or all files below a folder, hold, after a look at all of them.

    Links are followed as long as they stay within the folder.

    Raises:
        NotFound: There is nothing at the path.
        InvalidInput: A link below the folder leads out of it, nowhere, or to a folder that holds
            it; something can't be read, or is neither a file nor a folder; a name can't be kept;
            the folder holds no files.
    """
    top = check_artifact_name(os.path.basename(os.path.abspath(path)) if name is None else name)
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError, ValueError) as error:  # or a NUL in it
        message = f"There is no file or folder {str(path)!r}"
        raise NotFound(message, hint=f"The working directory is {Path.cwd()}") from error
    except OSError as error:
        raise unreadable(path, error) from error
    if stat.S_ISREG(mode):
        _check_readable(str(path), str(path))
        return iter([Content(top, path)])
    if not stat.S_ISDIR(mode):
        raise odd(path)
    root = str(path)
    if not sum(1 for _ in _walk(root, top)):
        message = f"The folder {root!r} holds no files"
        raise InvalidInput(message, hint="Log it when it does")
    return _walk(root, top)


@frozen
class _Folder:
    """A folder that is still to be looked into.

    Attributes:
        inside: Its path below the root, as it is reached; empty for the root itself.
        real: Where it is, without links.
        jumps: The real folders that hold the links by which it was reached.
    """

    inside: str
    real: str
    jumps: tuple[str, ...] = ()


def _walk(root: str, top: str) -> Iterator[Content]:
    """Give the files below a folder at any depth, with one folder open at a time."""
    real_root = os.path.realpath(root)
    pending = [_Folder("", real_root)]
    while pending:
        folder = pending.pop()
        try:
            with os.scandir(folder.real) as entries:
                for entry in entries:
                    inside = f"{folder.inside}/{entry.name}" if folder.inside else entry.name
                    name = check_artifact_name(f"{top}/{inside}")
                    shown = os.path.join(root, inside)
                    link = entry.is_symlink()
                    real = _follow(entry.path, shown, root, real_root) if link else entry.path
                    if entry.is_dir():
                        jumps = (*folder.jumps, folder.real) if link else folder.jumps
                        if link and any(_within(holder, real) for holder in jumps):
                            message = f"{shown!r} is a link that leads to a folder that holds it"
                            raise InvalidInput(message, hint="Remove it, or leave it out")
                        pending.append(_Folder(inside, real, jumps))
                    elif entry.is_file():
                        _check_readable(real, shown)
                        yield Content(name, Path(real))
                    else:
                        raise odd(shown)
        except OSError as error:
            raise unreadable(os.path.join(root, folder.inside), error) from error


def _follow(link: str, shown: str, root: str, real_root: str) -> str:
    """Give where a link leads, which must be within the folder."""
    try:
        real = os.path.realpath(link, strict=True)
    except OSError as error:
        message = f"{shown!r} is a link that leads nowhere: {error.strerror}"
        raise InvalidInput(message, hint="Remove it, or leave it out") from error
    if not _within(real, real_root):
        message = f"{shown!r} is a link that leads out of {root!r}"
        raise InvalidInput(message, hint="Copy what it leads to, or leave it out")
    return real


def _within(path: str, folder: str) -> bool:
    """Tell whether a real path is a folder's, or below it."""
    return path == folder or path.startswith(f"{folder.rstrip('/')}/")


def _check_readable(path: str, shown: str) -> None:
    """Raise before anything is kept, rather than in the middle of a folder."""
    if not os.access(path, os.R_OK):
        message = f"{shown!r} can't be read: its permissions don't allow it"
        raise InvalidInput(message, hint="Change them, or leave it out")


# Figures, pictures and tables


def figure(fig: Any, name: str) -> Content:
    """Give a figure's bytes: of matplotlib a picture, of plotly and Altair a page.

    The figure stays as it is, and open. A page of plotly holds all that it needs (4 MB); one of
    Altair loads Vega from the network when it is looked at.

    Args:
        fig: An object with `savefig` or `to_html`, or a matplotlib axes.
        name: The artifact's name. Its ending chooses the format where there is such a one, such as
            `.svg`, or `.json` for plotly and Altair; else PNG or HTML is added.

    Raises:
        InvalidInput: It can't draw itself, or not as this.
    """
    drawn_on = getattr(fig, "figure", None)  # an axes knows its figure
    if _can(drawn_on, "savefig"):
        fig = drawn_on
    if _can(fig, "savefig"):
        name, ending = _with_ending(name, "png", _DRAWINGS)
        return Content(name, _filled(lambda buffer: fig.savefig(buffer, format=ending), ending))
    if not _can(fig, "to_html"):
        message = f"{type(fig).__name__} is no figure"
        raise InvalidInput(message, hint="Hand over a matplotlib, plotly or Altair figure")
    own = _DRAWINGS if _can(fig, "to_image") else frozenset()
    own |= {"json"} if _can(fig, "to_json") else frozenset()
    name, ending = _with_ending(name, "html", own | _PAGES)
    if ending == "json":
        return Content(name, str(fig.to_json()).encode())
    if ending in _PAGES:
        return Content(name, str(fig.to_html()).encode())
    return Content(
        name, _filled(lambda buffer: buffer.write(fig.to_image(format=ending)), ending, "html")
    )


def image(img: Any, name: str) -> Content:
    """Give a picture's bytes.

    Args:
        img: Encoded bytes, the path of a file, or an object with `save(file, format=…)` as PIL's.
        name: The artifact's name. Its ending chooses the format where there is such a one; else
            the ending of the path, of the format of the bytes, or PNG is added.

    Raises:
        InvalidInput: It is no picture, or can't be saved as this.
    """
    if isinstance(img, bytes | bytearray | memoryview):
        data = bytes(img)
        found = next((ending for begins, ending in _BEGINNINGS if begins.match(data)), "png")
        return Content(_with_ending(name, found, _PICTURES)[0], data)
    if isinstance(img, str | os.PathLike):
        path = Path(img)
        if path.is_dir():
            message = f"{str(path)!r} is a folder, not a picture"
            raise InvalidInput(message, hint="log_artifact keeps folders")
        given = check_artifact_name(name)
        return next(files_of(path, given if PurePosixPath(given).suffix else given + path.suffix))
    if _can(img, "save"):
        name, ending = _with_ending(name, "png", _PICTURES)
        kind = _PIL_NAMES.get(ending, ending)
        return Content(name, _filled(lambda buffer: img.save(buffer, format=kind), ending))
    message = f"{type(img).__name__} is no picture"
    hint = "Hand over a PIL image, encoded bytes or a path; of an array, PIL.Image.fromarray(array)"
    raise InvalidInput(message, hint=hint)


def table(data: Any, name: str) -> Content:
    """Give a table's bytes as Parquet.

    Raises:
        InvalidInput: It is no table.
    """
    import pyarrow.parquet as pq

    arrow = to_arrow(data)
    name, _ = _with_ending(name, "parquet", _TABLES)
    return Content(name, _filled(lambda buffer: pq.write_table(arrow, buffer), "parquet"))


def _can(thing: object, verb: str) -> bool:
    return callable(getattr(thing, verb, None))


def _with_ending(name: str, default: str, known: frozenset[str]) -> tuple[str, str]:
    """Give the name with an ending that says what it holds, and the ending."""
    ending = PurePosixPath(check_artifact_name(name)).suffix.lstrip(".").lower()
    return (name, ending) if ending in known else (f"{name}.{default}", default)


def _filled(write: Callable[[io.BytesIO], object], ending: str, instead: str = "png") -> bytes:
    buffer = io.BytesIO()
    try:
        write(buffer)
    except (ValueError, KeyError, OSError, RuntimeError) as error:  # as libraries say no
        why = " ".join(f"{type(error).__name__}: {error}".split())
        message = f"It can't be saved as {ending}: {why}"
        hint = "" if ending == instead else f"Give the name another ending, such as .{instead}"
        raise InvalidInput(message, hint=hint) from error
    return buffer.getvalue()
