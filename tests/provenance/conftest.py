# ruff: noqa: N802 - the names are those of NVIDIA's library
"""Machines as they might be: control groups in a folder, and a driver with GPUs."""

import sys
import types

import pytest


@pytest.fixture
def system_root(tmp_path):
    """A folder with `proc` and `sys`; calling it writes files there."""

    def write(files):
        for name, text in files.items():
            path = tmp_path / "system" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return tmp_path / "system"

    return write


class FakeNvml(types.ModuleType):
    """The package pynvml with two GPUs; `broken` names the functions that fail."""

    def __init__(self):
        super().__init__("pynvml")
        self.broken = set()
        self.opened = 0

    def _tell(self, name, value):
        if name in self.broken:
            raise RuntimeError(name)
        return value

    def nvmlInit(self):
        self._tell("nvmlInit", None)
        self.opened += 1

    def nvmlShutdown(self):
        self.opened -= 1

    def nvmlSystemGetDriverVersion(self):
        return self._tell("nvmlSystemGetDriverVersion", b"535.54.03")

    def nvmlDeviceGetCount(self):
        return self._tell("nvmlDeviceGetCount", 2)

    def nvmlDeviceGetHandleByIndex(self, index):
        return self._tell("nvmlDeviceGetHandleByIndex", index)

    def nvmlDeviceGetName(self, handle):
        return self._tell("nvmlDeviceGetName", "NVIDIA A100")

    def nvmlDeviceGetUUID(self, handle):
        return self._tell("nvmlDeviceGetUUID", f"GPU-{handle}".encode())

    def nvmlDeviceGetMemoryInfo(self, handle):
        value = types.SimpleNamespace(total=80 << 30, used=(handle + 1) << 30)
        return self._tell("nvmlDeviceGetMemoryInfo", value)

    def nvmlDeviceGetUtilizationRates(self, handle):
        value = types.SimpleNamespace(gpu=90 + handle, memory=10)
        return self._tell("nvmlDeviceGetUtilizationRates", value)

    def nvmlDeviceGetTemperature(self, handle, sensor):
        assert sensor == 0  # of the chip
        return self._tell("nvmlDeviceGetTemperature", 60 + handle)

    def nvmlDeviceGetPowerUsage(self, handle):
        return self._tell("nvmlDeviceGetPowerUsage", 250_500)


@pytest.fixture
def nvml(monkeypatch):
    """A driver with two GPUs, in the place of pynvml."""
    fake = FakeNvml()
    monkeypatch.setitem(sys.modules, "pynvml", fake)
    return fake


@pytest.fixture
def no_nvml(monkeypatch):
    """A machine on which pynvml isn't installed."""
    monkeypatch.setitem(sys.modules, "pynvml", None)
