"""One file, one noun, of a size that can be read at once."""

from pathlib import Path

import pytest

import mlkit

PACKAGE = Path(mlkit.__file__).parent
FILES = sorted(PACKAGE.rglob("*.py"))
MOST_LINES = 440  # about 400
VAGUE = {"utils", "util", "helpers", "helper", "common", "misc", "base", "shared"}


def names(path):
    return str(path.relative_to(PACKAGE.parent))


@pytest.mark.parametrize("path", FILES, ids=names)
def test_a_file_is_short_enough_to_read(path):
    lines = path.read_text(encoding="utf-8").count("\n")
    assert lines <= MOST_LINES


@pytest.mark.parametrize("path", FILES, ids=names)
def test_a_file_is_named_for_a_noun(path):
    assert path.stem.strip("_") not in VAGUE


def test_every_folder_of_modules_is_a_package():
    folders = {path.parent for path in FILES}
    assert [folder for folder in folders if not (folder / "__init__.py").exists()] == []


def test_types_are_shipped():
    assert (PACKAGE / "py.typed").exists()
