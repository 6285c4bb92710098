"""A mark: the small object that says which run has changed, and its name."""

import re

from attrs import frozen

from mlkit._core.codec import encode_document
from mlkit._core.ids import is_uuid7

FOLDER = "tables/changes"
"""Where marks are, in a store and in an outbox."""

_MARK = re.compile(rf"{FOLDER}/([^./]+)\.(before|after)-([^./]+)")


@frozen
class Mark:
    """What the name of a mark says.

    Attributes:
        run_id: The run that changes.
        change: Which change that is: an id that sorts by time, the same before and after it.
        before: Whether it was put before the change; an outbox sends such a one first.
    """

    run_id: str
    change: str
    before: bool

    @property
    def path(self) -> str:
        """Where it is."""
        return f"{FOLDER}/{self.run_id}.{'before' if self.before else 'after'}-{self.change}"

    @property
    def content(self) -> bytes:
        """What it holds, unlike any other."""
        return encode_document(
            "run_change", {"run": self.run_id, "change": self.change, "before": self.before}
        )

    @classmethod
    def of(cls, path: str) -> "Mark | None":
        """Give the mark at a path; None for what is no mark.

        Example:
            >>> run_id = "0190f7a5-1c3b-7c5e-8f00-1234567890ab"
            >>> Mark.of(f"tables/changes/{run_id}.after-{run_id}").run_id
            '0190f7a5-1c3b-7c5e-8f00-1234567890ab'
        """
        found = _MARK.fullmatch(path)
        if found is None or not (is_uuid7(found[1]) and is_uuid7(found[3])):
            return None
        return cls(found[1], found[3], found[2] == "before")
