"""Which columns of runs are shown, and in which order: the most telling first."""

from typing import TYPE_CHECKING, Any

from mlkit._core.codec import encode_value
from mlkit.display.formats import show_span, show_time
from mlkit.index.view import View
from mlkit.query.columns import key_column

if TYPE_CHECKING:
    import pyarrow as pa

ROWS = 20
_SHORTEST_ID = len("01a20a83-4dc6")  # the time of a UUIDv7, to the millisecond
_MOST = 200  # keys; no screen has room for more


def shown_columns(view: View, rows: "pa.Array", lead: str | None) -> dict[str, list[Any]]:
    """Give what is shown of the first of some runs.

    Args:
        view: Where the runs are.
        rows: Their rows.
        lead: The field that comes first, such as `metrics.auc`, and then the params that vary.
    """
    import pyarrow.compute as pc

    first = rows.slice(0, ROWS)

    def fixed(name: str) -> list[Any]:
        values: list[Any] = view.fixed(name).take(first).to_pylist()
        return values

    columns: dict[str, list[Any]] = {"run": short_ids(view, rows, first)}
    if pc.count_distinct(view.fixed("experiment").take(rows)).as_py() > 1:
        columns["experiment"] = fixed("experiment")
    if any(fixed("name")):
        columns["name"] = fixed("name")
    columns["status"] = fixed("status")
    keyed = _keyed(view, first)
    telling = [name for name, values in keyed.items() if len(set(map(_token, values))) > 1]
    if lead is not None:
        varying = [name for name in telling if name.startswith("params.")]
        leading = ["run", *[name for name in [lead] if name in keyed], *varying]
        columns = {name: {**columns, **keyed}[name] for name in leading} | columns
    columns |= {name: keyed[name] for name in telling}
    columns["started"] = [
        show_time(round(one.timestamp() * 1_000_000) * 1000) for one in fixed("started")
    ]
    columns["duration"] = [show_span(one) for one in fixed("duration")]
    return columns | keyed


def short_ids(view: View, rows: "pa.Array", first: "pa.Array") -> list[str]:
    """Give the beginnings of the ids of the first runs that tell all of some runs apart."""
    import pyarrow.compute as pc

    ids = view.fixed("run_id").take(rows)
    shown: list[str] = view.fixed("run_id").take(first).to_pylist()
    longest = pc.max(pc.utf8_length(ids)).as_py() or 0
    for length in range(_SHORTEST_ID, longest):
        if pc.count_distinct(pc.utf8_slice_codeunits(ids, 0, length)).as_py() == len(ids):
            return [run_id[:length] for run_id in shown]
    return shown


def _keyed(view: View, rows: "pa.Array") -> dict[str, list[Any]]:
    homes = ("metrics", "params", "tags")
    names = [(home, name) for home in homes for name in sorted(view.names(home))]
    found: dict[str, list[Any]] = {}
    for start in range(0, len(names), _MOST):
        some = names[start : start + _MOST]
        view.load(homes, among={name for _, name in some})
        for home, name in some:
            column = key_column(view, home, name, rows)
            if column is not None:
                found[f"{home}.{name}"] = column.to_pylist()
                if len(found) == _MOST:
                    return found
    return found


def _token(value: object) -> str:
    return encode_value(value)
