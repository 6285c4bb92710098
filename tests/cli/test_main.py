"""The `mlkit` command as it is installed."""

import subprocess
import sys

import pytest

from mlkit.cli.exits import MEANINGS, MISSING
from mlkit.cli.main import main


def test_help_says_what_every_exit_code_means(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["--help"])
    assert ended.value.code == 0
    out = capsys.readouterr().out
    for code, meaning in MEANINGS.items():
        assert f"{code}  {meaning}" in out


@pytest.mark.parametrize("package", ["click", "rich"])
def test_a_missing_package_is_said_with_its_extra(package, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, package, None)
    assert main([]) == MISSING
    assert "mlkit-lifecycle[cli]" in capsys.readouterr().err


def test_the_command_runs_in_its_own_process(store):
    program = "import sys; from mlkit.cli.main import main; sys.exit(main())"
    done = subprocess.run(
        [sys.executable, "-c", program, "ls", "--json"], check=True, capture_output=True, text=True
    )
    assert done.stdout == "[]\n"
