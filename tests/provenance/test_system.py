import importlib.util
import subprocess
import sys
import threading
from types import SimpleNamespace
from typing import NamedTuple

import psutil
import pytest

from mlkit.provenance import system
from mlkit.provenance.system import SystemSampler


class Times(NamedTuple):
    user: float
    system: float
    idle: float
    iowait: float
    guest: float
    guest_nice: float


class FakePsutil:
    """What psutil tells of a machine with two cores; the test moves the counters."""

    def __init__(self):
        self.cores = [Times(1.0, 0.0, 9.0, 0.0, 0.0, 0.0), Times(0.0, 0.0, 10.0, 0.0, 0.0, 0.0)]
        self.process = SimpleNamespace(user=1.0, system=0.5)
        self.disk = SimpleNamespace(read_bytes=1000, write_bytes=2000)
        self.network = SimpleNamespace(bytes_sent=10, bytes_recv=20)
        self.broken = set()

    def _tell(self, name, value):
        if name in self.broken:
            raise OSError(name)
        return value

    def cpu_times(self, *, percpu):
        assert percpu
        return self._tell("cpu_times", self.cores)

    def virtual_memory(self):
        return self._tell("virtual_memory", SimpleNamespace(total=1000, available=250))

    def disk_io_counters(self):
        return self._tell("disk_io_counters", self.disk)

    def net_io_counters(self):
        return self._tell("net_io_counters", self.network)

    def Process(self):  # noqa: N802 - as psutil calls it
        return SimpleNamespace(
            cpu_times=lambda: self._tell("Process", self.process),
            memory_info=lambda: SimpleNamespace(rss=4096),
        )


@pytest.fixture
def machine(monkeypatch, no_nvml):
    fake = FakePsutil()
    monkeypatch.setitem(sys.modules, "psutil", fake)
    monkeypatch.setattr(system.os, "sched_getaffinity", lambda _: {0, 1})
    return fake


@pytest.fixture
def clock():
    return SimpleNamespace(now=100.0)


@pytest.fixture
def sampler(clock, tmp_path):
    return SystemSampler(clock=lambda: clock.now, root=tmp_path / "nothing")


def test_a_real_machine_is_measured(no_nvml):
    assert psutil.cpu_count()
    sampler = SystemSampler()
    first = sampler.sample()
    assert first["system/memory_used_bytes"] > 0
    assert 0 < first["system/memory_percent"] <= 100
    assert first["system/process_rss_bytes"] > 1 << 20
    assert 0 <= first["system/disk_percent"] <= 100
    second = sampler.sample()
    assert second["system/network_sent_bytes_per_s"] >= 0
    assert second["system/process_cpu_percent"] >= 0
    assert all(isinstance(value, float) for value in second.values())


def test_what_counts_up_is_told_from_the_second_sample_on(machine, clock, sampler):
    first = sampler.sample()
    assert set(first) == {
        "system/memory_used_bytes",
        "system/memory_percent",
        "system/process_rss_bytes",
        "system/disk_percent",
    }
    clock.now += 2
    machine.cores = [Times(2.0, 1.0, 9.0, 0.0, 0.0, 0.0), Times(0.0, 0.0, 11.0, 1.0, 0.0, 0.0)]
    machine.process = SimpleNamespace(user=2.0, system=1.5)
    machine.disk = SimpleNamespace(read_bytes=1400, write_bytes=2000)
    machine.network = SimpleNamespace(bytes_sent=30, bytes_recv=60)
    second = sampler.sample()
    del second["system/disk_percent"]
    assert second == {
        "system/cpu_percent": 50,
        "system/process_cpu_percent": 100,
        "system/memory_used_bytes": 750,
        "system/memory_percent": 75,
        "system/process_rss_bytes": 4096,
        "system/disk_read_bytes_per_s": 200,
        "system/disk_written_bytes_per_s": 0,
        "system/network_sent_bytes_per_s": 10,
        "system/network_received_bytes_per_s": 20,
    }


