"""What users hand over to be kept, as bytes: by what an object can do, importing no library."""

import io
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import Any

from attrs import frozen

from mlkit.errors import InvalidInput, NotFound
from mlkit.schema.frames import to_arrow


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


def files_of(path: Path, name: str | None) -> list[Content]:
    """Give what a file, or all files below a folder, hold.

    Raises:
        NotFound: There is nothing at the path.
        InvalidInput: A link below the folder leads out of it, or a name can't be kept.
    """
    top = check_artifact_name(name or path.resolve().name)
    if path.is_file():
        return [Content(top, path)]
    if not path.is_dir():
        message = f"There is no file or folder {str(path)!r}"
        raise NotFound(message, hint=f"The working directory is {Path.cwd()}")
    root = path.resolve()
    found = []
    for place in sorted(path.rglob("*")):
        if not place.resolve().is_relative_to(root):
            message = f"{str(place)!r} is a link that leads out of {str(path)!r}"
            raise InvalidInput(message, hint="Copy what it leads to, or leave it out")
        if place.is_file():
            inside = PurePosixPath(place.relative_to(path)).as_posix()
            found.append(Content(check_artifact_name(f"{top}/{inside}"), place))
    if not found:
        message = f"The folder {str(path)!r} holds no files"
        raise InvalidInput(message, hint="Log it when it does")
    return found


def figure(fig: Any, name: str) -> Content:
    """Give a figure's bytes: of matplotlib a picture, of plotly and Altair a page.

    Args:
        fig: An object with `savefig`, `to_html` or `write_html`, or a matplotlib axes.
        name: The artifact's name; its ending chooses the format, PNG where there is none.

    Raises:
        InvalidInput: It can't draw itself.
    """
    fig = getattr(fig, "figure", None) or fig  # an axes knows its figure
    if callable(getattr(fig, "savefig", None)):
        name, ending = _with_ending(name, "png")
        return Content(name, _filled(lambda buffer: fig.savefig(buffer, format=ending)))
    if callable(getattr(fig, "to_html", None)):
        return Content(_with_ending(name, "html")[0], str(fig.to_html()).encode())
    message = f"{type(fig).__name__} is no figure"
    raise InvalidInput(message, hint="Hand over a matplotlib, plotly or Altair figure")


def image(img: Any, name: str) -> Content:
    """Give a picture's bytes.

    Args:
        img: Encoded bytes, a path, or an object with `save(file, format=…)` as PIL's.
        name: The artifact's name; its ending chooses the format, PNG where there is none.

    Raises:
        InvalidInput: It is no picture.
    """
    if isinstance(img, bytes | bytearray):
        return Content(_with_ending(name, "png")[0], bytes(img))
    if isinstance(img, str | Path):
        return files_of(Path(img), name if "." in name else f"{name}{Path(img).suffix}")[0]
    if callable(getattr(img, "save", None)):
        name, ending = _with_ending(name, "png")
        kind = {"jpg": "jpeg", "tif": "tiff"}.get(ending, ending)
        return Content(name, _filled(lambda buffer: img.save(buffer, format=kind)))
    message = f"{type(img).__name__} is no picture"
    raise InvalidInput(
        message, hint="Hand over a PIL image, encoded bytes or a path; of an array make an image"
    )


def table(data: Any, name: str) -> Content:
    """Give a table's bytes as Parquet.

    Raises:
        InvalidInput: It is no table.
    """
    import pyarrow.parquet as pq

    arrow = to_arrow(data)
    name, _ = _with_ending(name, "parquet")
    return Content(name, _filled(lambda buffer: pq.write_table(arrow, buffer)))


def _with_ending(name: str, default: str) -> tuple[str, str]:
    ending = PurePosixPath(name).suffix.lstrip(".").lower()
    return (name, ending) if ending else (f"{name}.{default}", default)


def _filled(write: Callable[[io.BytesIO], object]) -> bytes:
    buffer = io.BytesIO()
    write(buffer)
    return buffer.getvalue()
