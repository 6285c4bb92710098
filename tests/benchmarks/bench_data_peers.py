"""The budgets of data versions beside DVC: the same files, added, changed and checked out.

Each tool is a new process for every step, as on a command line, in turns with the other, and works
below a folder of its own on the same disk. Files lie in memory already when they are read, for both
alike. mlkit returns when a power cut can't take back what it stored; DVC leaves that to chance.

Small files aren't removed before all is measured: a disk of ext4 without a journal takes many times
as long to make files for minutes after many were removed. What is to be checked out is moved away.
"""

import hashlib
import os
import shutil
import statistics
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from attrs import frozen

from tests.benchmarks.bench_peers import PeerFailed, Tracker
from tests.benchmarks.contents import (
    FileShape,
    FolderShape,
    TableShape,
    budget,
    scaled,
    settle,
)

OURS = "mlkit"
TOOLS = {OURS: Tracker("mlkit_data", None), "dvc": Tracker("dvc_data", "dvc")}
HOWS = ["warm"] * 3 + ["whole"]
FOLDER = FolderShape(scaled(20_000), 4096)
FILE = FileShape(scaled(1 << 30))
TABLE = TableShape(scaled(5_000_000))
MIB = 1 << 20


@frozen
class Step:
    """Something that is done to data, and then to its versions.

    Attributes:
        name: What it is called in the results.
        prepare: Takes the path of the data and changes something there.
        verb: What the tool is then asked for.
    """

    name: str
    prepare: Callable[[Path], object]
    verb: str = "add"


@frozen
class Course:
    """Steps one after the other, for each tool alike.

    Attributes:
        data: The name of the data.
        steps: The steps; the first one makes the data.
        is_large: Whether the disk couldn't hold the data of all rounds.
    """

    data: str
    steps: tuple[Step, ...]
    is_large: bool = False

    def run(self, tool, folder, how):
        """Give the name of each step to what the tool answered."""
        path, answers = folder / self.data, {}
        try:
            for step in self.steps:
                expected = contents(path) if step.verb == "checkout" else None
                step.prepare(path)
                settle()
                began = time.perf_counter()
                answer = tool.ask(folder, step.verb, how, folder, path)
                answers[step.name] = {**answer, "whole": time.perf_counter() - began}
                if expected is not None and contents(path) != expected:
                    raise PeerFailed("what was checked out isn't what was added")
        finally:
            if self.is_large:
                shutil.rmtree(folder)
        return answers


def contents(path):
    """Give the digest of every file."""
    found = {}
    for file in sorted([path, *path.rglob("*")]):
        if file.is_file():
            with file.open("rb") as stream:
                found[file.relative_to(path)] = hashlib.file_digest(stream, "sha256").digest()
    return found


class Results:
    """What the tools answered, round by round.

    Attributes:
        answers: Tool to how to step to the answers.
    """

    def __init__(self):
        self.answers = defaultdict(lambda: defaultdict(lambda: defaultdict(list)))

    def take(self, tool, how, answers):
        """Keep what a round gave."""
        for step, answer in answers.items():
            self.answers[tool][how][step].append(answer)

    def warm(self, step):
        """Give what the work alone took: ours in seconds, and the others' by name.

        Beside them is what the whole process took with interpreter and imports, ours too.
        """
        seconds = {
            tool: statistics.median(answer["seconds"] for answer in by_how["warm"][step])
            for tool, by_how in self.answers.items()
        }
        wholes = {
            f"{tool}_whole_process": statistics.median(
                answer["whole"] for answer in by_how["whole"][step]
            )
            for tool, by_how in self.answers.items()
        }
        return seconds.pop(OURS), {**seconds, **wholes}

    def stored(self, step):
        """Give the MiB that the tool holds after a step: ours, and the others' by name."""
        held = {
            tool: by_how["warm"][step][-1]["stored"] / MIB for tool, by_how in self.answers.items()
        }
        return held.pop(OURS), held

    def grown(self, before, after):
        """Give the MiB that a step added to what was held before it."""
        ours, theirs = self.stored(after)
        first, firsts = self.stored(before)
        return ours - first, {name: value - firsts[name] for name, value in theirs.items()}

    def most(self, fact, step):
        """Give the largest of a fact: ours, and the others' by name."""
        found = {
            tool: max(answer[fact] for answer in by_how["warm"][step])
            for tool, by_how in self.answers.items()
        }
        return found.pop(OURS), found

    def faster(self, step):
        """Give how many times as fast as DVC we are; nothing where DVC isn't there."""
        ours, theirs = self.warm(step)
        return theirs["dvc"] / ours if "dvc" in theirs else None


