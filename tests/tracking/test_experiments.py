"""Promises about experiments: what is said of them touches no run, and old names go on to count."""

import shutil
import warnings
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlkit._core.codec import encode_document
from mlkit._core.ids import uuid7
from mlkit.errors import AlreadyExists, InvalidInput, NotFound, ReadOnly
from mlkit.storage.memory import MemoryStorage
from mlkit.storage.readonly import ReadOnlyStorage
from mlkit.storage.wrapped import WrappedStorage
from mlkit.store.store import Store
from mlkit.tracking.experiments import DamagedExperimentWarning, Experiments
from mlkit.tracking.naming import ExperimentEdit, Naming


class Clock:
    """Gives a later time on each call."""

    def __init__(self):
        self.now = 1_700_000_000_000_000_000

    def __call__(self):
        self.now += 1_000_000_000
        return self.now


@pytest.fixture
def storage(tmp_path):
    return MemoryStorage(str(tmp_path))


def experiments_of(storage, clock=None, **counts):
    return Experiments(storage, counts=lambda: counts, clock=clock or Clock())


@pytest.fixture
def experiments(storage):
    return experiments_of(
        storage, **{"flights": 3, "weather": 1, "vision/detector/v1": 2, "vision/detector/v2": 4}
    )


def test_experiments_come_sorted_with_the_number_of_their_runs(experiments):
    assert [(one.name, one.run_count) for one in experiments] == [
        ("flights", 3),
        ("vision/detector/v1", 2),
        ("vision/detector/v2", 4),
        ("weather", 1),
    ]
    assert experiments.names() == [one.name for one in experiments.all()]
    assert len(experiments) == 4


def test_one_that_isnt_there_is_named_with_a_near_one(experiments):
    assert "flights" in experiments
    assert "flihgts" not in experiments
    assert 3 not in experiments
    with pytest.raises(NotFound, match="Did you mean 'flights'"):
        experiments["flihgts"]


def test_what_is_said_shows_at_once_and_to_others(storage, experiments):
    flights = experiments["flights"]
    flights.describe("late ones")
    flights.set_tags(team="ml", old=1)
    flights.set_tags({"old": None})
    flights.note("first")
    flights.note("second")
    for seen in (flights, experiments_of(storage, flights=3)["flights"]):
        assert seen.description == "late ones"
        assert seen.tags == {"team": "ml"}
        assert [note["text"] for note in seen.notes] == ["first", "second"]
        assert repr(seen) == "<Experiment 'flights': 3 runs, 'late ones'>"


def test_secrets_are_masked(storage, experiments):
    flights = experiments["flights"]
    flights.describe("postgres://me:hunter2@host/db")
    flights.set_tags(password="hunter2")
    flights.rename("db password=hunter2")
    assert all(b"hunter2" not in storage.read(entry.path) for entry in storage.list())
    assert experiments["db password=hunter2"].run_count == 3


@pytest.mark.parametrize(
    "wrong",
    [
        lambda one: one.describe(None),
        lambda one: one.note(1),
        lambda one: one.rename(" "),
        lambda one: one.set_tags({"": 1}),
    ],
)
def test_what_cant_be_said_is_refused(storage, experiments, wrong):
    with pytest.raises(InvalidInput):
        wrong(experiments["flights"])
    assert list(storage.list()) == []


def test_a_store_that_only_reads_says_so(storage):
    experiments = experiments_of(ReadOnlyStorage(storage), flights=1)
    with pytest.raises(ReadOnly, match=r"'flights' can't be changed, since .* only reads"):
        experiments["flights"].note("x")


# Archived ones


def test_archived_ones_are_left_out_where_experiments_are_listed(experiments):
    experiments["weather"].archive()
    assert "weather" not in experiments.names()
    assert len(experiments) == 3
    assert "weather" in [one.name for one in experiments.all()]
    assert "weather" in experiments
    assert experiments["weather"].archived
    assert "archived" in repr(experiments["weather"])
    assert experiments.archived_names() == {"weather"}
    experiments["weather"].unarchive()
    assert experiments.archived_names() == frozenset()
    assert len(experiments) == 4


def test_all_names_of_an_archived_one_are_archived(experiments):
    experiments["weather"].rename("climate")
    experiments["climate"].archive()
    assert experiments.archived_names() == {"weather", "climate"}


# Names


def test_a_chain_of_names_means_the_last_and_back_again(storage):
    experiments = experiments_of(storage, a=1, b=2, c=4)
    one = experiments["a"]
    one.rename("x")
    one.rename("y")
    assert one.name == "y"
    assert [experiments.current(name) for name in ("a", "x", "y", "b")] == ["y", "y", "y", "b"]
    assert experiments.carried_by("y") == experiments.carried_by("a") == {"a", "x", "y"}
    assert experiments.carried_by("b") == {"b"}
    assert experiments["a"].name == "y"
    one.rename("a")
    assert [experiments.current(name) for name in ("a", "x", "y")] == ["a", "a", "a"]
    assert experiments.names() == ["a", "b", "c"]


