"""Params and goals as they are kept: plain typed values, with secrets masked."""

from collections.abc import Mapping
from enum import Enum
from typing import Any

from mlkit._core.masking import mask_value
from mlkit._core.tags import check_key, check_mapping
from mlkit.errors import InvalidInput

GOALS = ("max", "min")
"""Which value of a metric may be the best one."""

_DEEPEST = 32
_HUGE = 1 << 4096


def plain_params(params: Mapping[str, Any]) -> dict[str, Any]:
    """Give params as JSON has them, with secrets masked.

    Bools, ints, floats, text and None keep their types, in nested mappings and lists too; numpy
    scalars become what they hold, enums their value. Of anything else the text is kept, as
    `str` gives it.

    Args:
        params: Name to value.

    Raises:
        InvalidInput: A name is no text, or a value is nested in itself.

    Example:
        >>> plain_params({"lr": 0.1, "layers": (64, 32), "api_key": "k-123"})
        {'lr': 0.1, 'layers': [64, 32], 'api_key': '[masked]'}
    """
    check_mapping(params, "log_params(lr=0.1)")
    return {
        check_key(key, "param"): mask_value(key, _plain(value, key, 0))
        for key, value in params.items()
    }


def plain_goals(goals: Mapping[str, str]) -> dict[str, str]:
    """Give goals as they are kept: metric to `max` or `min`.

    Raises:
        InvalidInput: A name is no text, or a goal is another.
    """
    check_mapping(goals, "set_goals(auc='max', loss='min')")
    for key, goal in goals.items():
        if goal not in GOALS:
            message = f"{goal!r} is no goal for the metric {key!r}"
            raise InvalidInput(message, hint="Use 'max' or 'min'")
    return {check_key(key, "metric"): str(goal) for key, goal in goals.items()}


def _plain(value: Any, key: str, depth: int) -> Any:
    if isinstance(value, Enum):
        value = value.value
    if callable(getattr(value, "item", None)) and getattr(value, "shape", None) == ():
        value = value.item()  # a numpy scalar or a tensor of one element
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int) and abs(value) >= _HUGE:
        return hex(value)  # Python and many JSON readers refuse so many decimal digits
    for kind in (int, float, str):  # of a subclass the plain type is kept
        if isinstance(value, kind):
            return kind(value)
    if isinstance(value, Mapping | list | tuple | set | frozenset):
        return _nested(value, key, depth + 1)
    try:
        return str(value)
    except Exception:  # noqa: BLE001 - a stranger's __str__ must not stop the training
        return f"<{type(value).__name__}>"


def _nested(value: Any, key: str, depth: int) -> Any:
    if depth > _DEEPEST:
        message = f"The param {key!r} is nested too deeply"
        raise InvalidInput(message, hint=f"Keep at most {_DEEPEST} levels, or log it as a file")
    if isinstance(value, Mapping):
        return {str(name): _plain(item, key, depth) for name, item in value.items()}
    items = sorted(value, key=str) if isinstance(value, set | frozenset) else value
    return [_plain(item, key, depth) for item in items]