class Duel:
    """The tools that take part, as long as they do."""

    def __init__(self, bench, folders):
        self.bench = bench
        self.folders = folders
        self.made = []
        self.tools = {}
        for name, tool in TOOLS.items():
            if tool.installed:
                self.tools[name] = tool
            else:
                bench.note(f"{name}: left out, not installed; `make peers` says why")

    def folder(self, name):
        """Give a new folder, which is removed at the end."""
        self.made.append(self.folders.mktemp(name))
        return self.made[-1]

    def remove(self):
        """Remove all that is left."""
        for folder in self.made:
            shutil.rmtree(folder, ignore_errors=True)

    def run(self, course, hows, between=lambda: None):
        """Give what the tools answer on a course, in turns.

        Args:
            course: What they are asked for.
            hows: How, in each of the rounds.
            between: Called in every round, to measure something else beside it.
        """
        results = Results()
        for how in hows:
            between()
            for name, tool in list(self.tools.items()):
                try:
                    answers = course.run(tool, self.folder(name), how)
                except PeerFailed as failure:
                    if name == OURS:
                        raise
                    del self.tools[name]
                    results.answers.pop(name, None)
                    self.bench.note(f"{name}: left out, it failed: {failure}")
                else:
                    results.take(name, how, answers)
        for name, answers in results.answers.items():
            (first, *_) = answers["warm"].values()
            link = first[0].get("link")
            how = f"; its checkout makes a {link} of each file by default here" if link else ""
            self.bench.note(f"{course.data}: {name} {first[0]['version']}{how}")
        return results


def nothing(path):
    """Leave the data as it is."""


def away(path):
    """Move the data to where no tool looks."""
    place = path.with_name("away")
    place.mkdir()
    path.rename(place / path.name)


@pytest.fixture(scope="module")
def duel(bench, hermetic_root, tmp_path_factory):
    """Give the tools that are installed."""
    print(flush=True)
    duel = Duel(bench, tmp_path_factory)
    yield duel
    duel.remove()


def timed(function):
    """Give the seconds that a function takes, once the system has written what it had to."""
    os.sync()
    began = time.perf_counter()
    function()
    return time.perf_counter() - began


# A folder of small files


@pytest.fixture(scope="module")
def folder(duel):
    """Give the results, and what plain copying took in the median."""
    steps = (
        Step("add", FOLDER.make),
        Step("again", nothing),
        Step("changed", FOLDER.change_one),
        Step("checkout", away, "checkout"),
        Step("renamed", FOLDER.rename_a_tenth),
    )
    place, copies = duel.folder("copied"), []
    FOLDER.make(place / "0")

    def copy():
        copies.append(timed(lambda: shutil.copytree(place / "0", place / str(len(copies) + 1))))

    results = duel.run(Course("folder", steps), HOWS, copy)
    return results, statistics.median(copies)


@pytest.mark.parametrize(
    ("step", "what", "most"),
    [
        ("add", "add", 1.5),
        ("again", "add again, nothing changed", 0.2),
        ("changed", "add again, one file changed", None),
        ("checkout", "checkout into an empty folder", None),
        ("renamed", "add again, a tenth of the files renamed", None),
    ],
)
def test_a_folder_of_small_files(bench, folder, step, what, most):
    results, copying = folder
    ours, theirs = results.warm(step)
    plain = {"copytree": copying} if step == "checkout" else {}
    bench.at_most(f"{FOLDER}: {what}", ours, "s", budget=budget(most), **plain, **theirs)


def test_checking_out_a_folder_beside_dvc(bench, folder):
    compare(bench, folder[0], FOLDER)


def compare(bench, results, shape):
    """Record how many times as fast as DVC a checkout is."""
    faster = results.faster("checkout")
    if faster is None:
        pytest.skip("NOT MEASURED HERE: DVC; it isn't installed, or failed")
    bench.at_least(f"{shape}: checkout, as fast as DVC's", faster, "times", budget=budget(3))


