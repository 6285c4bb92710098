"""Where the generators of random numbers stand, so that a run can be begun from there again."""

import base64
import random
import struct
import sys
from collections.abc import Mapping
from typing import Any

from mlkit.errors import InvalidInput

_WORDS = 624  # of a Mersenne Twister
_LAYOUT = struct.Struct(f"<{_WORDS}I")
_NAME = "MT19937"


def generator_states() -> dict[str, Any]:
    """Give the states of the generators that everybody shares, as plain values.

    Returns:
        `random` for that of the standard library and, where numpy's are loaded, `numpy` for its
        legacy global one: each with `words` (base64 of 624 little-endian 32-bit words),
        `position` and `gauss` (the second of a pair of normal numbers, or None), the first with
        its `version` too. A global generator of another kind than numpy's own is left out.

    Example:
        >>> import random
        >>> states = generator_states()
        >>> first = random.random()
        >>> restore_generators(states)
        >>> random.random() == first
        True
    """
    version, words, gauss = random.getstate()
    states: dict[str, Any] = {
        "random": {
            "version": version,
            "words": _text(words[:_WORDS]),
            "position": words[_WORDS],
            "gauss": gauss,
        }
    }
    # Looking it up on numpy itself could load it; without the function it is just being loaded.
    numpy_state = getattr(sys.modules.get("numpy.random"), "get_state", None)
    if numpy_state is not None:
        state = numpy_state(legacy=False)
        if state["bit_generator"] == _NAME:
            states["numpy"] = {
                "words": _text(state["state"]["key"].tolist()),
                "position": int(state["state"]["pos"]),
                "gauss": float(state["gauss"]) if state["has_gauss"] else None,
            }
    return states


def restore_generators(states: Mapping[str, Any]) -> None:
    """Set the generators to states that `generator_states` gave.

    Args:
        states: The states; generators that it doesn't name are left as they are.

    Raises:
        InvalidInput: It holds something that is no state.
    """
    try:
        if "random" in states:
            mine = states["random"]
            words = (*_words(mine["words"]), int(mine["position"]))
            random.setstate((mine["version"], words, mine["gauss"]))
        if "numpy" in states:
            import numpy as np

            theirs = states["numpy"]
            gauss = theirs["gauss"]
            key = np.array(_words(theirs["words"]), dtype=np.uint32)
            position = int(theirs["position"])
            state = (_NAME, key, position, int(gauss is not None), gauss or 0.0)
            np.random.set_state(state)  # noqa: NPY002 - the legacy generator is the global one
    except (ValueError, TypeError, KeyError, struct.error) as error:
        message = f"This is no state of a generator of random numbers ({error})"
        raise InvalidInput(message, hint="Hand over what generator_states() gave") from error


def _text(words: tuple[int, ...] | list[int]) -> str:
    return base64.b64encode(_LAYOUT.pack(*words)).decode("ascii")


def _words(text: str) -> tuple[int, ...]:
    return _LAYOUT.unpack(base64.b64decode(text, validate=True))
