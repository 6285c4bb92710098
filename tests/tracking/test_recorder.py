"""Promises about what a run records unasked."""

import os
import random
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import mlkit
from mlkit.errors import StorageFault
from mlkit.store.store import Store
from mlkit.tracking import recorder
from mlkit.tracking.health import TrackingWarning


def test_a_run_knows_its_code_packages_machine_process_and_generators(store):
    random.seed(7)
    with store.start_run("unasked", capture=True) as run:
        drawn = random.random()
    read = store.run(run.id)
    assert {"code", "packages", "machine", "process"} <= set(read.provenance)
    assert read.provenance["packages"]["pytest"] == pytest.__version__
    read.recorded.restore_generators()
    assert random.random() == drawn


def test_one_switch_turns_all_of_it_off(store, monkeypatch, capsys):
    for options, variable in (({"capture": False}, "on"), ({}, "off"), ({}, "0")):
        monkeypatch.setenv("MLKIT_CAPTURE", variable)
        with store.start_run("off", **options) as run:
            print("not kept")
        read = store.run(run.id)
        assert read.provenance == {}
        assert [event.name for event in read.recorded.events] == []
    monkeypatch.setenv("MLKIT_CAPTURE", "off")
    with store.start_run("on", capture=True) as run:
        pass
    assert store.run(run.id).provenance


def test_it_is_on_unless_it_is_turned_off(store, monkeypatch):
    monkeypatch.delenv("MLKIT_CAPTURE")
    with store.start_run("on") as run:
        pass
    assert store.run(run.id).provenance["packages"]


def test_output_is_kept_without_secrets_and_progress_bars_are_folded(store, capsys):
    with store.start_run("prints", capture=True) as run:
        print("epoch 1")
        for percent in range(101):
            sys.stderr.write(f"\r{percent}%")
        sys.stderr.write("\n")
        print("password=hunter2")
    print("after")
    recorded = store.run(run.id).recorded
    assert recorded.output("stdout") == "epoch 1\npassword=[masked]\n"
    assert recorded.output("stderr") == "100%\n"
    assert sorted(recorded.output().splitlines()) == ["100%", "epoch 1", "password=[masked]"]
    assert capsys.readouterr().out == "epoch 1\npassword=hunter2\nafter\n"


def test_what_is_printed_is_no_output_of_the_lineage(store, capsys):
    with store.start_run("prints", capture=True) as run:
        print("before")
        run.recorder.beat(1000.0)
        version = run.log_dataset("made", {"a": [1]})
    read = store.run(run.id)
    assert [link["ref"] for link in read.outputs] == [version.ref]
    assert (read.datasets, read.models) == (("made:1",), ())
    assert b"before" not in (Path(store.url) / "runs" / run.id / "end.json").read_bytes()


def test_output_belongs_to_the_innermost_run(store, capsys):
    with store.start_run("outer", capture=True) as outer:
        print("outside")
        with store.start_run("inner", capture=True) as inner:
            print("inside")
        with store.start_run("silent", capture=False):
            print("of the outer")
        print("outside again")
    assert store.run(outer.id).recorded.output() == "outside\nof the outer\noutside again\n"
    assert store.run(inner.id).recorded.output() == "inside\n"


def test_too_much_output_is_cut_in_the_middle_and_says_so(store, capsys):
    with store.start_run("prints", capture=True) as run:
        for number in range(300_000):
            sys.stdout.write(f"line {number}\n")
    output = store.run(run.id).recorded.output()
    assert output.startswith("line 0\nline 1\n")
    assert output.endswith("line 299999\n")
    assert "lines left out]\n" in output
    assert len(output) < 1_100_000


def test_a_kill_loses_at_most_the_output_since_the_last_beat(tmp_path):
    program = """
import os, sys, mlkit
store = mlkit.Store(sys.argv[1])
run = store.start_run("dies", capture=True)
print("said")
run.recorder.beat(100.0)
run.log_metric("x", 1)
os._exit(9)
"""
    subprocess.run(
        [sys.executable, "-c", program, tmp_path / "s"], check=False, capture_output=True
    )
    (run,) = Store(tmp_path / "s").runs
    assert run.status == "LOST"
    assert run.recorded.output() == "said\n"
    assert run.recorded.generators


