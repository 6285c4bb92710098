"""Promises about death: a process is killed at each of its writes, and the store opened again.

This file is also the program that dies. `python test_crashes.py SCENE FOLDER` loads everything
once and forks: a victim, which is killed at the first write, and a witness, which opens what it
left; then a victim that gets to the second write, and so on until one comes to its end.
"""

import ctypes
import importlib
import io
import os
import signal
import subprocess
import sys
import traceback
from collections.abc import Callable
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from mlkit import new_run_id
from mlkit._core.clock import now_ns
from mlkit.metrics.framing import frame, scan
from mlkit.storage.local import LocalStorage
from mlkit.storage.protocol import Capabilities
from mlkit.storage.wrapped import LimitedStorage
from mlkit.store.root import open_root
from mlkit.store.store import Store
from mlkit.tracking.courier import Courier, Delivery

PR_SET_CHILD_SUBREAPER = 36
tell = os.write  # before it is wrapped


# What the victim does, and what a witness sees of it


class Call(NamedTuple):
    """A call of a run, what it leaves there, and what is there before it."""

    act: Callable[[Any], object]
    look: Callable[[Any], object]
    left: object
    before: object


def point(step):
    values = {"loss": step / 2, "auc": -float(step)}

    def look(run):
        table = run.metrics().to_pydict()
        rows = zip(table["key"], table["step"], table["value"], strict=True)
        return sorted((key, value) for key, at, value in rows if at == step)

    return Call(
        lambda run: run.log_metrics(values, step=step), look, sorted(values.items()), before=[]
    )


def artifact(name, content):
    def look(run):
        kept = run.artifacts()
        return kept[name].read() if name in kept else None

    return Call(lambda run: run.log_artifact(content, name), look, content, before=None)


CALLS = [
    Call(
        lambda run: run.log_params(lr=0.1, depth=6),
        lambda run: run.params,
        {"lr": 0.1, "depth": 6},
        before={},
    ),
    point(0),
    point(1),
    artifact("a.txt", b"text"),
    Call(
        lambda run: run.set_tags(b=2),
        lambda run: {**run.tags, "a": ""},
        {"a": "", "b": "2"},
        {"a": ""},
    ),
    point(1.5),
    artifact("folder/b.bin", bytes(range(256)) * 300),
    artifact("again.txt", b"text"),
    Call(
        lambda run: run.note("looks good"),
        lambda run: [note["text"] for note in run.notes],
        ["looks good"],
        before=[],
    ),
    point(2),
]


def program(url, note, **options):
    store = Store(url)
    run = store.start_run("deadly", tags={"a": 1}, **options)
    note(f"started {run.id}")
    for number, call in enumerate(CALLS):
        call.act(run)
        note(f"returned {number}")
    note("finishing")
    run.finish()
    note("finished")


def expect(found, *allowed):
    if not any(found == one for one in allowed):
        message = f"{found!r} isn't {' or '.join(map(repr, allowed))}"
        raise AssertionError(message)


def see(run, notes):
    """Check that a run has what returned, of what didn't return all or nothing, and its status."""
    returned = sum(line.startswith("returned") for line in notes)
    there = [call.look(run) == call.left for call in CALLS]
    for call, whole in zip(CALLS, there, strict=True):
        expect(call.look(run), call.left if whole else call.before)
    expect(
        there,
        *([number < seen for number in range(len(CALLS))] for seen in (returned, returned + 1)),
    )
    expect(run.tags["a"], "1")
    allowed = ["FINISHED"] * ("finishing" in notes) + ["LOST"] * ("finished" not in notes)
    expect(run.status, *allowed)
    return there


def see_no_damage(store):
    """Check that nothing is damaged; one record may have been cut short."""
    problems = list(map(str, store.verify()))
    if len(problems) > 1 or not all("cut short by a kill" in problem for problem in problems):
        raise AssertionError(problems)


