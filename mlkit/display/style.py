"""The style sheets of pages and of pieces in notebooks, which lie beside this file."""

from functools import cache
from importlib.resources import files

from mlkit.display.markup import Markup


@cache
def style(*names: str) -> Markup:
    """Give style sheets as an element that a page or piece carries with it.

    Args:
        *names: `pieces` (what stands anywhere) and `page` (what only whole pages need).

    Example:
        >>> style("pieces").startswith("<style>")
        True
    """
    folder = files("mlkit.display")
    sheets = (folder.joinpath(f"{name}.css").read_text(encoding="utf-8") for name in names)
    lines = (line.strip() for sheet in sheets for line in sheet.splitlines())
    return Markup(f"<style>{' '.join(line for line in lines if line)}</style>")
