"""What differs between runs, and only that."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from attrs import frozen

from mlkit._core.codec import encode_value
from mlkit._core.hashing import digest_bytes
from mlkit.display.markup import element
from mlkit.display.page import fragment
from mlkit.display.table import html_table
from mlkit.display.text import text_table
from mlkit.index.row import storable
from mlkit.query.columns import values_to_arrow
from mlkit.query.fields import RunLike, keys_of

if TYPE_CHECKING:
    import pyarrow as pa

_SHOWN = 6
_LONG = 200
_DIGITS = len("sha256:") + 12
_SPECIFIC = {"pid", "ppid", "cells", "cwd"}  # of a process: they differ, and explain nothing


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
        told = [dict(_facts(run)) for run in runs]
        names = {name: None for facts in told for name in facts}  # in the order of the first run
        order = sorted(names, key=lambda name: _HOMES.index(name.partition(".")[0]))
        fields = {name: tuple(facts.get(name) for facts in told) for name in order}
        differing = {name: row for name, row in fields.items() if len(set(map(_token, row))) > 1}
        return cls(tuple(run.id for run in runs), tuple(labels), differing)

    def to_arrow(self) -> "pa.Table":
        """Give a table with a row for each run: `run_id`, and what differs."""
        import pyarrow as pa

        columns: dict[str, Any] = {"run_id": pa.array(self.run_ids, pa.string())}
        columns |= {storable(name): values_to_arrow(row) for name, row in self.values.items()}
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


_HOMES = (
    "experiment",
    "status",
    "params",
    "metrics",
    "tags",
    "inputs",
    "code",
    "sources",
    "packages",
    "process",
    "machine",
    "job",
)


def _facts(run: RunLike) -> Iterator[tuple[str, Any]]:
    """Give all that may tell a run from others, by name."""
    yield "experiment", run.experiment
    yield "status", run.status
    held = keys_of(run)
    for home in ("params", "metrics", "tags"):
        for key in sorted(held[home]):
            yield f"{home}.{key}", held[home][key]
    read = sorted(f"{link.get('ref')} {link.get('digest') or ''}".strip() for link in run.inputs)
    if read:
        yield "inputs", ", ".join(dict.fromkeys(read))
    for path, source in sorted(getattr(run, "sources", {}).items()):
        yield f"sources.{path}", source.digest
    provenance: Mapping[str, Any] = getattr(run, "provenance", {})
    for home in _HOMES:
        part = provenance.get(home)
        if isinstance(part, Mapping):
            for name, value in _leaves(part):
                if name not in _SPECIFIC:
                    yield f"{home}.{name}", _short(value)


def _short(value: Any) -> Any:
    """Give what a value is told by: of a long text, such as a diff, its digest."""
    if isinstance(value, str) and len(value) > _LONG:
        return digest_bytes(value.encode("utf-8", "surrogatepass"))[:_DIGITS]
    return value


def _leaves(part: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in part.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{above}{name}.")
        else:
            yield f"{above}{name}", value


def _token(value: object) -> str:
    """Values are the same when type and text are, so that 4, 4.0, '4' and true all differ."""
    return encode_value(value)
