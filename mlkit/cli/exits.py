"""Exit codes: what a script may conclude from them."""

from mlkit.errors import (
    Corrupt,
    InvalidInput,
    MissingExtra,
    MlkitError,
    NewerFormat,
    NotFound,
)

DONE = 0
NO = 1
USAGE = 2
NOT_FOUND = 3
FAULT = 4
UNREADABLE = 5
MISSING = 6

MEANINGS = {
    DONE: "done; of verify: nothing is damaged; of search: something matches",
    NO: "of verify, merge and export: something is damaged; of search: nothing matches",
    USAGE: "the command is wrong: an option, a name, a filter or a path",
    NOT_FOUND: "there is no such store, experiment, run, dataset, model or version",
    FAULT: "the storage failed: disk, network, credentials",
    UNREADABLE: "what is stored is corrupt, or of a newer format",
    MISSING: "a Python package is missing; the message names the extra",
}

_CODES: tuple[tuple[type[MlkitError], int], ...] = (
    (InvalidInput, USAGE),
    (NotFound, NOT_FOUND),
    (Corrupt, UNREADABLE),
    (NewerFormat, UNREADABLE),
    (MissingExtra, MISSING),
)


def code_of(error: MlkitError) -> int:
    """Give the exit code for an error.

    Example:
        >>> code_of(NotFound("There is no run 'abc'"))
        3
    """
    return next((code for kind, code in _CODES if isinstance(error, kind)), FAULT)
