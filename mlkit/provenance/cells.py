"""The cells of the notebook, or the inputs of the session, that this process executes."""

import hashlib
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from attrs import frozen

from mlkit._core.masking import mask_text
from mlkit.provenance.shell import running_shell

_EVENT = "pre_run_cell"  # at its start, so that a cell that never ends is known too


@frozen
class Cell:
    """An executed cell.

    Attributes:
        number: The number that IPython shows beside it, from 1.
        source: Its source as it was typed, secrets masked.
    """

    number: int
    source: str


class CellLog:
    """Gives the cells of the IPython that runs in this process; where none runs, there are none.

    Example:
        >>> log = CellLog()
        >>> log.watch(print)
        >>> log.unwatch()
    """

    def __init__(self) -> None:
        self._shell: Any = None
        self._deliver: Callable[[Cell], None] | None = None

    def earlier(self) -> list[Cell]:
        """Give the cells that were executed so far, and the one that is, in their order."""
        with suppress(Exception):  # a shell may have no history, or one that was tampered with
            sources = _inputs(running_shell())
            return [
                Cell(number, mask_text(source))
                for number, source in enumerate(sources)
                if number and source
            ]
        return []

    def watch(self, deliver: Callable[[Cell], None]) -> None:
        """Begin to tell of cells as they are executed.

        Args:
            deliver: Is told each cell just before it runs, in the thread that runs it; faults of
                it are dropped.
        """
        self.unwatch()
        shell = running_shell()
        if shell is not None:
            self._deliver = deliver
            with suppress(Exception):  # a shell without events has no cells either
                shell.events.register(_EVENT, self._begun)
                self._shell = shell

    def unwatch(self) -> None:
        """Stop telling."""
        shell, self._shell, self._deliver = self._shell, None, None
        if shell is not None:
            with suppress(Exception):  # somebody took all callbacks off
                shell.events.unregister(_EVENT, self._begun)

    def _begun(self, info: Any) -> None:
        deliver, shell = self._deliver, self._shell
        with suppress(Exception):  # it must not reach the user's cell
            # Code that runs cells itself (%%capture does) doesn't keep them; their cell is told.
            if deliver is not None and info.store_history:
                source = info.raw_cell.rstrip("\n")  # as among the inputs
                deliver(Cell(_number(shell), mask_text(source)))


def current_cell() -> tuple[str, int] | None:
    """Give which cell is being executed, to notice that the same one is executed again.

    Returns:
        Its identity and its number. The identity is the front end's id of the cell, which stays
        when its source is changed, or a digest of its source where the front end tells none.
        Between two cells it is the last one; None without IPython, or before its first cell.

    Example:
        >>> current_cell() is None
        True
    """
    with suppress(Exception):
        shell = running_shell()
        sources = _inputs(shell)
        if len(sources) > 1:
            identity = _id_of_cell(shell)
            if identity is None:
                digest = hashlib.sha256(sources[-1].encode("utf-8", "backslashreplace"))
                identity = f"source:{digest.hexdigest()}"
            return identity, len(sources) - 1
    return None


def _inputs(shell: Any) -> list[str]:
    """Give the inputs so far; the first is none, so that they are counted from 1."""
    return [] if shell is None else list(shell.history_manager.input_hist_raw)


def _number(shell: Any) -> int:
    """Give the number of the cell that is about to run."""
    # Newer versions of IPython count before they tell of the cell, older ones after it has run;
    # in neither is it among the inputs yet.
    count = int(shell.execution_count)
    return count - 1 if len(shell.history_manager.input_hist_raw) < count else count


def _id_of_cell(shell: Any) -> str | None:
    """Give the id of the running cell as `run_cell` was told, or else the kernel's request."""
    info = getattr(getattr(shell.displayhook, "exec_result", None), "info", None)
    told = getattr(info, "cell_id", None)
    if not told:
        parent = shell.get_parent() if hasattr(shell, "get_parent") else {}
        told = parent.get("metadata", {}).get("cellId")
    return mask_text(told) if told and isinstance(told, str) else None