def test_provenance_is_there_before_the_run_has_ended(store):
    run = store.start_run("lives", capture=True)
    run.recorder._capture.result()
    run.recorder.beat(1.0)
    assert store.run(run.id).provenance["packages"]
    run.recorder.beat(2.0)
    run.finish()
    names = [event.name for event in store.run(run.id).recorded.events]
    assert names.count("provenance") == 1


SOURCES = """
import sys
sys.path.insert(0, "lib")
import mlkit, helper
store = mlkit.Store(sys.argv[1])
with store.start_run("sources", capture=True) as run:
    sys.path.insert(0, "late")
    import latecomer
with store.start_run("again", capture=True):
    pass
"""


def test_the_source_of_modules_that_git_does_not_track_is_kept(tmp_path):
    work = tmp_path / "work"
    for folder, name, text in (
        ("lib", "helper", "KEY = 'x'\npassword = 'hunter2'\n"),
        ("late", "latecomer", "LATE = 1\n"),
    ):
        (work / folder).mkdir(parents=True)
        (work / folder / f"{name}.py").write_text(text)
    (work / "train.py").write_text(SOURCES)
    subprocess.run([sys.executable, "train.py", tmp_path / "s"], check=True, cwd=work)
    store = Store(tmp_path / "s")
    for run in store.runs:
        sources = run.sources
        assert set(sources) == {"train.py", "lib/helper.py", "late/latecomer.py"}
        assert sources["lib/helper.py"].text() == "KEY = 'x'\npassword = '[masked]'\n"
        assert sources["train.py"].text() == SOURCES
        assert list(run.artifacts()) == []
    assert list(store.verify()) == []
    (blob,) = (path for path in (tmp_path / "s/blobs").rglob("*") if b"LATE" in _bytes(path))
    blob.unlink()
    assert any("latecomer" in problem.what for problem in run.verify())
    assert any(run.id in hurt for problem in store.verify() for hurt in problem.hurts)


def _bytes(path):
    return path.read_bytes() if path.is_file() else b""


class Sampler:
    """Gives a sample at every call."""

    def __init__(self):
        self.calls = 0
        self.closed = False

    def close(self):
        self.closed = True

    def sample(self):
        self.calls += 1
        return {"system/cpu_percent": float(self.calls)}


def test_the_load_of_the_machine_is_a_series_of_the_outermost_run(store, monkeypatch):
    monkeypatch.setattr(recorder, "SystemSampler", Sampler)
    with store.start_run("outer", capture=True) as outer:
        with store.start_run("inner", capture=True) as inner:
            for second in range(0, 100, 5):
                outer.recorder.beat(float(second + 1000))
                inner.recorder.beat(float(second + 1000))
        outer.log_metric("x", 1)
    points = store.run(outer.id).metrics("system/cpu_percent")
    assert points.num_rows == 7
    assert points.column("step").to_pylist() == list(range(7))
    assert store.run(inner.id).summary == {}


def test_the_real_machine_tells_its_load(store):
    with store.start_run("load", capture=True) as run:
        run.recorder.beat(1000.0)
        run.recorder.beat(1020.0)
        run.log_metric("x", 1)
        assert run.summary == {"x": 1.0}
    read = store.run(run.id)
    assert read.summary == {"x": 1.0}
    assert read.metrics("system/process_rss_bytes").column("value")[0].as_py() > 1_000_000
    assert 0 <= read.metrics("system/memory_percent").column("value")[0].as_py() <= 100


def test_a_fault_of_what_is_recorded_never_reaches_the_training(store, monkeypatch):
    def fails(*_args, **_options):
        raise RuntimeError("no")

    for name in ("generator_states", "loose_sources"):
        monkeypatch.setattr(recorder, name, fails)
    monkeypatch.setattr(Sampler, "sample", fails)
    monkeypatch.setattr(recorder, "SystemSampler", Sampler)
    monkeypatch.setattr("mlkit.provenance.capture.look", fails)
    with store.start_run("fails", capture=True) as run:
        run.recorder.beat(1000.0)
        run.log_metric("x", 1)
    assert store.run(run.id).status == "FINISHED"
    assert store.run(run.id).summary == {"x": 1.0}


