"""The state of the code, as git knows it."""

import subprocess
from pathlib import Path
from typing import Any

from mlkit._core.masking import mask_text

_SECONDS = 5
_LONGEST_DIFF = 200_000


def code_state(folder: Path) -> dict[str, Any]:
    """Give the commit, branch, remote and uncommitted changes of a working tree.

    Args:
        folder: A folder in it.

    Returns:
        `commit`, `branch`, `remote` (secrets masked), `dirty`, and where something was changed
        `diff` (masked; cut at 200,000 characters, which `diff_cut` then says) and `untracked`
        (the number of files git doesn't know). Empty outside a working tree, or without git.
    """
    top = _git(folder, "rev-parse", "--show-toplevel")
    if top is None:
        return {}
    root = Path(top.strip())
    state: dict[str, Any] = {
        "commit": (_git(root, "rev-parse", "--verify", "-q", "HEAD") or "").strip(),
        "branch": (_git(root, "symbolic-ref", "--short", "-q", "HEAD") or "").strip(),
        "remote": mask_text((_git(root, "remote", "get-url", "origin") or "").strip()),
    }
    status = (_git(root, "status", "--porcelain", "--untracked-files=normal") or "").splitlines()
    untracked = sum(line.startswith("??") for line in status)
    state["dirty"] = len(status) > untracked
    if untracked:
        state["untracked"] = untracked
    if state["dirty"]:
        base = ["HEAD"] if state["commit"] else ["--cached"]
        diff = _git(root, "diff", "--no-color", "--no-ext-diff", "--no-textconv", *base) or ""
        state["diff"] = mask_text(diff[:_LONGEST_DIFF])
        if len(diff) > _LONGEST_DIFF:
            state["diff_cut"] = len(diff) - _LONGEST_DIFF
    return state


def _git(folder: Path, *arguments: str) -> str | None:
    """Give what git prints, None when it fails, is missing or takes too long."""
    command = ["git", "-C", str(folder), "--no-optional-locks", *arguments]
    try:
        done = subprocess.run(
            command, capture_output=True, timeout=_SECONDS, check=False, stdin=subprocess.DEVNULL
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.decode("utf-8", "replace") if done.returncode == 0 else None