def witness(url, notes):
    store = Store(url)
    store.sync()
    runs = {run.id: run for run in store.runs}
    started = [line.split()[1] for line in notes if line.startswith("started")]
    expect(len(runs), *([1] if started else [0, 1]))
    for run in runs.values():
        there = see(run, notes)
        if started:
            expect([run.id], started)
        if "finished" in notes:
            expect(bool(run.provenance), "capture" in notes)
        for call in run.contents():
            call.read()
    see_no_damage(store)
    with store.start_run("next") as new:
        new.log_metric("x", 1)
    expect(store.run(new.id).status, "FINISHED")
    for run_id in runs:
        with store.start_run("deadly", resume=run_id) as again:
            again.log_metric("more", 7, step=-1)
        read = store.run(run_id)
        expect(read.status, "FINISHED")
        expect(read.metrics("more").column("value").to_pylist(), [7.0])
        expect([call.look(read) == call.left for call in CALLS], there)
    see_no_damage(store)
    expect(store.sync(), 0)
    expect(store._outbox.waiting(), [])


# How it dies


class Death:
    """Wraps the lowest operations that change a disk, and kills the process at one of them."""

    def __init__(self, at, how, note):
        self.at = at
        self.how = how
        self.note = note
        self.numbers = count()

    def act(self, function, *args, **options):
        """Do something, unless or until the process dies of it."""
        mine = self.how != "half" and next(self.numbers) == self.at
        if mine and self.how == "before":
            self.die(function, args)
        try:
            return function(*args, **options)
        finally:
            if mine:
                self.die(function, args)

    def write(self, function, data, *before):
        """Write, or a half of it only."""
        if self.how == "half" and len(data) > 1 and next(self.numbers) == self.at:
            function(*before, bytes(data)[: len(data) // 2])
            self.die(function, [*before, bytes(data)])
        return self.act(function, *before, data)

    def die(self, function, args):
        self.note(f"died {self.how} {function.__name__}{str(tuple(args))[:150]}")
        os.kill(os.getpid(), signal.SIGKILL)

    def arm(self):
        for name in ("link", "replace", "rename", "mkdir", "unlink", "rmdir", "fsync"):
            setattr(os, name, self._wrapped(getattr(os, name)))
        create, plain_open = os.open, io.open

        def deadly_os_open(path, flags, *args, **options):
            if flags & os.O_CREAT:
                return self.act(create, path, flags, *args, **options)
            return create(path, flags, *args, **options)

        death = self

        class DeadlyFile(io.FileIO):
            def write(self, data):
                return death.write(super().write, data)

        def deadly_open(file, mode="r", buffering=-1, *args, **options):
            if not set("wxa") & set(mode):
                return plain_open(file, mode, buffering, *args, **options)
            raw = self.act(DeadlyFile, file, mode.replace("b", "").replace("t", ""))
            if buffering == 0:
                return raw
            buffered = (io.BufferedRandom if "+" in mode else io.BufferedWriter)(raw)
            return buffered if "b" in mode else io.TextIOWrapper(buffered, "utf-8")

        os.open, io.open, io.FileIO = deadly_os_open, deadly_open, DeadlyFile
        os.write = lambda descriptor, data: self.write(tell, data, descriptor)

    def _wrapped(self, function):
        return lambda *args, **options: self.act(function, *args, **options)


# The scenes


def local(**options):
    def scene(folder, death):
        death.arm()
        program(folder / "s", death.note, **options)

    return scene


def make_store_that_cannot_append(place):
    limited = LimitedStorage(LocalStorage(place), Capabilities(exclusive_create=True, append=False))
    open_root(limited, now_ns)


def sent(**options):
    def scene(folder, death):
        make_store_that_cannot_append(folder / "s")
        death.arm()
        program(folder / "s", death.note, **options)

    return scene


def sync(folder, death):
    """Die while what an earlier process has left is sent."""
    make_store_that_cannot_append(folder / "s")
    ask, deliver = Courier.ask, Courier.deliver
    Courier.ask, Courier.deliver = (lambda _: None), (lambda *_: Delivery())
    pid = os.fork()
    if pid == 0:
        program(folder / "s", lambda _: None)
        os._exit(0)
    expect(os.waitpid(pid, 0)[1], 0)
    Courier.ask, Courier.deliver = ask, deliver
    store = Store(folder / "s")
    (run_id,) = (
        path.split("/")[1] for path in store._outbox.waiting() if path.endswith("end.json")
    )
    for line in (f"started {run_id}", *(f"returned {n}" for n in range(len(CALLS))), "finishing"):
        death.note(line)
    death.note("finished")
    death.arm()
    store.sync()


SCENES = {
    "local": local(),
    "local capture": local(capture=True),
    "local durable": local(durable=True),
    "sent": sent(),
    "sent capture": sent(capture=True),
    "sync": sync,
}

HOW = {
    scene: ("before", "half", "after") if "sent" in scene else ("before", "half")
    for scene in SCENES
}
"""Dying after one write is dying before the next, unless other threads write in between."""

AT_LEAST = dict.fromkeys(SCENES, 60) | {"sync": 20}


# The stage


def in_child(act):
    """Do something in a forked process; give what it told and how it ended."""
    ear, mouth = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(ear)
        code = 1
        try:
            act(lambda line: tell(mouth, f"{line}\n".encode()))
            code = 0
        except BaseException:  # noqa: BLE001 - the stage tells what the child died of
            tell(mouth, traceback.format_exc().encode())
        finally:
            os._exit(code)
    os.close(mouth)
    with os.fdopen(ear, "rb") as told:
        lines = told.read().decode().splitlines()
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    with suppress(ChildProcessError):
        while True:
            os.wait()
    return lines, code


def adopt():
    """Become the parent of what a victim had started, to wait for it.

    A program that is being started holds the files of its parent, and their locks, for a moment.
    """
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def play(scene, folder, at, how):
    """Play a scene with a death in it; give how the victim ended."""
    folder.mkdir()
    notes, code = in_child(lambda note: SCENES[scene](folder, Death(at, how, note)))
    if code in (0, -signal.SIGKILL):
        known = [*notes, *(["capture"] if "capture" in scene else [])]
        seen, seen_code = in_child(lambda _: witness(folder / "s", known))
        if seen_code == 0:
            return code
        notes += seen
    left = [*folder.rglob("*"), *Path(os.environ["MLKIT_SPOOL"]).rglob("*")]
    notes += [f"{place} {place.stat().st_size}" for place in left if place.is_file()]
    sys.exit("\n".join([f"{scene}: {how} {at}", *notes]))


def load_all(scene, folder):
    """Import here what a victim and a witness import, so that no fork has to."""

    def act(note):
        notes = ["capture"] if "capture" in scene else []
        SCENES[scene](folder, Death(-1, "before", notes.append))
        witness(folder / "s", notes)
        note(" ".join(sys.modules))

    folder.mkdir()
    lines, code = in_child(act)
    if code:
        sys.exit("\n".join(lines))
    for name in lines[-1].split():
        with suppress(ImportError, AttributeError):
            importlib.import_module(name)


def main():
    scene, folder = sys.argv[1], Path(sys.argv[2])
    adopt()
    load_all(scene, folder / "first")
    for how in HOW[scene]:
        deaths = next(at for at in count() if play(scene, folder / f"{how}-{at}", at, how) == 0)
        print(how, deaths)


@pytest.mark.parametrize("scene", SCENES)
def test_a_process_may_die_at_any_write_and_what_had_returned_is_there(scene, tmp_path):
    done = subprocess.run(
        [sys.executable, "-W", "ignore", __file__, scene, tmp_path],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    deaths = {how: int(number) for how, number in map(str.split, done.stdout.splitlines())}
    assert tuple(deaths) == HOW[scene]
    assert deaths["before"] >= AT_LEAST[scene]


def test_a_start_that_was_killed_before_it_kept_anything_is_no_damage(tmp_path):
    store = Store(tmp_path / "s")
    (tmp_path / "s" / "runs" / new_run_id()).mkdir(parents=True)
    assert list(store.verify()) == []
    assert list(store.runs) == []


def test_what_was_added_to_a_segment_after_its_writer_had_closed_it_is_named(tmp_path):
    store = Store(tmp_path / "s")
    with store.start_run("short") as run:
        run.log_metric("x", 1)
    (segment,) = (tmp_path / "s").rglob("*.seg")
    data = segment.read_bytes()
    last = scan(data).payloads[-1]
    segment.write_bytes(data + frame(last))  # a block that a disk wrote twice
    (problem,) = store.verify()
    assert problem.what == f"its last {len(frame(last))} bytes came after its writer had closed it"
    assert problem.hurts == (f"run {run.id}",)


def test_what_a_member_adds_after_the_end_is_no_damage(store):
    run = store.start_run("members")
    member = store.runs.join(run._earlier.head)
    member.log_metric("x", 1)
    run.finish()
    member.log_metric("x", 2)
    assert list(store.verify()) == []
    member.finish()


if __name__ == "__main__":
    main()
