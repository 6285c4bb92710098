import pytest

from mlkit.provenance import cgroup
from mlkit.provenance.cgroup import (
    CpuQuota,
    MemoryQuota,
    cpu_limit,
    cpu_quota,
    memory_limit,
    memory_quota,
)

NONE_V1 = "9223372036854771712\n"


@pytest.fixture(autouse=True)
def _eight_cores(monkeypatch):
    monkeypatch.setattr(cgroup.os, "sched_getaffinity", lambda _: set(range(8)))


def test_without_control_groups_the_cores_are_those_it_is_bound_to(tmp_path, monkeypatch):
    assert cpu_limit(root=tmp_path) == 8
    assert memory_limit(root=tmp_path) is None
    monkeypatch.delattr(cgroup.os, "sched_getaffinity")
    assert cpu_limit(root=tmp_path) is None


def test_the_limits_of_version_2(system_root):
    root = system_root(
        {
            "proc/self/cgroup": "0::/\n",
            "sys/fs/cgroup/cpu.max": "150000 100000\n",
            "sys/fs/cgroup/cpu.stat": "usage_usec 2500000\nuser_usec 1\n",
            "sys/fs/cgroup/memory.max": "1073741824\n",
            "sys/fs/cgroup/memory.current": "300\n",
            "sys/fs/cgroup/memory.stat": "anon 1\ninactive_file 100\n",
        }
    )
    assert (cpu_limit(root=root), memory_limit(root=root)) == (1.5, 1 << 30)
    assert cpu_quota(root=root) == CpuQuota(1.5, 2.5)
    assert memory_quota(root=root) == MemoryQuota(1 << 30, 200)


def test_an_outer_group_can_be_tighter_than_an_inner_one(system_root):
    root = system_root(
        {
            "proc/self/cgroup": "0::/kubepods/pod1/main\n",
            "sys/fs/cgroup/kubepods/pod1/main/cpu.max": "max 100000\n",
            "sys/fs/cgroup/kubepods/pod1/main/memory.max": "max\n",
            "sys/fs/cgroup/kubepods/pod1/cpu.max": "200000 100000\n",
            "sys/fs/cgroup/kubepods/pod1/memory.max": "2000\n",
            "sys/fs/cgroup/kubepods/cpu.max": "400000 100000\n",
            "sys/fs/cgroup/kubepods/memory.max": "4000\n",
        }
    )
    assert (cpu_limit(root=root), memory_limit(root=root)) == (2.0, 2000)
    assert cpu_quota(root=root) == CpuQuota(2.0, None)
    assert memory_quota(root=root) == MemoryQuota(2000, None)


def test_the_limits_of_version_1_in_a_container_that_sees_the_path_of_its_host(system_root):
    root = system_root(
        {
            "proc/self/cgroup": "4:memory:/docker/abc\n2:cpu,cpuacct:/docker/abc\n0::/x\nbroken\n",
            "sys/fs/cgroup/memory/memory.limit_in_bytes": "4096\n",
            "sys/fs/cgroup/memory/memory.usage_in_bytes": "100\n",
            "sys/fs/cgroup/memory/memory.stat": "inactive_file 1\ntotal_inactive_file 200\n",
            "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "50000\n",
            "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n",
            "sys/fs/cgroup/cpuacct/cpuacct.usage": "1500000000\n",
        }
    )
    assert (cpu_limit(root=root), memory_limit(root=root)) == (0.5, 4096)
    assert cpu_quota(root=root) == CpuQuota(0.5, 1.5)
    assert memory_quota(root=root) == MemoryQuota(4096, 0)


def test_no_limit_of_version_1_is_none(system_root):
    root = system_root(
        {
            "proc/self/cgroup": "4:memory:/a\n1:cpu:/a\n",
            "sys/fs/cgroup/memory/a/memory.limit_in_bytes": NONE_V1,
            "sys/fs/cgroup/cpu/a/cpu.cfs_quota_us": "-1\n",
            "sys/fs/cgroup/cpu/a/cpu.cfs_period_us": "100000\n",
        }
    )
    assert (cpu_limit(root=root), memory_limit(root=root)) == (8, None)


def test_both_versions_side_by_side(system_root):
    root = system_root(
        {
            "proc/self/cgroup": "4:memory:/a\n1:cpu:/a\n0::/b\n",
            "sys/fs/cgroup/memory/a/memory.limit_in_bytes": "4096\n",
            "sys/fs/cgroup/cpu/a/cpu.cfs_quota_us": "100000\n",
            "sys/fs/cgroup/cpu/a/cpu.cfs_period_us": "100000\n",
            "sys/fs/cgroup/unified/b/memory.max": "2048\n",
            "sys/fs/cgroup/unified/b/cpu.max": "300000 100000\n",
        }
    )
    assert (cpu_limit(root=root), memory_limit(root=root)) == (1.0, 2048)
    assert cpu_quota(root=root).used is None


@pytest.mark.parametrize("text", ["", "max", "x y", "1", "² 3", "\x00"])
def test_what_is_no_limit_is_passed_over(system_root, text):
    root = system_root(
        {
            "proc/self/cgroup": "0::/../../etc\n",
            "sys/fs/cgroup/cpu.max": text,
            "sys/fs/cgroup/memory.max": text if text != "1" else "",
        }
    )
    assert (cpu_limit(root=root), memory_limit(root=root)) == (8, None)
