"""The root's face is what `__all__` says, no more and no less."""

import ast
import inspect
import pkgutil
import types
from pathlib import Path

import pytest

import mlkit

PACKAGE = Path(mlkit.__file__).parent
ROOMS = {module.name for module in pkgutil.iter_modules(mlkit.__path__)}


def test_all_is_sorted_and_names_nothing_twice():
    assert list(mlkit.__all__) == sorted(set(mlkit.__all__))


@pytest.mark.parametrize("name", mlkit.__all__)
def test_what_all_names_is_there_and_documented(name):
    member = getattr(mlkit, name)
    if not name.startswith("__"):
        assert inspect.getdoc(member)


def test_dir_shows_what_all_names():
    assert set(mlkit.__all__) <= set(dir(mlkit))


def test_nothing_public_is_left_out_of_all():
    for name in mlkit.__all__:
        getattr(mlkit, name)  # names resolve on use, so use them all first
    public = {
        name
        for name, member in vars(mlkit).items()
        if not name.startswith("_")
        and name not in ROOMS
        and not isinstance(member, types.ModuleType)
        and name != "TYPE_CHECKING"
    }
    assert public <= set(mlkit.__all__)


def test_an_unknown_name_is_an_attribute_error_that_says_so():
    with pytest.raises(AttributeError, match="no_such_name"):
        mlkit.no_such_name  # noqa: B018 - looking it up is the point


def test_what_type_checkers_see_is_what_all_names():
    """The lazy names and the imports under TYPE_CHECKING are two lists of the same things."""
    tree = ast.parse((PACKAGE / "__init__.py").read_text(encoding="utf-8"))
    seen = {
        alias.asname or alias.name
        for branch in ast.walk(tree)
        if isinstance(branch, ast.If) and ast.unparse(branch.test) == "TYPE_CHECKING"
        for node in ast.walk(branch)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
    }
    defined = {name for name in mlkit.__all__ if name in vars(mlkit) and name.startswith("__")}
    assert {name for name in seen if not name.startswith("_")} <= set(mlkit.__all__)
    assert set(mlkit.__all__) - seen - defined <= {
        node.name for node in tree.body if isinstance(node, ast.FunctionDef)
    }
