"""Every code block that a reader could copy is run, or says why not."""

import shlex
import subprocess
import sys
import types
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

# What a block may hold besides python and shell, and isn't run.
SHOWN = frozenset(
    {"text", "json", "toml", "yaml", "ini", "html", "css", "sql", "mermaid", "diff", "makefile"}
)
# What a shell block may call.
COMMANDS = frozenset({"cd", "cp", "export", "git", "ls", "make", "mlkit", "pip", "python", "uv"})


def test_a_page_runs_from_its_first_block_to_its_last(page, python_blocks, monkeypatch):
    monkeypatch.setenv("MLKIT_STORE", str(Path.cwd() / ".mlkit"))
    module = types.ModuleType("__page__")  # blocks of a page share one namespace
    monkeypatch.setitem(sys.modules, "__page__", module)
    for block in python_blocks(page):
        lines = "\n" * (block.line - 1) + block.source  # so a traceback names the page's own line
        code = compile(lines, str(page), "exec", dont_inherit=True)
        exec(code, vars(module))


def test_a_block_says_its_language(any_block):
    assert any_block.language in SHOWN | {"python", "bash", "console", "sh"}, (
        f"{any_block}: call it python or bash, so it is checked, or one of {sorted(SHOWN)}"
    )


def test_a_block_is_left_out_only_with_a_reason(left_out):
    compile(left_out.source, str(left_out), "exec")  # it is Python all the same
    pytest.skip(f"not run: {left_out.not_run}")


def test_a_shell_block_calls_what_exists(shell_block):
    for command in commands_of(shell_block.source):
        assert command[0] in COMMANDS, f"{shell_block}: unknown command {command[0]!r}"
        if command[0] == "make":
            for target in command[1:]:
                made = subprocess.run(
                    ["make", "--dry-run", target],
                    check=False,
                    cwd=ROOT,
                    capture_output=True,
                    text=True,
                )
                assert made.returncode == 0, f"{shell_block}: {made.stderr}"
        if command[0] == "mlkit" and len(command) > 1 and not command[1].startswith("-"):
            from mlkit.cli.commands import cli

            assert command[1] in cli.commands, f"{shell_block}: no mlkit {command[1]}"


def commands_of(source):
    """Give the words of each command; in a console only the lines after `$` are commands."""
    lines = source.replace("\\\n", " ").splitlines()
    if any(line.startswith("$ ") for line in lines):
        lines = [line[2:] for line in lines if line.startswith("$ ")]
    found = (shlex.split(line, comments=True) for line in lines)
    return [words for words in found if words]


def test_the_readme_exists():
    assert (ROOT / "README.md").exists()


def test_a_block_is_found_inside_a_list(parse):
    (block,) = parse("- first\n\n    ```python\n    a = 1\n    if a:\n        b = 2\n    ```\n")
    assert block.source == "a = 1\nif a:\n    b = 2\n"


def test_a_block_keeps_the_line_it_stands_on(parse):
    (block,) = parse("# Title\n\ntext\n\n```python\nx\n```\n")
    assert block.line == 6


def test_a_marker_leaves_out_the_block_below_it_only(parse):
    text = "<!-- not run: asks a bucket -->\n```python\na\n```\n\n```python\nb\n```\n"
    assert [block.not_run for block in parse(text)] == ["asks a bucket", ""]


def test_a_marker_needs_a_reason(parse):
    (block,) = parse("<!-- not run:  -->\n```python\na\n```\n")
    assert not block.not_run


def test_what_looks_like_a_fence_inside_a_fence_is_text(parse):
    (block,) = parse("````text\n```python\na\n```\n````\n")
    assert block.language == "text"
