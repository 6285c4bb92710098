"""Any number of processes save and promote at once: no number is missing, no move is lost."""

import subprocess
import sys

from mlkit.storage.local import LocalStorage

PROCESSES = 4
ROUNDS = 8

WORK = f"""
import sys

from mlkit.errors import GateRefused
from mlkit.models.registry import Models
from mlkit.objects.blobs import Blobs
from mlkit.storage.local import LocalStorage


class Rising:
    failures = ("not newer",)

    def evaluate(self, candidate, holder, load):
        self.passed = holder is None or candidate.number > holder.number
        self.holder = None if holder is None else holder.number
        return self

    def to_json(self):
        return {{"passed": self.passed, "holder": self.holder}}


root, process, gated = sys.argv[1:]
storage = LocalStorage(root)
models = Models(storage, Blobs(storage), user=process)
print("ready", flush=True)
sys.stdin.readline()
for attempt in range({ROUNDS}):
    version = models.save("delay", {{"process": process, "round": attempt}})
    try:
        models["delay"].promote(version, "prod", gate=Rising() if gated == "yes" else None)
    except GateRefused:
        continue
"""


def run_all(root, gated):
    """Lets some processes save and promote, all from the same moment on."""
    jobs = [
        subprocess.Popen(
            [sys.executable, "-c", WORK, root, str(number), gated],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        for number in range(PROCESSES)
    ]
    for job in jobs:
        assert job.stdout.readline() == b"ready\n"
    for job in jobs:
        job.stdin.write(b"go\n")
        job.stdin.flush()
    for job in jobs:
        job.communicate()
    assert [job.returncode for job in jobs] == [0] * PROCESSES


def test_versions_and_moves_of_many_processes_are_gapless_and_none_is_lost(tmp_path, registry_of):
    run_all(tmp_path / "store", "no")
    delay = registry_of(LocalStorage(tmp_path / "store"))["delay"]
    versions = delay.versions()
    everything = PROCESSES * ROUNDS
    assert [version.number for version in versions] == list(range(1, everything + 1))
    assert len({version.digest for version in versions}) == everything
    history = delay.history("prod")
    assert [entry.number for entry in history] == list(range(1, everything + 1))
    assert sorted(entry.version for entry in history) == list(range(1, everything + 1))
    assert [entry.replaced for entry in history[1:]] == [entry.version for entry in history[:-1]]


def test_gates_hold_against_what_others_promoted_at_the_same_time(tmp_path, registry_of):
    run_all(tmp_path / "store", "yes")
    delay = registry_of(LocalStorage(tmp_path / "store"))["delay"]
    history = delay.history("prod")
    moves = [entry.version for entry in history]
    assert moves == sorted(set(moves))
    assert all(entry.gate_report["holder"] == entry.replaced for entry in history)
    refusals = delay.refusals()
    assert [refusal.number for refusal in refusals] == list(range(1, len(refusals) + 1))
    assert len(history) + len(refusals) == PROCESSES * ROUNDS
    assert all(refusal.holder > refusal.version for refusal in refusals)
