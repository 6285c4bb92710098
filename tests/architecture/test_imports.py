"""`import mlkit` is light, and nothing inside leans on the root."""

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

import mlkit

PACKAGE = Path(mlkit.__file__).parent
FILES = sorted(PACKAGE.rglob("*.py"))
ROOT = PACKAGE / "__init__.py"
HEAVY = {"pyarrow", "numpy", "pandas", "polars", "fsspec", "requests", "joblib", "sklearn", "scipy"}
# What nothing but its own host imports, since it is a class of that.
DRIVERS = {"mlkit/integrations/dataset_filesystem.py": "fsspec"}
# Rooms that a user's own code may import before doing anything heavy.
LIGHT = ["mlkit", "mlkit.errors", "mlkit._fluent", "mlkit.tracking.context", "mlkit.cli.main"]


def names(path):
    return str(path.relative_to(PACKAGE.parent))


@pytest.mark.parametrize("module", LIGHT)
def test_an_import_loads_no_heavy_package(module):
    program = f"import json, sys, {module}; print(json.dumps(sorted(sys.modules)))"
    loaded = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    )
    assert HEAVY.isdisjoint(json.loads(loaded.stdout))


@pytest.mark.parametrize("path", [path for path in FILES if path != ROOT], ids=names)
def test_a_module_imports_from_where_things_are_defined(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"line {node.lineno}: a relative import"
            assert node.module != "mlkit", f"line {node.lineno}: an import from the root"
        if isinstance(node, ast.Import):
            assert "mlkit" not in {alias.name for alias in node.names}, f"line {node.lineno}"


@pytest.mark.parametrize("path", FILES, ids=names)
def test_a_module_imports_heavy_packages_inside_functions_only(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in at_import_time(tree):
        if isinstance(node, ast.Import):
            modules = {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            modules = {node.module or ""}
        else:
            continue
        heavy = {module.partition(".")[0] for module in modules} & HEAVY
        heavy -= {DRIVERS.get(names(path))}
        assert not heavy, f"line {node.lineno}: {sorted(heavy)}"


def at_import_time(node):
    """Give the nodes that run when the module is imported by anything but a type checker."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            continue
        if isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING":
            continue
        yield child
        yield from at_import_time(child)