def test_only_the_cores_that_the_process_is_bound_to_count(machine, clock, sampler, monkeypatch):
    monkeypatch.setattr(system.os, "sched_getaffinity", lambda _: {0})
    sampler.sample()
    machine.cores = [Times(3.0, 0.0, 9.0, 0.0, 0.0, 0.0), Times(0.0, 0.0, 12.0, 0.0, 0.0, 0.0)]
    assert sampler.sample()["system/cpu_percent"] == 100


def test_a_system_that_does_not_bind_counts_all_cores(machine, sampler, monkeypatch):
    monkeypatch.delattr(system.os, "sched_getaffinity")
    sampler.sample()
    machine.cores = [Times(3.0, 0.0, 9.0, 0.0, 0.0, 0.0), Times(0.0, 0.0, 12.0, 0.0, 0.0, 0.0)]
    assert sampler.sample()["system/cpu_percent"] == 50


def test_the_time_of_guests_is_counted_once(machine, sampler):
    sampler.sample()
    machine.cores = [Times(2.0, 0.0, 9.0, 0.0, 1.0, 0.0), Times(0.0, 0.0, 11.0, 0.0, 0.0, 0.0)]
    assert sampler.sample()["system/cpu_percent"] == 50


def test_no_time_between_two_samples_gives_no_rates(machine, sampler):
    sampler.sample()
    assert not [key for key in sampler.sample() if key.endswith(("_per_s", "cpu_percent"))]


def test_a_counter_that_began_anew_gives_no_rate(machine, clock, sampler):
    sampler.sample()
    clock.now += 1
    machine.network = SimpleNamespace(bytes_sent=0, bytes_recv=30)
    sample = sampler.sample()
    assert "system/network_sent_bytes_per_s" not in sample
    assert sample["system/network_received_bytes_per_s"] == 10


def test_a_core_that_came_or_went_gives_no_percentage(machine, sampler):
    sampler.sample()
    machine.cores = machine.cores[:1]
    assert "system/cpu_percent" not in sampler.sample()


def test_percentages_are_of_what_the_control_group_allows(machine, clock, system_root):
    files = {
        "proc/self/cgroup": "0::/\n",
        "sys/fs/cgroup/cpu.max": "50000 100000\n",
        "sys/fs/cgroup/cpu.stat": "usage_usec 1000000\n",
        "sys/fs/cgroup/memory.max": "200\n",
        "sys/fs/cgroup/memory.current": "150\n",
        "sys/fs/cgroup/memory.stat": "inactive_file 50\n",
    }
    sampler = SystemSampler(clock=lambda: clock.now, root=system_root(files))
    first = sampler.sample()
    assert (first["system/memory_used_bytes"], first["system/memory_percent"]) == (100, 50)
    clock.now += 4
    system_root(files | {"sys/fs/cgroup/cpu.stat": "usage_usec 2000000\n"})
    assert sampler.sample()["system/cpu_percent"] == 50


def test_a_quota_beyond_the_cores_there_are_limits_nothing(machine, system_root):
    files = {
        "proc/self/cgroup": "0::/\n",
        "sys/fs/cgroup/cpu.max": "800000 100000\n",
        "sys/fs/cgroup/cpu.stat": "usage_usec 1000000\n",
    }
    sampler = SystemSampler(root=system_root(files))
    sampler.sample()
    machine.cores = [Times(3.0, 0.0, 9.0, 0.0, 0.0, 0.0), Times(0.0, 0.0, 12.0, 0.0, 0.0, 0.0)]
    assert sampler.sample()["system/cpu_percent"] == 50


