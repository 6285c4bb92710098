"""Orders: runs sorted by one or several fields, what they don't have always last."""

from collections.abc import Iterable, Sequence
from typing import Any, TypeVar

from mlkit.errors import InvalidInput
from mlkit.query.fields import RunLike, getter
from mlkit.query.parser import Keys, parse_order

R = TypeVar("R", bound=RunLike)

OrderBy = str | Sequence[str]
"""A field, `-` before it to descend, or several of them, the first counting most."""


def ordered(runs: Iterable[R], order_by: OrderBy, keys: Keys | None = None) -> list[R]:
    """Give the runs sorted; equal ones keep their order.

    Numbers come before text, text before true and false; NaN and what a run doesn't have come
    last, whether the order ascends or descends.

    Args:
        runs: The runs.
        order_by: Such as `-metrics.auc`, or `["params.depth", "-started"]`.
        keys: The keys that exist, by map, for better suggestions.

    Raises:
        FilterSyntax: An order is no field.
        InvalidInput: An order is no text.
    """
    fields = [order_by] if isinstance(order_by, str) else list(order_by)
    for text in fields:
        if not isinstance(text, str):
            message = f"{text!r} is no order"
            raise InvalidInput(message, hint="Write order_by='-metrics.auc', or a list of such")
    found = list(runs)
    for field, descending in reversed([parse_order(text, keys) for text in fields]):
        get = getter(field)
        placed = [(_rank(get(run)), run) for run in found]
        present = [(rank, run) for rank, run in placed if rank is not None]
        present.sort(key=lambda pair: pair[0], reverse=descending)
        found = [run for _, run in present] + [run for rank, run in placed if rank is None]
    return found


def _rank(value: object) -> tuple[int, Any] | None:
    if value is None or value != value:  # noqa: PLR0124 - NaN has no place in an order
        return None
    if isinstance(value, bool):
        return 2, value
    if isinstance(value, int | float):
        return 0, value
    return (1, value) if isinstance(value, str) else (3, repr(value))
