"""Every notebook runs from top to bottom, in an empty folder, without a warning or the network."""

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

ROOT = Path(__file__).parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").rglob("*.ipynb"))

# The kernel inherits the network's guard by PYTHONPATH; from here on, warnings are errors in it
# (but for those that the kernel's own code gives).
STRICT = "import warnings; warnings.simplefilter('error')\n" + "".join(
    f"warnings.filterwarnings('default', module='{package}')\n"
    for package in ("ipykernel", "jupyter_client", "traitlets", "zmq")
)


def execute(notebook, folder):
    """Run a notebook in a folder; what fails in a cell is raised."""
    notebook.cells.insert(0, nbformat.v4.new_code_cell(STRICT))
    client = NotebookClient(
        notebook,
        timeout=300,
        kernel_name="python3",
        resources={"metadata": {"path": str(folder)}},
    )
    client.execute()
    return notebook


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_a_notebook_runs(path, monkeypatch):
    monkeypatch.setenv("MLKIT_STORE", str(Path.cwd() / ".mlkit"))
    execute(nbformat.read(path, as_version=4), Path.cwd())


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_a_notebook_is_committed_without_paths_of_a_machine(path):
    text = path.read_text(encoding="utf-8")
    assert str(Path.home()) not in text
    assert "/tmp/" not in text


def test_a_warning_in_a_notebook_fails_it():
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell("import warnings; warnings.warn('old', stacklevel=1)")]
    )
    with pytest.raises(Exception, match=r"UserWarning.*old"):
        execute(notebook, Path.cwd())


def test_the_network_in_a_notebook_fails_it():
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell("import socket; socket.create_connection(('1.1.1.1', 9))")]
    )
    with pytest.raises(Exception, match="reached for the network"):
        execute(notebook, Path.cwd())