@pytest.mark.parametrize(
    ("probe", "missing"),
    [
        ("cpu_times", {"system/cpu_percent"}),
        ("virtual_memory", {"system/memory_used_bytes", "system/memory_percent"}),
        ("Process", {"system/process_cpu_percent", "system/process_rss_bytes"}),
        (
            "disk_io_counters",
            {"system/disk_read_bytes_per_s", "system/disk_written_bytes_per_s"},
        ),
        (
            "net_io_counters",
            {"system/network_sent_bytes_per_s", "system/network_received_bytes_per_s"},
        ),
    ],
)
def test_a_probe_that_fails_leaves_only_its_own_out(machine, clock, sampler, probe, missing):
    sampler.sample()
    clock.now += 1
    machine.cores = [Times(2.0, 0.0, 9.0, 0.0, 0.0, 0.0), Times(0.0, 0.0, 11.0, 0.0, 0.0, 0.0)]
    whole = sampler.sample()
    clock.now += 1
    machine.cores = [Times(3.0, 0.0, 9.0, 0.0, 0.0, 0.0), Times(0.0, 0.0, 12.0, 0.0, 0.0, 0.0)]
    machine.broken.add(probe)
    assert set(whole) - set(sampler.sample()) == missing


def test_a_folder_that_is_gone_has_no_disk(machine, tmp_path):
    sample = SystemSampler(folder=tmp_path / "gone").sample()
    assert "system/disk_percent" not in sample
    assert "system/memory_percent" in sample


def test_gpus_are_measured(machine, nvml, sampler):
    sample = sampler.sample()
    assert {key: value for key, value in sample.items() if "gpu" in key} == {
        "system/gpu0/utilization_percent": 90,
        "system/gpu0/memory_used_bytes": 1 << 30,
        "system/gpu0/temperature_celsius": 60,
        "system/gpu0/power_watts": 250.5,
        "system/gpu1/utilization_percent": 91,
        "system/gpu1/memory_used_bytes": 2 << 30,
        "system/gpu1/temperature_celsius": 61,
        "system/gpu1/power_watts": 250.5,
    }
    sampler.sample()
    assert nvml.opened == 1
    sampler.close()
    sampler.close()
    assert nvml.opened == 0


def test_a_gpu_that_does_not_know_its_power_tells_the_rest(machine, nvml, sampler):
    nvml.broken.add("nvmlDeviceGetPowerUsage")
    gpu = {key for key in sampler.sample() if "gpu0" in key}
    assert len(gpu) == 3
    nvml.broken.add("nvmlDeviceGetHandleByIndex")
    assert not [key for key in sampler.sample() if "gpu" in key]


@pytest.mark.parametrize("function", ["nvmlInit", "nvmlDeviceGetCount"])
def test_a_driver_that_fails_leaves_only_the_gpus_out(machine, nvml, sampler, function):
    nvml.broken.add(function)
    sample = sampler.sample()
    assert not [key for key in sample if "gpu" in key]
    assert "system/memory_percent" in sample


def test_a_driver_that_hangs_is_waited_for_once(machine, nvml, sampler, monkeypatch):
    answer = threading.Event()
    monkeypatch.setattr(nvml, "nvmlInit", answer.wait)
    monkeypatch.setattr(system, "_SECONDS", 0.01)
    assert not [key for key in sampler.sample() if "gpu" in key]
    answer.set()
    sampler._asked.join()
    assert [key for key in sampler.sample() if "gpu" in key]


def test_without_psutil_the_rest_is_measured(monkeypatch, nvml):
    monkeypatch.setitem(sys.modules, "psutil", None)
    sample = SystemSampler().sample()
    assert "system/disk_percent" in sample
    assert "system/gpu0/power_watts" in sample
    assert "system/process_rss_bytes" not in sample


def test_whether_there_is_something_to_measure_with(monkeypatch, no_nvml):
    assert SystemSampler.available()
    monkeypatch.setitem(sys.modules, "psutil", None)
    assert not SystemSampler.available()
    monkeypatch.delitem(sys.modules, "psutil")
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    assert not SystemSampler.available()


def test_a_broken_installation_is_none(monkeypatch, no_nvml):
    def broken(_):
        raise ValueError("psutil.__spec__ is None")

    monkeypatch.delitem(sys.modules, "psutil")
    monkeypatch.setattr(importlib.util, "find_spec", broken)
    assert not SystemSampler.available()


def test_asking_loads_nothing():
    code = (
        "import sys; from mlkit.provenance.system import SystemSampler;"
        "print(SystemSampler.available(), {'psutil', 'pynvml'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "True set()\n"
