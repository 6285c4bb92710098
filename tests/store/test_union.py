"""Stores as sets: however they are merged, what they hold in the end is the union."""

import itertools

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import mlkit

_numbers = itertools.count()

RUN = st.tuples(st.just("run"), st.integers(0, 3))
EDIT = st.tuples(st.just("edit"), st.integers(0, 2))
DATASET = st.tuples(st.just("dataset"), st.integers(0, 4))
MODEL = st.tuples(st.just("model"), st.integers(0, 4))
SHARED = st.tuples(st.just("shared"), st.integers(0, 2))
STORES = st.lists(st.one_of(RUN, EDIT, DATASET, MODEL, SHARED), max_size=6)


def made(actions, base):
    """Make a store by some actions, upon what all stores share."""
    store = mlkit.Store(f"memory://union-{next(_numbers)}")
    store.merge(base)
    for action, number in actions:
        if action == "run":
            with store.start_run("flights") as run:
                run.log_text(f"text {number}", "text.txt")
        elif action == "edit" and store.runs.ids():
            ids = store.runs.ids()
            store.run(ids[number % len(ids)]).set_tags(number=str(number))
        elif action == "dataset":
            store.log_dataset("flights", {"a": [number]})
        elif action == "model":
            store.models.save("delay", {"mean": number})
        elif action == "shared":
            store.run(base.runs.ids()[0]).note(f"note {number}")
    return store


def copy(store):
    twin = mlkit.Store(f"memory://union-{next(_numbers)}")
    assert twin.merge(store).is_complete
    return twin


def union(first, *others):
    result = copy(first)
    for other in others:
        assert result.merge(other).is_complete
    return result


def files(store):
    """Give the files of runs and the contents, byte for byte."""
    found = (entry.path for entry in store._storage.list())
    roots = ("runs/", "blobs/", "packs/")
    return {path: store._storage.read(path) for path in found if path.startswith(roots)}


def everything(store):
    """Give what a store holds, whatever its versions are numbered."""
    names = [name for name in ("flights",) if name in store.datasets]
    datasets = {one.digest for name in names for one in store.datasets[name].versions()}
    models = (
        {(one.digest, one.created_at) for one in store.models["delay"]}
        if "delay" in store.models
        else set()
    )
    return files(store), datasets, models


def base():
    store = mlkit.Store(f"memory://union-{next(_numbers)}")
    with store.start_run("shared") as run:
        run.log_metric("auc", 0.5)
    return store


LIGHT = settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])


@LIGHT
@given(STORES)
def test_merging_a_store_again_changes_nothing(actions):
    common = base()
    one = made(actions, common)
    twin = copy(one)
    assert twin.merge(one).objects == 0
    assert one.merge(twin).objects == 0
    assert one.merge(one).objects == 0
    assert everything(one) == everything(twin)


@LIGHT
@given(STORES, STORES)
def test_two_stores_that_merge_both_ways_hold_the_same(left, right):
    common = base()
    one, two = made(left, common), made(right, common)
    assert everything(union(one, two)) == everything(union(two, one))
    one.merge(two)
    two.merge(one)
    assert everything(one) == everything(two)
    assert one.merge(two).objects == two.merge(one).objects == 0
    for store in (one, two):
        assert list(store.verify()) == []
        for room, name in ((store.datasets, "flights"), (store.models, "delay")):
            if name in room:
                numbers = room[name].numbers()
                assert numbers == list(range(1, len(numbers) + 1))


@LIGHT
@given(STORES, STORES, STORES)
def test_it_makes_no_difference_which_stores_are_merged_first(a, b, c):
    common = base()
    one, two, three = made(a, common), made(b, common), made(c, common)
    left = union(union(one, two), three)
    right = union(one, union(two, three))
    assert everything(left) == everything(right)
