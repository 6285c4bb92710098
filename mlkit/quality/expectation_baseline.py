"""What the values of a column should go on to be like: the profile of a version, and a distance."""

import json
from typing import TYPE_CHECKING, Any, Self

from attrs import field, frozen

from mlkit._core import shapes
from mlkit.data.profiles.column_profile import ColumnProfile
from mlkit.data.profiles.shift import shift
from mlkit.display.formats import show_float
from mlkit.quality.column_expectation import share_of

if TYPE_CHECKING:
    from mlkit.data.profiles.profile import Profile


@frozen(kw_only=True)
class ColumnBaseline:
    """How far the values of a column may move from those of a version.

    The profile of the column comes along, so neither the version nor a store is needed to check.

    Attributes:
        column: The column.
        threshold: The largest distance, 0 to 1; see `shift`.
        reference: What the version is called, such as `flights:3`; may be empty.
        profile: The profile of its column, as JSON text.
    """

    column: str
    threshold: float = field(converter=share_of)
    reference: str
    profile: str = field(repr=False)

    @classmethod
    def of(cls, profile: ColumnProfile, threshold: float, reference: str) -> Self:
        """Give the baseline that a column's profile is."""
        text = json.dumps(profile.to_json(), sort_keys=True)
        return cls(column=profile.name, threshold=threshold, reference=reference, profile=text)

    @property
    def sentence(self) -> str:
        """What is expected, in words."""
        where = self.reference or "the reference"
        return f"{self.column} moves from {where} by {show_float(self.threshold)} at most"

    def judge(self, found: ColumnProfile) -> tuple[bool, str]:
        """Hold the profile of a column against it.

        Returns:
            Whether it is met, and why. What can't be compared isn't met.
        """
        before = ColumnProfile.from_json(json.loads(self.profile))
        moved = shift(before, found) if before.count and found.count else None
        if moved is None:
            told = f"{found.type}, {found.count:,} values"
            return False, f"{before.type} there and {told} here can't be compared"
        # Profiles of large columns are approximate: what they may be off by is no drift.
        return moved.least <= self.threshold, moved.sentence

    def to_json(self) -> dict[str, Any]:
        """Give all of it as plain values, fit for a JSON document."""
        return {
            "column": self.column,
            "threshold": self.threshold,
            "reference": self.reference,
            "profile": json.loads(self.profile),
        }

    @classmethod
    def from_json(cls, data: Any) -> Self:
        """Give the baseline of what `to_json` gave.

        Raises:
            Misshapen: It is none.
            InvalidInput: It holds no profile.
        """
        name = shapes.required(data, "column", str)
        profile = ColumnProfile.from_json(shapes.required(data, "profile", dict))
        if profile.name != name:
            raise shapes.Misshapen(f"The profile of {name!r:.80} is that of another column")
        return cls.of(
            profile,
            shapes.required(data, "threshold", float),
            shapes.required(data, "reference", str),
        )


def baselines(
    profile: "Profile", threshold: float, reference: str, columns: tuple[str, ...]
) -> tuple[ColumnBaseline, ...]:
    """Give the baselines of some columns of a profile."""
    return tuple(
        ColumnBaseline.of(column, threshold, reference)
        for column in profile.columns
        if column.name in columns
    )
