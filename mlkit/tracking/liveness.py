"""Whether the process that owns a run still lives, without a lock, a server or a clock to trust.

On the machine that started the run the process itself is looked at. Elsewhere the age of its
newest record tells, since a living run writes a heartbeat.
"""

import os
import socket
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

HEARTBEAT_SECONDS = 30
"""A run that logs nothing writes a heartbeat at least as often."""
SENDING_SECONDS = 300
"""A store that can't append is sent the newest records at least as often."""
_PATIENCE = 4
_SECOND = 1_000_000_000


def identity() -> dict[str, Any]:
    """Give what identifies this process among all of all machines: host, pid and start."""
    return dict(_identity_of(os.getpid()))


@cache
def _identity_of(pid: int) -> dict[str, Any]:
    return {"host": _host(), "pid": pid, "process_start": _start_of(pid)}


def is_lost(owner: Mapping[str, Any], *, newest: int, appends: bool, now: int) -> bool:
    """Tell whether an unfinished run's owner is gone.

    Args:
        owner: The `identity` of the process that started the run.
        newest: The time of its newest record, in nanoseconds since 1970, UTC.
        appends: Whether its store takes records as they are written, or in larger steps.
        now: The present time, alike.
    """
    quiet = SENDING_SECONDS if not appends else HEARTBEAT_SECONDS
    silent = now - newest > quiet * _PATIENCE * _SECOND
    if owner.get("host") != _host():
        return silent
    start, pid = owner.get("process_start"), owner.get("pid")
    if not isinstance(pid, int):  # nobody of ours
        return silent
    return _start_of(pid) != start if start else silent


def is_here(owner: Mapping[str, Any]) -> bool:
    """Tell whether a process is one of this machine that is known to live.

    Args:
        owner: Its `identity`.
    """
    start, pid = owner.get("process_start"), owner.get("pid")
    if owner.get("host") != _host() or not isinstance(pid, int):
        return False
    return pid == os.getpid() or (bool(start) and _start_of(pid) == start)


@cache
def _host() -> str:
    """Name this machine's present boot and process namespace, so that a pid means something."""
    parts = [socket.gethostname()]
    with suppress(OSError):  # where there is no /proc, the machine's name must do
        parts.append(Path("/proc/sys/kernel/random/boot_id").read_text().strip()[:8])
        parts.append(str(Path("/proc/self/ns/pid").readlink()))
    return " ".join(parts)


def _start_of(pid: int) -> str:
    """Give when a process started, in the kernel's ticks; empty when there is none or no Linux."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return ""
    fields = stat.rpartition(")")[2].split()
    return "" if fields[0] in "ZX" else fields[19]
