"""What differs between runs, and only that."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from attrs import frozen

from mlkit._core.codec import encode_value
from mlkit.display.markup import element
from mlkit.display.page import fragment
from mlkit.display.table import html_table
from mlkit.display.text import text_table
from mlkit.query.columns import values_to_arrow
from mlkit.query.fields import RunLike, keys_of
from mlkit.query.filter import known_keys

if TYPE_CHECKING:
    import pyarrow as pa

_SHOWN = 6


@frozen
class Comparison:
    """The fields in which runs differ.

    Attributes:
        run_ids: The runs, in order.
        labels: What to call each run: its name, or the beginning of its id.
        values: Field such as `params.lr` to one value a run, None where a run has none.
    """

    run_ids: tuple[str, ...]
    labels: tuple[str, ...]
    values: dict[str, tuple[Any, ...]]

    @classmethod
    def of(cls, runs: Sequence[RunLike], labels: Sequence[str]) -> "Comparison":
        """Compare runs."""
        fields: dict[str, tuple[Any, ...]] = {
            "experiment": tuple(run.experiment for run in runs),
            "status": tuple(run.status for run in runs),
        }
        known = known_keys(runs)
        maps = [keys_of(run) for run in runs]
        for home in ("params", "metrics", "tags"):
            for key in known[home]:
                fields[f"{home}.{key}"] = tuple(held[home].get(key) for held in maps)
        fields["inputs"] = tuple(
            ", ".join(str(link.get("ref")) for link in run.inputs) or None for run in runs
        )
        differing = {name: row for name, row in fields.items() if len(set(map(_token, row))) > 1}
        return cls(tuple(run.id for run in runs), tuple(labels), differing)

    def to_arrow(self) -> "pa.Table":
        """Give a table with a row for each run: `run_id`, and what differs."""
        import pyarrow as pa

        columns = {"run_id": pa.array(self.run_ids, pa.string())}
        columns |= {name: values_to_arrow(row) for name, row in self.values.items()}
        return pa.table(columns)

    def __len__(self) -> int:
        return len(self.values)

    def __repr__(self) -> str:
        if not self.values:
            return self._nothing()
        text = text_table(["", *self.labels[:_SHOWN]], self._rows(_SHOWN), widest=32)
        rest = len(self.labels) - _SHOWN
        more = f"… and {rest:,} more run{'' if rest == 1 else 's'}"
        return f"{text}\n{more}" if rest > 0 else text

    def _repr_html_(self) -> str:
        if not self.values:
            return fragment(element("p", self._nothing()))
        return fragment(html_table(["", *self.labels], self._rows(len(self.labels))))

    def _rows(self, runs: int) -> list[list[Any]]:
        return [[name, *row[:runs]] for name, row in self.values.items()]

    def _nothing(self) -> str:
        return f"Nothing differs between {len(self.run_ids)} runs"


def _token(value: object) -> str:
    """Values are the same when type and text are, so that 4, 4.0, '4' and true all differ."""
    return encode_value(value)