@pytest.mark.parametrize(
    ("before", "after", "what"),
    [
        ("again", "changed", "one file changed"),
        ("checkout", "renamed", "a tenth of the files renamed"),
    ],
)
def test_what_a_changed_folder_adds_to_what_is_stored(bench, folder, before, after, what):
    ours, theirs = folder[0].grown(before, after)
    bench.at_most(f"{FOLDER}: stored for {what}", ours, "MiB", budget=budget(1), **theirs)


# A large file


@pytest.fixture(scope="module")
def file(duel):
    """Give the results, and what copying, and hashing too, took in the median."""
    place, copies, references = duel.folder("reference"), [], []
    FILE.make(place / "file.bin")

    def copy():
        shutil.copyfile(place / "file.bin", place / "copy")

    def copy_and_hash():
        copy()
        with (place / "copy").open("rb") as copied:
            os.fsync(copied.fileno())
        with (place / "file.bin").open("rb") as stream:
            hashlib.file_digest(stream, "sha256")

    def measure():
        for function, seconds in [(copy, copies), (copy_and_hash, references)]:
            seconds.append(timed(function))
            (place / "copy").unlink()

    steps = (
        Step("add", lambda path: shutil.copy2(place / "file.bin", path)),
        Step("again", nothing),
        Step("checkout", away, "checkout"),
        Step("changed", FILE.change),
        Step("inserted", FILE.insert),
    )
    results = duel.run(Course("file.bin", steps, is_large=True), HOWS, measure)
    shutil.rmtree(place)
    return results, statistics.median(copies), statistics.median(references)


def test_a_large_file(bench, file):
    results, copying, reference = file
    bench.note(
        "copy + sha256: shutil.copyfile to the same disk, fsync of the copy, then "
        "hashlib.file_digest of the original, one after the other"
    )
    ours, theirs = results.warm("again")
    bench.at_most(f"{FILE}: add again, nothing changed", ours, "s", **theirs)
    ours, theirs = results.warm("checkout")
    bench.at_most(f"{FILE}: checkout", ours, "s", copyfile=copying, **theirs)
    ours, theirs = results.most("peak", "add")
    bench.at_most(f"{FILE}: memory of the process that adds it", ours, "MiB", **theirs)
    ours, theirs = results.warm("add")
    bench.at_most(f"{FILE}: add", ours, "s", copy_and_sha256=reference, **theirs)
    bench.at_most(
        f"{FILE}: add, as a part of copy + sha256", ours / reference, "x", budget=budget(1.3)
    )


def test_checking_out_a_large_file_beside_dvc(bench, file):
    compare(bench, file[0], FILE)


@pytest.mark.parametrize(
    ("before", "after", "what"),
    [
        ("checkout", "changed", "5 bytes changed at 5 places"),
        ("changed", "inserted", "5 bytes inserted at 5 places"),
    ],
)
def test_what_a_changed_file_adds_to_what_is_stored(bench, file, before, after, what):
    results = file[0]
    ours, theirs = results.grown(before, after)
    bench.at_most(f"{FILE}: stored for {what}", ours, "MiB", budget=budget(8), **theirs)


# A table, which both are given as the same Parquet file


@pytest.fixture(scope="module")
def table(duel):
    """Give the results, and how many MiB the new column takes by itself."""
    place, first = duel.folder("tables"), TABLE.table()
    more_rows = TABLE.with_rows(first)
    tables = {"add": first, "rows": more_rows, "column": TABLE.with_column(more_rows)}
    for name, made in tables.items():
        pq.write_table(made, place / name)
    pq.write_table(tables["column"].select(["prediction"]), place / "alone")
    steps = tuple(
        Step(name, lambda path, name=name: shutil.copy2(place / name, path)) for name in tables
    )
    results = duel.run(Course("table.parquet", steps, is_large=True), ["warm"])
    return results, (place / "alone").stat().st_size / MIB


def test_what_a_changed_table_adds_to_what_is_stored(bench, table):
    results, alone = table
    first, firsts = results.stored("add")
    bench.at_most(f"{TABLE}: stored", first, "MiB", **firsts)
    ours, theirs = results.grown("add", "rows")
    bench.at_most(
        f"{TABLE}: stored for 10 rows in the middle",
        ours,
        "MiB",
        budget=budget(0.1 * first),
        **theirs,
    )
    ours, theirs = results.grown("rows", "column")
    bench.at_most(
        f"{TABLE}: stored for a column more",
        ours,
        "MiB",
        the_column_alone=alone,
        **theirs,
    )
