"""Processes that move an alias and remark on a version at once, of which one is killed."""

import subprocess
import sys

import pytest

_WORK = """
import sys
import mlkit

store = mlkit.Store(sys.argv[1])
version = store.dataset("flights:1")
for number in range(int(sys.argv[3])):
    version.set_tags({f"{sys.argv[2]} {number}": "x"})
    store.datasets["flights"].promote(number % 2 + 1, "gold", reason=sys.argv[2])
    print(number, flush=True)
"""


@pytest.fixture
def work(store):
    """Start a process that says so many things of a version."""

    def start(name, count):
        command = [sys.executable, "-c", _WORK, store.url, name, str(count)]
        return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)

    return start


def test_what_was_said_is_there_whoever_writes_beside_or_is_killed(store, work):
    for number in (1, 2):
        store.log_dataset("flights", {"a": [number]})
    doomed = work("doomed", 1_000_000)
    others = [work(f"other {number}", 15) for number in range(2)]
    with doomed:
        told = [doomed.stdout.readline() for _ in range(5)]
        doomed.kill()
        told += doomed.stdout.readlines()
    for one in others:
        one.communicate()
        assert one.returncode == 0
    tags, history = store.dataset("flights:1").tags, store.datasets["flights"].history("gold")
    for number in range(len(told)):
        assert f"doomed {number}" in tags
    assert sum(name.startswith("other") for name in tags) == 30
    assert sum(one.reason.startswith("other") for one in history) == 30
    assert sum(one.reason == "doomed" for one in history) in {len(told), len(told) + 1}
    assert [one.replaced for one in history] == [None, *(one.version for one in history[:-1])]
    assert list(store.verify()) == []
