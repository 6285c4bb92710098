"""How many bytes of an array follow in a joblib file, from the state that comes before them."""

import math
import re
from typing import Any

from mlkit.models.pickle_stream import Unfollowed

_WRAPPERS = ("NumpyArrayWrapper", "NDArrayWrapper", "ZNDArrayWrapper")
_STATE = {"subclass", "shape", "order", "dtype", "allow_mmap", "numpy_array_alignment_bytes"}
_CODE = re.compile(r"([biufcmMSVU])([0-9]{1,9})")
_FIELDED = 7


def is_array_wrapper(name: str) -> bool:
    """Tell whether a class is one of those that joblib replaces by an array while it loads."""
    return name.rpartition(".")[2] in _WRAPPERS


def array_bytes(state: dict[Any, Any]) -> int | None:
    """Give the number of bytes that an array takes in the file.

    Args:
        state: The state of its wrapper, with a stand-in for its dtype.

    Returns:
        The bytes; None when a pickle comes instead, since its items are objects.

    Raises:
        Unfollowed: The state isn't one that joblib writes.
    """
    shape = state.get("shape")
    known = {"shape", "dtype", "order", "subclass"} <= set(state) <= _STATE
    if not known or not isinstance(shape, tuple):
        raise Unfollowed("an array isn't kept as this joblib keeps them")
    if not all(type(length) is int and length >= 0 for length in shape):
        raise Unfollowed("an array has a strange shape")
    itemsize = _itemsize(state["dtype"])
    return None if itemsize is None else itemsize * math.prod(shape)


def _itemsize(dtype: Any, depth: int = 0) -> int | None:
    """Give the bytes of one item of a dtype's stand-in; None when it holds objects."""
    if getattr(getattr(dtype, "what", None), "name", "") != "numpy.dtype" or depth > 8:  # noqa: PLR2004 - no dtype is so deep
        raise Unfollowed("an array has a type that isn't numpy's own")
    code = dtype.arguments[0] if dtype.arguments else None
    state = dtype.state.get("__state__", ())
    if code == "O8":
        return None
    match = _CODE.fullmatch(code) if isinstance(code, str) else None
    if match is None:
        raise Unfollowed(f"an array has the type {code!r}")
    letter, size = match[1], int(match[2])
    if letter == "V":
        return _structure(state, size, depth)
    return 4 * size if letter == "U" else size


def _structure(state: tuple[Any, ...], size: int, depth: int) -> int | None:
    if len(state) < _FIELDED:
        raise Unfollowed("an array has a type of unknown structure")
    _, _, part, names, fields, itemsize, *_ = state
    if part is not None or (names is not None and not isinstance(fields, dict)):
        raise Unfollowed("an array has a type of unknown structure")
    if names is not None and itemsize != size:
        raise Unfollowed("an array has a type whose size is said twice, differently")
    inner = [field[0] for field in fields.values()] if isinstance(fields, dict) else []
    return None if any(_itemsize(kind, depth + 1) is None for kind in inner) else size