def test_a_fault_of_the_storage_while_recording_is_one_like_others(store, monkeypatch):
    def full(*_args, **_options):
        raise StorageFault("No space left on device")

    monkeypatch.setattr("mlkit.storage.local.LocalStorage.open_append", full)
    with (
        pytest.warns(TrackingWarning, match="No space left"),
        store.start_run("full", capture=True) as run,
    ):
        run.log_metric("x", 1)
    assert run.health.kept > 0


def test_a_child_keeps_its_own_output_out_of_its_parents(tmp_path):
    program = """
import os, sys, mlkit
run = mlkit.Store(sys.argv[1]).start_run("forks", capture=True)
print("parent before")
pid = os.fork()
if pid == 0:
    print("child")
    run.log_metric("x", 1)
    run.finish()
    os._exit(0)
os.waitpid(pid, 0)
print("parent after")
run.finish()
"""
    subprocess.run(
        [sys.executable, "-c", program, tmp_path / "s"], check=True, stdout=subprocess.DEVNULL
    )
    (run,) = Store(tmp_path / "s").runs
    lines = run.recorded.output().splitlines()
    assert sorted(lines) == ["child", "parent after", "parent before"]
    assert lines.index("parent before") < lines.index("parent after")


def test_the_job_of_a_scheduler_is_kept_without_its_secrets(store, monkeypatch):
    monkeypatch.setenv("SLURM_JOB_ID", "4711")
    monkeypatch.setenv("AIRFLOW_CTX_DAG_ID", "nightly")
    with store.start_run("job", capture=True) as run:
        run.recorder._capture.result()
    job = store.run(run.id).provenance["job"]
    assert (job["slurm"]["job_id"], job["airflow"]["dag_id"]) == ("4711", "nightly")


def test_a_secret_of_the_environment_is_masked_in_output_params_and_argv(tmp_path):
    program = """
import os, sys, mlkit
with mlkit.Store(sys.argv[1]).start_run("secrets", capture=True) as run:
    run.log_params(command=os.environ["DB_PASSWORD"])
    run.set_tags(who=os.environ["DB_PASSWORD"])
    print("using", os.environ["DB_PASSWORD"])
    sys.stderr.write("https://me:hunter22@host/ AKIAABCDEFGHIJKLMNOP\\n")
"""
    secret = "correct-horse-battery"
    subprocess.run(
        [sys.executable, "-c", program, tmp_path / "s", "--token", secret],
        check=True,
        env={**os.environ, "DB_PASSWORD": secret},
        capture_output=True,
    )
    stored = b"".join(_bytes(path) for path in (tmp_path / "s").rglob("*"))
    assert b"correct-horse" not in stored
    assert b"hunter22" not in stored
    assert b"AKIAABCDEFGHIJKLMNOP" not in stored
    (run,) = Store(tmp_path / "s").runs
    assert run.provenance["process"]["argv"][-1] == "[masked]"
    assert "using [masked]" in run.recorded.output()


def test_members_add_their_output_and_the_load_of_their_machine_only(store, monkeypatch, capsys):
    monkeypatch.setattr(recorder, "SystemSampler", Sampler)
    run_id = mlkit.new_run_id()
    with store.start_run("ranks", run_id=run_id, capture=True) as owner:
        monkeypatch.setenv("RANK", "8")

        def write(said):
            with store.start_run("ranks", run_id=run_id, capture=True) as member:
                member.recorder.beat(1000.0)
                print(said)

        for local, said in (("0", "first of its machine"), ("1", "second")):
            monkeypatch.setenv("LOCAL_RANK", local)
            thread = threading.Thread(target=write, args=(said,))  # stands for another process
            thread.start()
            thread.join()
        owner.recorder.beat(1000.0)
    read = store.run(run_id)
    names = [event.name for event in read.recorded.events]
    assert (names.count("provenance"), names.count("generators")) == (1, 1)
    assert read.recorded.output() == "first of its machine\nsecond\n"
    keys = set(read.metrics().column("key").to_pylist())
    assert keys == {"system/cpu_percent", "system/rank8/cpu_percent"}
