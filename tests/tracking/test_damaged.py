"""Promises about what is left of a run that was damaged, and who gets it."""

import pytest

from mlkit.errors import Corrupt, InvalidInput, NotFound


@pytest.fixture
def run(store):
    with store.start_run("damaged") as run:
        for step in range(100):
            run.log_metrics({"loss": step, "auc": -step}, step=step)
        run.log_metric("late", 1.0)
    return run


def segment_of(store, run):
    (path,) = [
        entry.path for entry in store._storage.list(f"runs/{run.id}") if entry.path.endswith(".seg")
    ]
    return store._storage.local_path(path)


def change(path, position):
    data = bytearray(path.read_bytes())
    data[position] ^= 1
    path.write_bytes(data)


def steps_of(table):
    return table.column("step").to_pylist()


def test_a_damaged_run_gives_no_points_unless_it_is_asked_for_what_is_left(store, run):
    path = segment_of(store, run)
    change(path, path.stat().st_size // 2)
    read = store.run(run.id)
    for key in (None, "loss"):
        with pytest.raises(Corrupt, match="was damaged"):
            read.metrics(key)
        with pytest.raises(Corrupt, match="was damaged"):
            read.metrics(key, damaged="raise")
    left = steps_of(read.metrics("loss", damaged="skip"))
    assert len(left) == 99
    assert set(left) < set(range(100))
    everything = read.metrics(damaged="skip")
    assert everything.num_rows == 99 + 99 + 1


def test_what_is_left_of_a_run_that_lacks_an_end_of_a_segment_or_all_of_it_is_given(store, run):
    path = segment_of(store, run)
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(Corrupt, match="isn't whole"):
        store.run(run.id).metrics("loss")
    left = steps_of(store.run(run.id).metrics("loss", damaged="skip"))
    assert left == list(range(len(left)))
    assert 90 < len(left) < 100
    path.unlink()
    assert store.run(run.id).metrics(damaged="skip").num_rows == 0
    with pytest.raises(NotFound, match="loss"):
        store.run(run.id).metrics("loss", damaged="skip")


def test_a_metric_that_a_damaged_run_never_had_is_named(store, run):
    change(segment_of(store, run), 2_000)
    (store._storage.local_path(f"runs/{run.id}/end.json")).unlink()
    with pytest.raises(NotFound, match="other"):
        store.run(run.id).metrics("other", damaged="skip")


def test_a_run_that_is_whole_gives_the_same_either_way(store, run):
    read = store.run(run.id)
    assert read.metrics("loss", damaged="skip").equals(read.metrics("loss"))
    assert read.metrics(damaged="skip").equals(read.metrics())


def test_another_word_is_refused(store, run):
    with pytest.raises(InvalidInput, match="isn't known"):
        store.run(run.id).metrics("loss", damaged="ignore")


def test_a_process_whose_clock_was_set_back_keeps_its_order(store):
    with store.start_run("back") as run:
        run.log_metric("loss", 1.0)
        run.log_metric("loss", 2.0)
        journal = run._journal
        clock, journal._segment._clock = journal._segment._clock, lambda: 5
        run.log_metric("loss", 3.0)
        journal._segment._clock = clock
        run.log_metric("loss", 4.0)
    assert store.run(run.id).metrics("loss").column("value").to_pylist() == [1, 2, 3, 4]
    assert store.run(run.id).metrics().column("value").to_pylist() == [1, 2, 3, 4]
    store.compact()
    assert store.search_runs().metrics("loss").column("value").to_pylist() == [1, 2, 3, 4]
