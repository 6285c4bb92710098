"""How busy the machine is: processors, memory, disks, network and GPUs, as numbers for metrics."""

import importlib.util
import os
import shutil
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from mlkit.provenance.cgroup import ROOT, cpu_quota, memory_quota
from mlkit.provenance.hardware import nvml

_GPU_TEMPERATURE = 0  # the sensor of the chip: NVML_TEMPERATURE_GPU
_SECONDS = 5.0

Sample = dict[str, float]


class SystemSampler:
    """Measures the machine and this process, as far as the packages of the extra `system` can.

    `system/cpu_percent` and `system/memory_percent` are of what the process may use: the cores
    that it is bound to or its control group's quota, and the group's limit on memory.
    `system/process_cpu_percent` is 100 for one busy core. What counts up is told as a rate since
    the sample before, so the first sample has none of it.

    Args:
        clock: Gives seconds that only grow.
        folder: Whose disk to measure; the working folder by default.
        root: Where `proc` and `sys` are.

    Example:
        >>> sampler = SystemSampler()
        >>> sampler.sample()["system/disk_percent"] <= 100
        True
    """

    def __init__(
        self,
        *,
        clock: Callable[[], float] = time.monotonic,
        folder: Path = Path(),
        root: Path = ROOT,
    ) -> None:
        self._clock = clock
        self._folder = folder
        self._root = root
        self._seen: dict[str, tuple[float, float]] = {}  # by name: when, and how far it was
        self._cores: dict[int, tuple[float, float]] = {}  # by core: its time, and that when busy
        self._nvml: Any = None
        self._asked: threading.Thread | None = None

    @staticmethod
    def available() -> bool:
        """Tell whether a package of the extra `system` is installed, without loading it."""
        return any(_is_installed(name) for name in ("psutil", "pynvml"))

    def sample(self) -> Sample:
        """Measure now.

        Returns:
            By key a number. What can't be measured is left out.
        """
        sample: Sample = {}
        for probe in (self._cpu, self._process, self._memory, self._disk, self._network):
            with suppress(Exception):  # one that fails says nothing, and the others all the same
                sample |= probe()
        with suppress(Exception):
            used = shutil.disk_usage(self._folder)
            sample["system/disk_percent"] = 100 * used.used / max(1, used.used + used.free)
        with suppress(Exception):
            sample |= self._gpus()
        return sample

    def close(self) -> None:
        """Let go of the driver; the next sample asks it again."""
        library, self._nvml, self._asked = self._nvml, None, None
        if library is not None:
            with suppress(Exception):
                library.nvmlShutdown()

    def _rate(self, name: str, value: float) -> Sample:
        """Give how much a counter grew a second, nothing the first time or after it began anew."""
        now = self._clock()
        before = self._seen.get(name)
        self._seen[name] = now, value
        if before is None or now <= before[0] or value < before[1]:
            return {}
        return {name: (value - before[1]) / (now - before[0])}

    def _cpu(self) -> Sample:
        bound = _bound_to()
        quota = cpu_quota(root=self._root)
        cores = len(bound) if bound else (os.cpu_count() or 1)
        if quota is not None and quota.used is not None and quota.cores < cores:
            key = "system/cpu_percent"
            return {
                name: 100 * rate / quota.cores for name, rate in self._rate(key, quota.used).items()
            }
        import psutil

        times = {core: _time_of(told) for core, told in enumerate(psutil.cpu_times(percpu=True))}
        if bound & set(times):
            times = {core: spent for core, spent in times.items() if core in bound}
        before, self._cores = self._cores, times
        if before.keys() != times.keys():
            return {}
        passed = sum(times[core][0] - before[core][0] for core in times)
        busy = sum(times[core][1] - before[core][1] for core in times)
        return {"system/cpu_percent": min(100.0, max(0.0, 100 * busy / passed))} if passed else {}

    def _process(self) -> Sample:
        import psutil

        process = psutil.Process()
        times = process.cpu_times()
        spent = self._rate("system/process_cpu_percent", 100 * (times.user + times.system))
        return {"system/process_rss_bytes": float(process.memory_info().rss), **spent}

    def _memory(self) -> Sample:
        quota = memory_quota(root=self._root)
        if quota is not None and quota.used is not None:
            used, limit = quota.used, quota.limit
        else:
            import psutil

            memory = psutil.virtual_memory()
            used, limit = memory.total - memory.available, memory.total
        return {
            "system/memory_used_bytes": float(used),
            "system/memory_percent": 100 * used / max(1, limit),
        }

    def _disk(self) -> Sample:
        import psutil

        counters = psutil.disk_io_counters()
        read = self._rate("system/disk_read_bytes_per_s", counters.read_bytes)
        return read | self._rate("system/disk_written_bytes_per_s", counters.write_bytes)

    def _network(self) -> Sample:
        import psutil

        counters = psutil.net_io_counters()
        sent = self._rate("system/network_sent_bytes_per_s", counters.bytes_sent)
        return sent | self._rate("system/network_received_bytes_per_s", counters.bytes_recv)

    def _gpus(self) -> Sample:
        library = self._driver()
        sample: Sample = {}
        if library is None:
            return sample
        for index in range(library.nvmlDeviceGetCount()):
            with suppress(Exception):
                handle = library.nvmlDeviceGetHandleByIndex(index)
                for name, tell in _GPU_FACTS.items():
                    with suppress(Exception):  # some GPUs don't know some of it
                        sample[f"system/gpu{index}/{name}"] = float(tell(library, handle))
        return sample

    def _driver(self) -> Any:
        """Give the driver's library, asked for once; None until it has answered."""
        if self._asked is None:
            # A driver in trouble can hang for minutes; then its thread is left to itself.
            self._asked = threading.Thread(target=self._ask, name="mlkit-gpus", daemon=True)
            self._asked.start()
            self._asked.join(_SECONDS)
        return self._nvml

    def _ask(self) -> None:
        self._nvml = nvml()


_GPU_FACTS: dict[str, Callable[[Any, Any], float]] = {
    "utilization_percent": lambda nvml, gpu: nvml.nvmlDeviceGetUtilizationRates(gpu).gpu,
    "memory_used_bytes": lambda nvml, gpu: nvml.nvmlDeviceGetMemoryInfo(gpu).used,
    "temperature_celsius": lambda nvml, gpu: nvml.nvmlDeviceGetTemperature(gpu, _GPU_TEMPERATURE),
    "power_watts": lambda nvml, gpu: nvml.nvmlDeviceGetPowerUsage(gpu) / 1000,
}


def _bound_to() -> set[int]:
    """Give the cores that this process is bound to, none where the system doesn't tell."""
    return set(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else set()


def _time_of(told: Any) -> tuple[float, float]:
    """Give the time that a core has counted, and how much of it was busy, in seconds."""
    # Guests' time is counted in that of the user too.
    guests = getattr(told, "guest", 0.0) + getattr(told, "guest_nice", 0.0)
    passed = sum(told) - guests
    return passed, passed - told.idle - getattr(told, "iowait", 0.0)


def _is_installed(name: str) -> bool:
    if name in sys.modules:
        return sys.modules[name] is not None
    try:
        return importlib.util.find_spec(name) is not None
    except (ImportError, ValueError):
        return False
