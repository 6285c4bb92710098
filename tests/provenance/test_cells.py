import io
import subprocess
import sys
import types

import nbformat
import pytest
from IPython.core.interactiveshell import InteractiveShell
from jupyter_client.manager import start_new_kernel
from nbclient import NotebookClient

from mlkit.provenance.cells import Cell, CellLog, current_cell
from mlkit.provenance.tap import OutputTap

SECRET = "api_key = 'hunter2hunter2'"


@pytest.fixture
def shell(tmp_path, monkeypatch):
    """An IPython that runs in this process, without a history on disk."""
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    displayhook, excepthook = sys.displayhook, sys.excepthook
    InteractiveShell.clear_instance()
    shell = InteractiveShell.instance()
    shell.history_manager.enabled = False
    yield shell
    shell.restore_sys_module_state()
    InteractiveShell.clear_instance()
    sys.displayhook, sys.excepthook = displayhook, excepthook


@pytest.fixture
def log():
    log = CellLog()
    yield log
    log.unwatch()


def test_without_ipython_there_are_no_cells_and_none_is_loaded():
    code = (
        "import sys; from mlkit.provenance.cells import *; log = CellLog(); log.watch(print);"
        "print(log.earlier(), current_cell(), 'IPython' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[] None False\n"


def test_where_ipython_is_only_loaded_there_are_no_cells(log):
    InteractiveShell.clear_instance()
    log.watch(pytest.fail)
    assert log.earlier() == []
    assert current_cell() is None


def test_earlier_cells_are_given_in_order_with_secrets_masked(shell, log):
    shell.run_cell("a = 1", store_history=True)
    shell.run_cell(SECRET, store_history=True)
    assert log.earlier() == [Cell(1, "a = 1"), Cell(2, "api_key = '[masked]'")]


def test_later_cells_are_told_as_they_begin(shell, log):
    told = []
    shell.user_ns["told"] = told
    shell.run_cell("a = 1", store_history=True)
    log.watch(told.append)
    shell.run_cell("seen = list(told)", store_history=True)
    shell.run_cell(SECRET, store_history=True)
    assert shell.user_ns["seen"] == [Cell(2, "seen = list(told)")]
    assert told[1:] == [Cell(3, "api_key = '[masked]'")]
    assert log.earlier()[1:] == told


def test_a_cell_that_fails_is_told_too(shell, log, capsys):
    told = []
    log.watch(told.append)
    shell.run_cell("1 / 0", store_history=True)
    shell.run_cell("this is (no Python", store_history=True)
    shell.run_cell("b = 1", store_history=True)
    assert [cell.number for cell in told] == [1, 2, 3]
    assert log.earlier() == told


def test_code_that_runs_beside_the_cells_is_not_told(shell, log):
    told = []
    log.watch(told.append)
    shell.run_cell("a = 1", store_history=False)
    shell.run_cell("a = 1", silent=True)
    assert told == []
    shell.run_cell("%%capture\nb = 2", store_history=True)
    assert told == [Cell(1, "%%capture\nb = 2")]


def test_after_unwatch_nothing_is_told(shell, log):
    told = []
    log.watch(told.append)
    log.watch(told.append)  # once all the same
    shell.run_cell("a = 1", store_history=True)
    log.unwatch()
    log.unwatch()
    shell.run_cell("b = 1", store_history=True)
    assert told == [Cell(1, "a = 1")]
    assert shell.events.callbacks["pre_run_cell"] == []


def test_two_logs_do_not_disturb_each_other(shell, log):
    told, other = [], CellLog()
    log.watch(told.append)
    other.watch(told.append)
    other.unwatch()
    shell.run_cell("a = 1", store_history=True)
    assert told == [Cell(1, "a = 1")]


def test_a_fault_of_who_is_told_reaches_no_cell(shell, log, capsys):
    def fails(cell):
        raise RuntimeError(cell.source)

    log.watch(fails)
    result = shell.run_cell("a = 1", store_history=True)
    assert result.success
    assert capsys.readouterr() == ("", "")


def test_a_shell_whose_callbacks_were_taken_off_can_be_unwatched(shell, log):
    log.watch(pytest.fail)
    shell.events.callbacks["pre_run_cell"].clear()
    log.unwatch()
    shell.run_cell("a = 1", store_history=True)


def test_an_older_ipython_counts_after_the_cell_has_run(log, monkeypatch):
    callbacks, told = {}, []
    fake = types.SimpleNamespace(
        execution_count=3,
        history_manager=types.SimpleNamespace(input_hist_raw=["", "a", "b"]),
        events=types.SimpleNamespace(register=callbacks.__setitem__),
    )
    monkeypatch.setitem(sys.modules, "IPython", types.SimpleNamespace(get_ipython=lambda: fake))
    log.watch(told.append)
    callbacks["pre_run_cell"](types.SimpleNamespace(store_history=True, raw_cell="c"))
    assert told == [Cell(3, "c")]
    log.unwatch()
    callbacks["pre_run_cell"](
        types.SimpleNamespace(store_history=True, raw_cell="d")
    )  # it was on its way
    assert len(told) == 1


def test_a_shell_of_another_kind_has_no_cells(log, monkeypatch):
    odd = types.SimpleNamespace(get_ipython=object)
    monkeypatch.setitem(sys.modules, "IPython", odd)
    log.watch(pytest.fail)
    assert log.earlier() == []
    assert current_cell() is None


def test_before_the_first_cell_there_is_no_current_one(shell):
    assert current_cell() is None


def test_the_same_source_is_the_same_cell_and_another_is_not(shell):
    shell.user_ns["current_cell"] = current_cell
    for source in ("x = current_cell()", "x = current_cell()", "x = current_cell()  # new"):
        shell.run_cell(source, store_history=True)
        shell.run_cell("seen = [*globals().get('seen', []), x]", store_history=False)
    first, second, third = shell.user_ns["seen"]
    assert [first[1], second[1], third[1]] == [1, 2, 3]
    assert first[0] == second[0] != third[0]


def test_a_cell_that_is_captured_is_the_current_one(shell):
    shell.user_ns["current_cell"] = current_cell
    shell.run_cell("%%capture\nx = current_cell()", store_history=True)
    captured = shell.user_ns["x"]
    shell.run_cell("%%capture\nx = current_cell()", store_history=True)
    assert (captured[0], 2) == shell.user_ns["x"]


def test_the_id_that_the_front_end_gave_stays_when_the_source_is_changed(shell):
    shell.user_ns["current_cell"] = current_cell
    shell.run_cell("x = current_cell()", store_history=True, cell_id="cell-1")
    assert shell.user_ns["x"] == ("cell-1", 1)
    shell.run_cell("x = current_cell()  # new", store_history=True, cell_id="cell-1")
    assert shell.user_ns["x"] == ("cell-1", 2)


def test_a_tap_stays_on_from_cell_to_cell_and_comes_off(shell, monkeypatch):
    told, before = [], list(shell.events.callbacks["pre_execute"])
    tap = OutputTap(lambda _, text: told.append(text))
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    shell.user_ns["tap"] = tap
    for source in ("tap.open()", "print(1)", "print(2)", "tap.close()", "print(3)"):
        shell.run_cell(source, store_history=True)
    assert "".join(told) == "1\n2\n"
    assert sys.stdout.getvalue() == "1\n2\n3\n"
    assert shell.events.callbacks["pre_execute"] == before


def test_a_tap_comes_off_though_callbacks_were_taken_off(shell):
    tap = OutputTap(print)
    tap.open()
    shell.events.callbacks["pre_execute"].clear()
    tap.close()
    assert not tap.is_open


BEGIN = """
import sys
from mlkit.provenance.cells import CellLog, current_cell
from mlkit.provenance.output import OutputLog
from mlkit.provenance.tap import OutputTap
cells, told, output = CellLog(), [], OutputLog()
tap = OutputTap(output.feed)
earlier, here = cells.earlier(), current_cell()
cells.watch(told.append)
tap.open()
print("in the cell that opens")
"""
TELL = """tap.close()
cells.unwatch()
print([(cell.number, cell.source) for cell in told])
print([(cell.number, cell.source) for cell in earlier])
print([chunk.text for chunk in output.take(everything=True)])
print(current_cell()[1], here[1], current_cell()[0] == here[0])
"""


def test_a_real_notebook_has_its_cells_and_its_output(hermetic):
    sources = [SECRET, BEGIN, "print('a')\nsys.stderr.write('b\\n')\nsys.stdout.writelines(['c'])"]
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(source) for source in (*sources, TELL)]
    )
    resources = {"metadata": {"path": str(hermetic)}}
    NotebookClient(notebook, timeout=120, kernel_name="python3", resources=resources).execute()
    lines = "".join(output.text for output in notebook.cells[3].outputs).splitlines()
    assert lines == [
        str([(3, sources[2]), (4, TELL.rstrip())]),
        str([(1, "api_key = '[masked]'"), (2, BEGIN.rstrip())]),
        str(["in the cell that opens\na\n", "b\n", "c"]),
        "4 2 False",
    ]
    shown = notebook.cells[2].outputs
    assert {output.name: output.text for output in shown} == {"stdout": "a\nc", "stderr": "b\n"}


