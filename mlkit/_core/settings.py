"""What the environment says: where the default store, the cache and the spool are."""

import os
import re
import tempfile
from pathlib import Path

from mlkit.errors import InvalidInput

_PATIENCE = 60.0
_CACHE = 10 << 30
_SIZE = re.compile(r"(\d+(?:\.\d+)?) *([kmgt]?)(i?)b?", re.IGNORECASE)
_OFF = frozenset({"0", "false", "no", "off"})


def default_store_url() -> str:
    """Give the URL of the store that is used when none is named.

    It is `$MLKIT_STORE`, else `.mlkit` in the working directory.
    """
    return os.environ.get("MLKIT_STORE") or ".mlkit"


def cache_dir() -> Path:
    """Give the folder for copies of remote objects, all of which can be fetched again.

    It is `$MLKIT_CACHE`, else `mlkit` in the user's cache folder (`$XDG_CACHE_HOME`).
    """
    named = os.environ.get("MLKIT_CACHE")
    if named:
        return Path(named)
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else _home() / ".cache") / "mlkit"


def cache_size() -> int:
    """Give the most bytes that copies of remote objects may take on this machine.

    It is `$MLKIT_CACHE_SIZE`, such as `500MB`, `20GB` or `20GiB`, else 10 GiB; 0 keeps no copies.

    Raises:
        InvalidInput: The variable is no size.
    """
    named = os.environ.get("MLKIT_CACHE_SIZE")
    if not named:
        return _CACHE
    match = _SIZE.fullmatch(named.strip())
    if match is None:
        message = f"MLKIT_CACHE_SIZE is {named!r}, which is no size"
        raise InvalidInput(message, hint="Set it to a size such as 20GB, or don't set it")
    unit = 1024 if match[3] else 1000
    return int(float(match[1]) * unit ** " kmgt".index(match[2].lower() or " "))


def spool_dir() -> Path:
    """Give the folder for what isn't yet in a remote store, and mustn't be lost.

    It is `$MLKIT_SPOOL`, else `mlkit/spool` in the user's state folder (`$XDG_STATE_HOME`).
    """
    named = os.environ.get("MLKIT_SPOOL")
    if named:
        return Path(named)
    base = os.environ.get("XDG_STATE_HOME")
    return (Path(base) if base else _home() / ".local" / "state") / "mlkit" / "spool"


def _home() -> Path:
    """Give the user's folder; where a user has none, as in some containers, a temporary one."""
    try:
        return Path.home()
    except RuntimeError:
        return Path(tempfile.gettempdir()) / f"mlkit-{os.getuid()}"


def patience() -> float:
    """Give how many seconds the end of a run waits while nothing it sends moves.

    It is `$MLKIT_PATIENCE`, else 60.

    Raises:
        InvalidInput: The variable is no number of seconds.
    """
    named = os.environ.get("MLKIT_PATIENCE")
    try:
        seconds = float(named) if named else _PATIENCE
    except ValueError:
        seconds = -1.0
    if not seconds >= 0:
        message = f"MLKIT_PATIENCE is {named!r}, which is no number of seconds"
        raise InvalidInput(message, hint="Set it to a number such as 60, or don't set it")
    return seconds


def captures() -> bool:
    """Tell whether runs record unasked where they come from; `$MLKIT_CAPTURE=off` says not."""
    return os.environ.get("MLKIT_CAPTURE", "").strip().lower() not in _OFF
