import subprocess
import sys
import threading

import pytest

from mlkit.provenance import environment
from mlkit.provenance.environment import machine
from mlkit.provenance.hardware import gpus

INFORMATION = """Model: \t\t NVIDIA GeForce RTX 3090
IRQ:   \t\t 120
GPU UUID: \t GPU-1f3a
Video BIOS: \t 94.02.42.40.6d
Bus Location: \t 0000:01:00.0
not a fact
"""
VERSION = (
    "NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.54.03  Tue Jun  6 22:20:39 UTC\nGCC\n"
)


def test_a_driver_tells_name_uuid_memory_and_version(nvml):
    assert gpus() == [
        {"name": "NVIDIA A100", "uuid": f"GPU-{index}", "memory": 80 << 30, "driver": "535.54.03"}
        for index in range(2)
    ]
    assert nvml.opened == 0


def test_a_gpu_that_does_not_know_its_memory_is_still_told(nvml):
    nvml.broken.add("nvmlDeviceGetMemoryInfo")
    assert gpus()[0] == {"name": "NVIDIA A100", "uuid": "GPU-0", "driver": "535.54.03"}


@pytest.mark.parametrize("function", ["nvmlInit", "nvmlDeviceGetCount"])
def test_a_driver_that_fails_has_no_gpus(nvml, function, tmp_path):
    nvml.broken.add(function)
    assert gpus(driver=tmp_path) == []
    assert nvml.opened == 0


def test_a_driver_that_hangs_is_given_up(nvml, monkeypatch):
    answer = threading.Event()
    monkeypatch.setattr(nvml, "nvmlInit", answer.wait)
    assert gpus(seconds=0.01) == []
    answer.set()


def test_without_the_package_the_files_of_the_driver_tell(no_nvml, tmp_path):
    folder = tmp_path / "gpus" / "0000:01:00.0"
    folder.mkdir(parents=True)
    (folder / "information").write_text(INFORMATION)
    told = {"name": "NVIDIA GeForce RTX 3090", "uuid": "GPU-1f3a"}
    assert gpus(driver=tmp_path) == [told]
    (tmp_path / "version").write_text(VERSION)
    assert gpus(driver=tmp_path) == [told | {"driver": "535.54.03"}]
    (tmp_path / "version").write_text("something else\n")
    assert gpus(driver=tmp_path) == [told]


def test_a_machine_without_a_driver_has_no_gpus(no_nvml, tmp_path):
    assert gpus(driver=tmp_path / "nothing") == []


def test_no_framework_is_loaded_for_it():
    code = (
        "import sys; from mlkit.provenance.environment import machine; machine();"
        "print({'torch', 'numpy', 'psutil', 'tensorflow'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


@pytest.fixture
def fresh_machine():
    machine.cache_clear()
    yield
    machine.cache_clear()


def test_a_machine_says_its_host_gpus_and_limits(fresh_machine, nvml, monkeypatch):
    monkeypatch.setattr(environment.os, "cpu_count", lambda: 8)
    monkeypatch.setattr(environment, "cpu_limit", lambda: 1.5)
    monkeypatch.setattr(environment, "memory_limit", lambda: 4096)
    facts = machine()
    assert facts["host"]
    assert (facts["cpu_limit"], facts["memory_limit"]) == (1.5, 4096)
    assert len(facts["gpus"]) == 2


def test_limits_that_take_nothing_away_are_not_told(fresh_machine, no_nvml, monkeypatch):
    monkeypatch.setattr(environment.os, "cpu_count", lambda: 8)
    monkeypatch.setattr(environment, "cpu_limit", lambda: 8.0)
    monkeypatch.setattr(environment, "memory_limit", lambda: 1 << 59)
    assert not {"cpu_limit", "memory_limit", "gpus"} & set(machine())