def test_runs_that_are_started_under_an_old_name_belong_to_the_new_one(storage):
    counts = {"a": 1}
    experiments = Experiments(storage, counts=lambda: counts, clock=Clock())
    experiments["a"].rename("b")
    counts.update(a=5, b=2)
    assert [(one.name, one.run_count) for one in experiments] == [("b", 7)]


@pytest.mark.parametrize("taken", ["weather", "once"])
def test_a_name_that_another_has_or_had_is_taken(experiments, taken):
    experiments["weather"].rename("once")
    with pytest.raises(AlreadyExists, match="'once'"):
        experiments["flights"].rename(taken)
    assert experiments["flights"].name == "flights"


def test_a_new_name_that_is_the_present_one_is_no_edit(storage, experiments):
    experiments["flights"].rename("flights")
    assert list(storage.list()) == []


def test_two_who_choose_one_name_at_the_same_time_share_it(storage):
    experiments = experiments_of(storage, a=1, b=2)
    clock = Clock()
    for name in "ab":
        edit = ExperimentEdit(name, clock(), "ann", {"name": "c", "note": name})
        storage.write(f"experiments/{uuid7(clock())}.json", edit.encode())
    (one,) = experiments
    assert (one.name, one.run_count) == ("c", 3)
    assert experiments.carried_by("c") == {"a", "b", "c"}
    assert [note["text"] for note in one.notes] == ["a", "b"]


NAMES = st.sampled_from("abcd")


@given(st.lists(st.tuples(NAMES, NAMES)), NAMES)
def test_the_present_name_of_a_present_name_is_itself(renames, name):
    naming = Naming(ExperimentEdit(old, 0, "ann", {"name": new}) for old, new in renames)
    present = naming.current(name)
    assert naming.current(present) == present
    assert {name, present} <= naming.carried(name) == naming.carried(present)
    assert {naming.current(one) for one in naming.carried(name)} == {present}


# Nesting


def test_a_parent_may_exist_only_by_its_children(experiments):
    vision = experiments["vision"]
    assert (vision.parent, vision.run_count) == (None, 0)
    (detector,) = vision.children
    assert detector.name == "vision/detector"
    assert [one.name for one in detector.children] == ["vision/detector/v1", "vision/detector/v2"]
    assert experiments["vision/detector/v2"].parent.name == "vision/detector"
    assert detector.parent.name == "vision"
    assert experiments["flights"].children == []


def test_a_slash_at_the_end_means_all_beneath(experiments):
    both = {"vision/detector/v1", "vision/detector/v2"}
    assert experiments.carried_by("vision/") == experiments.carried_by("vision/detector/") == both
    assert experiments.carried_by("flights/") == frozenset()
    experiments["weather"].rename("vision/clouds")
    assert experiments.carried_by("vision/") == {*both, "weather", "vision/clouds"}


# Cost and damage


class Counted(WrappedStorage):
    """Counts what is asked."""

    def __init__(self, inner):
        super().__init__(inner)
        self.calls = []

    def children(self, prefix=""):
        self.calls.append("children")
        return super().children(prefix)

    def read(self, path, start=0, end=None):
        self.calls.append(path)
        return super().read(path, start, end)


def test_without_edits_a_question_costs_one_listing(storage):
    counted = Counted(storage)
    experiments = experiments_of(counted, flights=1)
    assert experiments.current("flights") == "flights"
    assert counted.calls == ["children"]
    experiments.archived_names()
    assert counted.calls == ["children"] * 2


def test_each_edit_is_read_once(storage, experiments):
    for number in range(3):
        experiments["flights"].note(str(number))
    counted = Counted(storage)
    again = experiments_of(counted, flights=1)
    for _ in range(3):
        again.current("flights")
    experiments["flights"].note("more")
    assert len(again["flights"].notes) == 4
    assert len([call for call in counted.calls if call != "children"]) == 4


def test_an_edit_counts_after_those_that_were_there_whatever_the_clock_says(storage):
    for number, now in enumerate([2 * 10**18, 10**18, 10**18]):
        experiments = experiments_of(storage, clock=lambda now=now: now, flights=1)
        experiments["flights"].describe(str(number))
        assert experiments["flights"].description == str(number)


def damaged(storage):
    """Damage an edit in the middle of three."""
    names = storage.children("experiments")
    path = f"experiments/{names[1]}"
    storage.write(path, storage.read(path)[:-9] + b"x" * 9)
    return path


def test_a_damaged_edit_is_passed_over_with_one_warning_and_named_by_verify(storage, experiments):
    for number in range(3):
        experiments["flights"].note(str(number))
    path = damaged(storage)
    again = experiments_of(storage, flights=1)
    with pytest.warns(DamagedExperimentWarning, match=path) as caught:
        present = {again.current("flights") for _ in range(3)}
    assert present == {"flights"}
    assert len(caught) == 1
    assert [note["text"] for note in again["flights"].notes] == ["0", "2"]
    assert [problem.path for problem in again.verify()] == [path]


