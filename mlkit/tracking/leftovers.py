"""What a dead process has left in an outbox: files of runs that may have ended meanwhile."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from mlkit._core.ids import is_uuid7
from mlkit.metrics.framing import scan
from mlkit.metrics.records import decode_event
from mlkit.tracking.liveness import is_here

_HEAD = 1 << 16  # a segment begins with the event that says who writes it


def runs_of_the_dead(folder: Path, paths: Iterable[str]) -> set[str]:
    """Give the ids of runs of which a process that lives no more has left something.

    Args:
        folder: The outbox.
        paths: What waits there.
    """
    found: set[str] = set()
    for path in paths:
        root, _, rest = path.partition("/")
        run_id = rest.partition("/")[0]
        if root == "runs" and is_uuid7(run_id) and run_id not in found:
            owner = _owner_of(folder / path)
            if owner is not None and not is_here(owner):
                found.add(run_id)
    return found


def _owner_of(place: Path) -> dict[str, Any] | None:
    """Give the process that a file says it is of; none that is known where it doesn't say."""
    try:
        if place.suffix == ".json":
            document = json.loads(place.read_bytes())
            owner = document.get("run", document)["owner"]
        else:
            with place.open("rb") as file:
                owner = decode_event(scan(file.read(_HEAD)).payloads[0]).body["owner"]
    except FileNotFoundError:  # it was sent in this moment
        return None
    except (OSError, LookupError, ValueError, TypeError, AttributeError):
        return {}
    return owner if isinstance(owner, dict) else {}