@pytest.fixture
def kernel(hermetic):
    """Executes a source in a kernel as the cell with an id, and gives what it printed."""
    manager, client = start_new_kernel(kernel_name="python3", cwd=str(hermetic))

    def execute(source, cell_id):
        content = {"code": source, "silent": False, "store_history": True}
        message = client.session.msg("execute_request", content, metadata={"cellId": cell_id})
        client.shell_channel.send(message)
        printed = ""
        while True:
            answer = client.get_iopub_msg(timeout=60)
            if answer["parent_header"].get("msg_id") != message["header"]["msg_id"]:
                continue
            if answer["msg_type"] == "stream":
                printed += answer["content"]["text"]
            if answer["content"].get("execution_state") == "idle":
                return printed

    yield execute
    client.stop_channels()
    manager.shutdown_kernel(now=True)
    manager.cleanup_resources()


def test_a_kernel_tells_the_front_ends_id_of_the_cell(kernel):
    source = "from mlkit.provenance.cells import current_cell; print(current_cell())"
    assert kernel(source, "cell-1") == "('cell-1', 1)\n"
    assert kernel("%%capture x\n" + source, "cell-2") == ""
    assert kernel("print(x.stdout, end='')", "cell-3") == "('cell-2', 2)\n"
    assert kernel(source + "  # new", "cell-1") == "('cell-1', 4)\n"