@pytest.mark.parametrize(
    "wrong",
    [{name: 1} for name in ("at", "user", "experiment", "description", "tags", "note", "name")]
    + [{"archived": 1}, {"at": "x"}, {"tags": {"a": 1}}],
    ids=repr,
)
def test_an_edit_of_an_impossible_shape_is_damage(storage, wrong):
    body = {"at": "2026-01-31T12:00:00.000000Z", "user": "ann", "experiment": "flights", **wrong}
    path = f"experiments/{uuid7(Clock()())}.json"
    storage.write(path, encode_document("experiment_edit", body))
    experiments = experiments_of(storage, flights=1)
    with pytest.warns(DamagedExperimentWarning, match="no usable field"):
        assert experiments.names() == ["flights"]
    assert [problem.path for problem in experiments.verify()] == [path]


def test_other_files_are_left_alone(storage, experiments):
    for name in ("1.json", "notes.txt", f"{uuid7(1)}.json/deep"):
        storage.write(f"experiments/{name}", b"?")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(experiments) == 4
    assert list(experiments.verify()) == []


# In a store


def start(store, experiment, **options):
    with store.start_run(experiment, **options) as run:
        pass
    return run.id


def ids(runs):
    return [run.id for run in runs]


def test_a_renamed_experiment_has_the_runs_of_all_its_names(store):
    first = start(store, "flights")
    before = sorted(Path(store.url, "runs", first).iterdir())
    store.experiments["flights"].rename("delays")
    second, third = start(store, "flights"), start(store, "delays")
    other = start(store, "weather")
    for name in ("flights", "delays"):
        assert ids(store.runs.readable(name)) == [first, second, third]
    assert [(one.name, one.run_count) for one in store.experiments] == [
        ("delays", 3),
        ("weather", 1),
    ]
    assert sorted(Path(store.url, "runs", first).iterdir()) == before
    assert ids(store.runs.readable("weather")) == [other]
    assert list(store.verify()) == []


def test_a_run_is_resumed_under_the_new_name_of_its_experiment(store):
    run_id = start(store, "flights")
    store.experiments["flights"].rename("delays")
    assert start(store, "delays", resume=run_id) == run_id
    with pytest.raises(InvalidInput, match="belongs to"):
        store.start_run("weather", resume=run_id)


def test_what_lies_beneath_an_experiment_is_found(store):
    found = [start(store, "vision/a"), start(store, "vision/b/c")]
    start(store, "visionary")
    assert ids(store.runs.readable("vision/")) == found


def test_stores_that_are_copied_together_have_the_edits_of_both(store, tmp_path):
    start(store, "flights")
    shutil.copytree(store.url, tmp_path / "other")
    other = Store(tmp_path / "other")
    store.experiments["flights"].note("here")
    other.experiments["flights"].rename("delays")
    shutil.copytree(f"{other.url}/experiments", f"{store.url}/experiments", dirs_exist_ok=True)
    merged = store.experiments["delays"]
    assert [note["text"] for note in merged.notes] == ["here"]
    assert merged.run_count == 1


def test_a_damaged_edit_is_named_by_verify_of_the_store(store):
    start(store, "flights")
    for number in range(3):
        store.experiments["flights"].note(str(number))
    path = damaged(store._storage)
    assert [problem.path for problem in Store(store.url).verify()] == [path]


@pytest.mark.parametrize("name", ["a//b", "/x", "x/", "a/ /b", "/"])
def test_a_name_with_nothing_beside_a_slash_is_refused(store, name):
    start(store, "flights")
    with pytest.raises(InvalidInput, match="before and after each '/'"):
        store.experiments["flights"].rename(name)


def test_a_name_that_was_left_behind_still_means_its_experiment_and_the_error_says_so(store):
    start(store, "flights")
    start(store, "weather")
    store.experiments["flights"].rename("delays")
    with pytest.raises(AlreadyExists, match="'flights' still means the experiment 'delays'"):
        store.experiments["weather"].rename("flights")


def test_each_verb_names_itself_where_it_refuses_what_is_no_text(store):
    start(store, "flights")
    flights = store.experiments["flights"]
    with pytest.raises(InvalidInput, match=r"experiment\.describe"):
        flights.describe(5)
    with pytest.raises(InvalidInput, match=r"experiment\.note"):
        flights.note(5)
    flights.describe("")  # takes a description away
    assert flights.description == ""


def test_experiments_are_shown_by_their_names(store):
    assert repr(store.experiments) == "<Experiments: 0>"
    for number in range(9):
        start(store, f"e{number}")
    names = ", ".join(f"'e{number}'" for number in range(8))
    assert repr(store.experiments) == f"<Experiments: 9: {names}, …>"
