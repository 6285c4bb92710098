"""Promises about runs in a notebook, tried in a real kernel."""

import nbformat
import pytest
from nbclient import NotebookClient

from mlkit.store.store import Store

HEAD = "import mlkit\nstore = mlkit.set_store({url!r})"
START = "run = mlkit.start_run('notebook', capture=True)\nmlkit.log_params(lr=0.1)"


class Kernel:
    """Executes cells in one kernel, any of them again."""

    def __init__(self, client, notebook):
        self.client = client
        self.notebook = notebook

    def run(self, *sources):
        """Execute new cells."""
        for source in sources:
            self.notebook.cells.append(nbformat.v4.new_code_cell(source))
            self.again(len(self.notebook.cells) - 1)

    def again(self, place):
        """Execute a cell once more."""
        self.client.execute_cell(self.notebook.cells[place], place)


@pytest.fixture
def kernel(tmp_path):
    notebook = nbformat.v4.new_notebook()
    client = NotebookClient(notebook, timeout=120, kernel_name="python3")
    with client.setup_kernel(cwd=str(tmp_path)):
        kernel = Kernel(client, notebook)
        kernel.run(HEAD.format(url=str(tmp_path / "s")))
        yield kernel


def runs_of(tmp_path):
    return list(Store(tmp_path / "s").runs)


def test_a_cell_that_starts_a_run_may_be_executed_again(kernel, tmp_path):
    kernel.run(START, "mlkit.log_metric('x', 1)")
    kernel.again(1)
    kernel.again(2)
    kernel.again(1)
    kernel.run("mlkit.log_metric('x', 3); run.finish(); run.finish()")
    runs = runs_of(tmp_path)
    assert [run.status for run in runs] == ["FINISHED"] * 3
    assert [run.parent_id for run in runs] == [None] * 3
    assert [run.summary for run in runs] == [{"x": 1.0}, {"x": 1.0}, {"x": 3.0}]


def test_cells_within_an_open_run_may_start_its_children_again_and_again(kernel, tmp_path):
    child = "with mlkit.start_run('child') as inner:\n    mlkit.log_metric('y', 1)"
    kernel.run(START, child)
    kernel.again(2)
    kernel.run("mlkit.active_run().finish()")
    outer, *inner = runs_of(tmp_path)
    assert [run.parent_id for run in inner] == [outer.id] * 2
    assert {run.status for run in runs_of(tmp_path)} == {"FINISHED"}


def test_a_loop_in_one_cell_may_leave_several_runs_open(kernel, tmp_path):
    kernel.run("opened = [store.start_run('loop') for _ in range(3)]")
    assert [run.status for run in runs_of(tmp_path)] == ["RUNNING"] * 3
    kernel.run("[run.finish() for run in reversed(opened)]")
    assert [run.status for run in runs_of(tmp_path)] == ["FINISHED"] * 3


def test_cells_and_their_output_are_kept_in_order_without_secrets(kernel, tmp_path):
    kernel.run(
        "early = 'password=hunter2'",
        START,
        "print('from a cell')",
        "%time print('by magic')",
        "run.finish()",
        "print('too late')",
    )
    (run,) = runs_of(tmp_path)
    cells = run.recorded.cells
    assert cells[1:] == [
        "early = 'password=[masked]'",
        START,
        "print('from a cell')",
        "%time print('by magic')",
        "run.finish()",
    ]
    output = run.recorded.output("stdout")
    assert output.startswith("from a cell\nby magic\n")
    assert "too late" not in output


def test_a_cell_that_fails_ends_the_run_of_its_block_and_no_other(kernel, tmp_path):
    kernel.run(START)
    fails = nbformat.v4.new_code_cell("with mlkit.start_run('inner'):\n    raise ValueError('no')")
    fails.metadata["tags"] = ["raises-exception"]
    kernel.notebook.cells.append(fails)
    kernel.again(2)
    kernel.run("mlkit.log_metric('x', 1)")
    outer, inner = runs_of(tmp_path)
    assert (outer.status, inner.status) == ("RUNNING", "FAILED")
    assert outer.summary == {"x": 1.0}


def test_a_kernel_that_is_shut_down_finishes_the_run_that_was_open(tmp_path):
    notebook = nbformat.v4.new_notebook()
    head = HEAD.format(url=str(tmp_path / "s"))
    fails = nbformat.v4.new_code_cell("raise ValueError('an experiment that went wrong')")
    fails.metadata["tags"] = ["raises-exception"]
    notebook.cells = [nbformat.v4.new_code_cell(head), nbformat.v4.new_code_cell(START), fails]
    NotebookClient(notebook, timeout=120, kernel_name="python3").execute(cwd=str(tmp_path))
    (run,) = runs_of(tmp_path)
    assert run.status == "FINISHED"
