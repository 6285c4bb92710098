"""Every error that mlkit raises on purpose, grouped by what a handler would do about it.

```text
MlkitError
├── InvalidInput (ValueError)          change the argument
│   ├── InvalidName
│   ├── SchemaMismatch
│   └── FilterSyntax
├── NotFound (KeyError)                look at what exists
│   └── NotAStore
├── AlreadyExists (FileExistsError)    take another name
├── StorageFault (OSError)             look at the disk, network or credentials; try again
│   ├── ReadOnly (PermissionError)
│   └── SingleWriterOnly
├── Corrupt (ValueError)               run verify; restore from a copy
├── NewerFormat (RuntimeError)         upgrade mlkit
├── Untrusted (PermissionError)        read the list, then trust it or not
├── MissingExtra (ImportError)         install the extra
├── NoActiveRun (RuntimeError)         start a run
├── RunFinished (RuntimeError)         start or resume a run
├── GateRefused (RuntimeError)         read the report
└── DataRefused (ValueError)           read the report; mend the data
```

A message says what happened, to what, and the next step. All errors pickle, so they cross
process borders whole.
"""

from typing import Any, ClassVar

__all__ = [
    "AlreadyExists",
    "Corrupt",
    "DataRefused",
    "FilterSyntax",
    "GateRefused",
    "InvalidInput",
    "InvalidName",
    "MissingExtra",
    "MlkitError",
    "NewerFormat",
    "NoActiveRun",
    "NotAStore",
    "NotFound",
    "ReadOnly",
    "RunFinished",
    "SchemaMismatch",
    "SingleWriterOnly",
    "StorageFault",
    "Untrusted",
]


class MlkitError(Exception):
    """The root of the tree; `except MlkitError` catches whatever mlkit raises on purpose.

    Args:
        message: What happened, and to what.
        hint: The next step, as a sentence; empty where the message says it all.

    Example:
        >>> str(MlkitError("No run 'abc' in this store", hint="store.search_runs() lists them"))
        "No run 'abc' in this store. store.search_runs() lists them"
    """

    kind: ClassVar[str] = "error"
    """A stable word for the class, for logs and scripts; it survives renames of the class."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        if not self.hint:
            return self.message
        if "\n" in self.message:  # it may end in a picture, which nothing stands behind
            return f"{self.message}\n{self.hint}"
        return f"{self.message}{'' if self.message.endswith(('.', '?', '!')) else '.'} {self.hint}"

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), self.message, self.hint, self.__dict__)


def _rebuild(cls: type[MlkitError], message: str, hint: str, state: dict[str, Any]) -> MlkitError:
    error = cls(message, hint=hint)
    error.__dict__.update(state)
    return error


class InvalidInput(MlkitError, ValueError):
    """An argument can't be used as it is; nothing was written."""

    kind = "invalid_input"


class InvalidName(InvalidInput):
    """A name of a dataset, model or alias breaks the rules for names."""

    kind = "invalid_name"


class SchemaMismatch(InvalidInput):
    """Data doesn't fit the signature of the model, or the schema of the dataset."""

    kind = "schema_mismatch"


class FilterSyntax(InvalidInput):
    """A filter text can't be parsed, or names a field that doesn't exist."""

    kind = "filter_syntax"


class NotFound(MlkitError, KeyError):
    """What was asked for doesn't exist."""

    kind = "not_found"


class NotAStore(NotFound):
    """There is something at the URL, but it isn't an mlkit store."""

    kind = "not_a_store"


class AlreadyExists(MlkitError, FileExistsError):
    """Another writer holds the name that was to be created."""

    kind = "already_exists"


class StorageFault(MlkitError, OSError):
    """The storage below failed: disk, network, credentials."""

    kind = "storage_fault"


class ReadOnly(StorageFault, PermissionError):
    """A write was asked of a storage that only reads."""

    kind = "read_only"


class SingleWriterOnly(StorageFault):
    """The storage can't refuse a second writer, so numbered versions aren't safe on it."""

    kind = "single_writer_only"


class Corrupt(MlkitError, ValueError):
    """Bytes that were read don't match their digest, or aren't what they claim to be."""

    kind = "corrupt"


class NewerFormat(MlkitError, RuntimeError):
    """The data were written by a newer mlkit in a format that this one can't read."""

    kind = "newer_format"


class Untrusted(MlkitError, PermissionError):
    """Loading would run code from a store that the caller hasn't trusted."""

    kind = "untrusted"


class MissingExtra(MlkitError, ImportError):
    """An optional package is needed; the message names the extra that brings it."""

    kind = "missing_extra"


class NoActiveRun(MlkitError, RuntimeError):
    """A module-level verb was called while no run was active."""

    kind = "no_active_run"


class RunFinished(MlkitError, RuntimeError):
    """A run that is finished can't be written to."""

    kind = "run_finished"


class GateRefused(MlkitError, RuntimeError):
    """A gate wasn't passed, so the alias stayed where it was.

    Args:
        message: What was refused.
        hint: The next step.
        report: The gate's report, with each condition and its figures.
    """

    kind = "gate_refused"

    def __init__(self, message: str, *, hint: str = "", report: Any = None) -> None:
        super().__init__(message, hint=hint)
        self.report = report


class DataRefused(MlkitError, ValueError):
    """Data don't meet what is expected of them, so nothing was made of them.

    Args:
        message: What was refused.
        hint: The next step.
        report: The report of the check, with each expectation that failed, and rows that show it.
    """

    kind = "data_refused"

    def __init__(self, message: str, *, hint: str = "", report: Any = None) -> None:
        super().__init__(message, hint=hint)
        self.report = report
