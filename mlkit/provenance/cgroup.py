"""What the control groups of Linux allow this process: cores and memory, often less than there is.

Groups lie within each other, and what an outer one doesn't allow no inner one has. Version 2 is
described in the kernel's Documentation/admin-guide/cgroup-v2.rst, version 1 in cgroup-v1/.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from attrs import frozen

ROOT: Final = Path("/")
_UNLIMITED = 1 << 60  # version 1 writes a number as large as it can for no limit


@frozen
class CpuQuota:
    """The tightest share of processor time that a group of this process has.

    Attributes:
        cores: How many cores' time it is.
        used: The time that the group has used so far in seconds, where the system tells.
    """

    cores: float
    used: float | None


@frozen
class MemoryQuota:
    """The tightest limit on memory that a group of this process has.

    Attributes:
        limit: Bytes.
        used: Bytes in use without caches of files that could be dropped, where the system tells.
    """

    limit: int
    used: int | None


def cpu_limit(*, root: Path = ROOT) -> float | None:
    """Give how many cores this process may use: those it is bound to, or its groups' quota.

    Args:
        root: Where `proc` and `sys` are.

    Returns:
        The smaller of both, such as 1.5; None where the system tells neither.
    """
    quota = cpu_quota(root=root)
    known = [quota.cores] if quota else []
    if hasattr(os, "sched_getaffinity"):
        known.append(float(len(os.sched_getaffinity(0))))
    return min(known, default=None)


def memory_limit(*, root: Path = ROOT) -> int | None:
    """Give how many bytes of memory this process's groups may use, None without a limit.

    Args:
        root: Where `proc` and `sys` are.
    """
    quota = memory_quota(root=root)
    return quota.limit if quota else None


def cpu_quota(*, root: Path = ROOT) -> CpuQuota | None:
    """Give the tightest quota of processor time, None without one."""
    found = []
    for group in _groups(root, ""):
        quota, period = (*_words(group / "cpu.max"), "", "")[:2]
        if quota.isdecimal() and period.isdecimal():
            used = _stat(group / "cpu.stat", "usage_usec")
            spent = None if used is None else used / 1e6
            found.append(CpuQuota(int(quota) / max(1, int(period)), spent))
    for group in _groups(root, "cpu"):
        limit, span = _number(group / "cpu.cfs_quota_us"), _number(group / "cpu.cfs_period_us")
        if limit is not None and span:
            within = group.relative_to(root / "sys/fs/cgroup/cpu")
            nanoseconds = _number(root / "sys/fs/cgroup/cpuacct" / within / "cpuacct.usage")
            spent = None if nanoseconds is None else nanoseconds / 1e9
            found.append(CpuQuota(limit / span, spent))
    return min(found, key=lambda quota: quota.cores, default=None)


def memory_quota(*, root: Path = ROOT) -> MemoryQuota | None:
    """Give the tightest limit on memory, None without one."""
    found = []
    for controller, limit_file, used_file, cached in (
        ("", "memory.max", "memory.current", "inactive_file"),
        ("memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
    ):
        for group in _groups(root, controller):
            limit = _number(group / limit_file)
            if limit is None or limit >= _UNLIMITED:
                continue
            used = _number(group / used_file)
            if used is not None:
                used = max(0, used - (_stat(group / "memory.stat", cached) or 0))
            found.append(MemoryQuota(limit, used))
    return min(found, key=lambda quota: quota.limit, default=None)


def _groups(root: Path, controller: str) -> Iterator[Path]:
    """Give the folders of this process's group and of those around it, the innermost first.

    In a container the path may be that on its host, of which only the end is mounted; folders
    that aren't there have no files, and are passed over like that.
    """
    mount = root / "sys/fs/cgroup" / controller
    if not controller and (mount / "unified").is_dir():  # both versions side by side
        mount /= "unified"
    for line in _text(root / "proc/self/cgroup").splitlines():
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if controller in controllers.split(","):
            parts = [part for part in path.split("/") if part not in ("", ".", "..")]
            for depth in range(len(parts), -1, -1):
                yield mount.joinpath(*parts[:depth])


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, ValueError):
        return ""


def _words(path: Path) -> list[str]:
    return _text(path).split()


def _number(path: Path) -> int | None:
    """Give the number in a file; None for `max`, `-1`, or when there is none."""
    text = _text(path).strip()
    return int(text) if text.isdecimal() else None


def _stat(path: Path, key: str) -> int | None:
    words = _words(path)
    pairs = dict(zip(words[::2], words[1::2], strict=False))
    value = pairs.get(key, "")
    return int(value) if value.isdecimal() else None
