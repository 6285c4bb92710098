"""The GPUs of the machine, asked of the driver and never of a framework."""

import re
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

DRIVER: Final = Path("/proc/driver/nvidia")
_SIGNS = (DRIVER, Path("/dev/nvidiactl"), Path("/dev/dxg"))
_SECONDS = 5.0
_VERSION = re.compile(r"Kernel Module\b.*?\s(\d+(?:\.\d+)+)")


def gpus(*, driver: Path = DRIVER, seconds: float = _SECONDS) -> list[dict[str, Any]]:
    """Give the GPUs of the machine, none where there is none or the driver doesn't answer.

    Args:
        driver: Where the driver tells about itself, for machines without the package
            nvidia-ml-py.
        seconds: How long to wait for it.

    Returns:
        For each `name`, `uuid`, `memory` (bytes) and `driver` (its version), as far as known.
    """
    found: list[dict[str, Any]] = []

    def ask() -> None:
        with suppress(Exception):  # a driver may fail in many ways, and is no reason to fail
            found.extend(_by_library() or _by_files(driver))

    # A driver in trouble can hang for minutes; then its thread is left to itself.
    asking = threading.Thread(target=ask, name="mlkit-gpus", daemon=True)
    asking.start()
    asking.join(seconds)
    return list(found)


def nvml() -> Any:
    """Give the package pynvml, ready to be asked; None where it isn't installed, or has no GPU."""
    if "pynvml" not in sys.modules and not any(place.exists() for place in _SIGNS):
        return None  # loading it to hear that there is none would take longer than all the rest
    with suppress(Exception):
        import pynvml

        pynvml.nvmlInit()
        return pynvml
    return None


def text_of(value: str | bytes) -> str:
    """Give the text that the driver's library tells as bytes in older versions."""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value


def _by_library() -> list[dict[str, Any]]:
    library = nvml()
    if library is None:
        return []
    try:
        version = text_of(library.nvmlSystemGetDriverVersion())
        return [_gpu(library, index, version) for index in range(library.nvmlDeviceGetCount())]
    finally:
        library.nvmlShutdown()


def _gpu(library: Any, index: int, version: str) -> dict[str, Any]:
    handle = library.nvmlDeviceGetHandleByIndex(index)
    facts: dict[str, Any] = {
        "name": lambda: text_of(library.nvmlDeviceGetName(handle)),
        "uuid": lambda: text_of(library.nvmlDeviceGetUUID(handle)),
        "memory": lambda: int(library.nvmlDeviceGetMemoryInfo(handle).total),
    }
    gpu: dict[str, Any] = {}
    for fact, tell in facts.items():
        with suppress(Exception):  # some GPUs don't know, such as those without memory of their own
            gpu[fact] = tell()
    return gpu | {"driver": version}


def _by_files(driver: Path) -> list[dict[str, Any]]:
    version = _VERSION.search(_text(driver / "version"))
    found = []
    for path in sorted(driver.glob("gpus/*/information")):
        lines = (line.partition(":") for line in _text(path).splitlines())
        told = {fact.strip(): value.strip() for fact, _, value in lines}
        gpu = {"name": told.get("Model"), "uuid": told.get("GPU UUID")}
        gpu["driver"] = version[1] if version else None
        found.append({fact: value for fact, value in gpu.items() if value})
    return found


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
