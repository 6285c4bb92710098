"""The state of the code, as git knows it."""

import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from mlkit._core.masking import mask_text

_SECONDS = 5
_LONGEST_DIFF = 200_000
_PATHS_PER_CALL = 1000  # a command line isn't endless


class CodeState:
    """Asks git about a working tree; it looks while the caller does something else.

    Args:
        folder: A folder in it.

    Example:
        >>> import tempfile
        >>> CodeState(Path(tempfile.mkdtemp())).result()
        {}
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._status = _begun(
            folder, "status", "--porcelain=v2", "--branch", "--untracked-files=normal"
        )
        self._remote = _begun(folder, "remote", "get-url", "origin")

    def result(self) -> dict[str, Any]:
        """Give the commit, branch, remote and uncommitted changes.

        Returns:
            `commit`, `branch`, `remote` (secrets masked), `dirty`, and where something was changed
            `diff` (masked; cut at 200,000 characters, which `diff_cut` then says) and `untracked`
            (the number of files git doesn't know). Empty outside a working tree, or without git.
        """
        told, remote = _said(self._status), _said(self._remote) or ""
        if told is None:
            return {}
        lines = told.splitlines()
        head = dict(line[2:].split(" ", 1) for line in lines if line.startswith("# "))
        untracked = sum(line.startswith("?") for line in lines)
        state: dict[str, Any] = {
            "commit": _unless(head.get("branch.oid", ""), "(initial)"),
            "branch": _unless(head.get("branch.head", ""), "(detached)"),
            "remote": mask_text(remote.strip()),
            "dirty": any(line[:1] in ("1", "2", "u") for line in lines),
        }
        if untracked:
            state["untracked"] = untracked
        return state | (self._diff(state["commit"]) if state["dirty"] else {})

    def _diff(self, commit: str) -> dict[str, Any]:
        base = ["HEAD"] if commit else ["--cached"]
        options = ("--no-color", "--no-ext-diff", "--no-textconv")
        diff = _git(self._folder, "diff", *options, *base) or ""
        cut = len(diff) - _LONGEST_DIFF
        return {"diff": mask_text(diff[:_LONGEST_DIFF]), **({"diff_cut": cut} if cut > 0 else {})}


def _unless(text: str, missing: str) -> str:
    return "" if text == missing else text


def tracked(paths: Iterable[Path]) -> set[Path]:
    """Give those files that git tracks, in whatever working tree each of them is.

    Args:
        paths: Absolute paths without symbolic links.

    Returns:
        Some of the paths; none without git.
    """
    trees: dict[Path, list[Path]] = {}
    tops: dict[Path, Path | None] = {}
    for path in paths:
        top = _top(path.parent, tops)
        if top is not None:
            trees.setdefault(top, []).append(path)
    found = set()
    for top, files in trees.items():
        for start in range(0, len(files), _PATHS_PER_CALL):
            names = [str(path.relative_to(top)) for path in files[start : start + _PATHS_PER_CALL]]
            listed = _git(top, "--literal-pathspecs", "ls-files", "-z", "--", *names)
            found |= {top / name for name in (listed or "").split("\0") if name}
    return found


def _top(folder: Path, tops: dict[Path, Path | None]) -> Path | None:
    """Give the top of the working tree that a folder is in; `tops` remembers folders."""
    if folder not in tops:
        if (folder / ".git").exists():
            tops[folder] = folder
        else:
            tops[folder] = _top(folder.parent, tops) if folder.parent != folder else None
    return tops[folder]


def _git(folder: Path, *arguments: str) -> str | None:
    """Give what git prints, None when it fails, is missing or takes too long."""
    return _said(_begun(folder, *arguments))


def _begun(folder: Path, *arguments: str) -> "subprocess.Popen[bytes] | None":
    command = ["git", "-C", str(folder), "--no-optional-locks", *arguments]
    try:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
    except OSError:
        return None


def _said(process: "subprocess.Popen[bytes] | None") -> str | None:
    if process is None:
        return None
    with process:
        try:
            told = process.communicate(timeout=_SECONDS)[0]
        except subprocess.TimeoutExpired:
            process.kill()
            return None
    return told.decode("utf-8", "replace") if process.returncode == 0 else None
