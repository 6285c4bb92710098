"""The Python, the packages and the machine of this process."""

import getpass
import os
import platform
import sys
from contextlib import suppress
from functools import cache
from typing import Any

from mlkit._core.masking import mask_argv
from mlkit.provenance.cgroup import cpu_limit, memory_limit
from mlkit.provenance.hardware import gpus


@cache
def packages() -> dict[str, str]:
    """Give the version of each installed distribution, by its name, sorted.

    Both are taken from the name of the folder in which an installer describes a distribution (the
    specification "Recording installed projects" of PyPA), since opening every description would
    take ten times as long.
    """
    found: dict[str, str] = {}
    for place in sys.path:
        with suppress(OSError), os.scandir(place or ".") as items:
            for item in items:
                name, _, version = item.name.removesuffix(".dist-info").partition("-")
                if item.name.endswith(".dist-info") and version:
                    found.setdefault(name.replace("_", "-"), version)
    return dict(sorted(found.items(), key=lambda item: item[0].lower()))


@cache
def machine() -> dict[str, Any]:
    """Give what the machine is, and what of it this process may use.

    Returns:
        `host`, `platform`, `processor`, `cpus`, `memory` (bytes) where it tells; `cpu_limit`
        (cores) and `memory_limit` (bytes) where they are less than that; `gpus` where it has any.
    """
    import socket

    facts: dict[str, Any] = {
        "host": socket.gethostname(),
        "platform": f"{platform.system()} {platform.release()}",
        "processor": platform.machine(),
        "cpus": os.cpu_count(),
    }
    with suppress(ValueError, OSError, AttributeError):  # a system that doesn't tell
        facts["memory"] = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    limits = (
        ("cpu_limit", cpu_limit(), facts["cpus"]),
        ("memory_limit", memory_limit(), facts.get("memory")),
    )
    facts |= {
        name: limit
        for name, limit, whole in limits
        if limit is not None and (whole is None or limit < whole)
    }
    found = gpus()
    return {**facts, "gpus": found} if found else facts


def process() -> dict[str, Any]:
    """Give the Python, the command line (secrets masked), the folder and the user."""
    return {
        "python": platform.python_version(),
        "implementation": platform.python_implementation(),
        "executable": sys.executable,
        "argv": mask_argv(sys.argv),
        "folder": folder(),
        "user": user(),
    }


@cache
def user() -> str:
    """Give the name of the user, empty where the system has none for it."""
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):
        return ""


def folder() -> str:
    """Give the working folder, empty when it was removed under the process."""
    try:
        return os.getcwd()  # noqa: PTH109 - text is wanted
    except FileNotFoundError:
        return ""
