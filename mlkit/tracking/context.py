"""The current run: the one piece of hidden state of tracking, one for each task and thread."""

from contextvars import ContextVar
from typing import TYPE_CHECKING

from mlkit.errors import NoActiveRun

if TYPE_CHECKING:
    from mlkit.tracking.active import ActiveRun

_current: ContextVar["ActiveRun | None"] = ContextVar("mlkit_current_run", default=None)


def current_run() -> "ActiveRun | None":
    """Give the innermost run that was started in this context and isn't finished, or None."""
    run = _current.get()
    while run is not None and run.finished:
        run = run.outer
    return run


def set_current(run: "ActiveRun | None") -> None:
    """Make a run the current one."""
    _current.set(run)


def require_run(verb: str) -> "ActiveRun":
    """Give the current run.

    Args:
        verb: What was called, for the message.

    Raises:
        NoActiveRun: There is none.
    """
    run = current_run()
    if run is None:
        message = f"mlkit.{verb} was called while no run is active"
        hint = (
            f"Write: with mlkit.start_run('experiment') as run: run.{verb}(…). "
            "Threads and worker processes have no current run of their own: hand them the run"
        )
        raise NoActiveRun(message, hint=hint)
    return run
