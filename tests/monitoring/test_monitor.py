import math
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from decimal import Decimal

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from pyarrow import parquet

from mlkit.errors import Corrupt, InvalidInput, InvalidName
from mlkit.monitoring.monitor import Monitor
from mlkit.monitoring.monitor_report import MonitorReport
from mlkit.objects.verify import verify_objects
from mlkit.storage.readonly import ReadOnlyStorage

APRIL, MAY, JUNE = "2013-04-01", "2013-05-01", "2013-06-01"


def inferences(storage):
    return [entry.path for entry in storage.list("monitors/delay/inferences")]


def logged(storage, index=0):
    return parquet.read_table(storage.local_path(inferences(storage)[index]))


def test_a_call_writes_one_object_that_proves_itself(monitor, storage):
    assert monitor.log({"x": [1.0, 2.0]}, [0.1, 0.9], ids=["a", "b"]) == 2
    assert len(inferences(storage)) == 1
    assert list(verify_objects(storage)) == []


def test_the_object_is_plain_parquet_with_all_that_was_given(monitor, storage):
    monitor.log({"x": [1.0], "id": [9]}, [0.1], ids=[7], timestamp="2013-04-05T12:00:00Z")
    assert logged(storage).to_pylist() == [
        {
            "id": "7",
            "timestamp": datetime(2013, 4, 5, 12, tzinfo=UTC),
            "prediction": 0.1,
            "version": 1,
            "feature.x": 1.0,
            "feature.id": 9,
        }
    ]


def test_an_empty_batch_writes_nothing(monitor, storage):
    assert monitor.log({"x": pa.nulls(0, pa.float64())}, [], ids=[]) == 0
    assert monitor.log_truth([], []) == 0
    assert list(storage.list("monitors")) == []


def test_many_threads_log_at_once(monitor):
    def log(number):
        monitor.log(None, [0.5], ids=[number])
        monitor.log_truth([number], [1])

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(log, range(64)))
    report = monitor.check()
    assert (report.rows, report.truths) == (64, 64)


def test_truths_are_joined_by_id_whatever_their_order_and_type(monitor):
    monitor.log(None, [0.1, 0.2, 0.7, 0.9], ids=np.array([1, 2, 3, 4]))
    monitor.log_truth(["4", "3", "2", "1"], [True, True, False, False])
    report = monitor.check()
    assert report.task == "binary"
    assert report.performance["auc"] == 1.0
    assert report.missing_truths == 0
    assert report.loss("auc") == pytest.approx(-0.2)


def test_later_truths_win(monitor):
    monitor.log(None, [0.1, 0.9], ids=["a", "b"])
    monitor.log_truth(["a", "b"], [1, 0])
    assert monitor.check().performance["auc"] == 0
    monitor.log_truth(["a", "b", "a"], [1, 1, 0])
    assert monitor.check().performance["auc"] == 1


def test_later_inferences_of_an_id_win_and_are_counted(monitor):
    monitor.log(None, [0.1, 0.9], ids=["a", "b"])
    monitor.log(None, [0.9], ids=["a"])
    monitor.log_truth(["a", "b"], [1, 0])
    report = monitor.check()
    assert (report.rows, report.repeated, report.performance["auc"]) == (2, 1, 0.5)


def test_truths_not_known_yet_are_left_out(monitor):
    monitor.log(None, [0.1, 0.9, 0.4], ids=["a", "b", "c"])
    frame = pd.DataFrame({"y": pd.array([True, None, False], dtype="boolean")})
    assert monitor.log_truth(["a", "b", "c"], frame["y"]) == 2
    assert monitor.check().missing_truths == pytest.approx(1 / 3)


def test_unknown_ids_are_counted_over_all_versions(storage, clock, version):
    first = Monitor(storage, version(1), clock=clock)
    second = Monitor(storage, version(2), clock=clock)
    first.log(None, [0.1], ids=["a"])
    second.log(None, [0.2], ids=["b"])
    first.log_truth(["a", "b", "x", "y"], [0, 1, 1, 0])
    assert second.check().unknown_truths == 2
    assert second.check(start=APRIL).unknown_truths is None
    assert Monitor(storage, version(3), clock=clock).check().unknown_truths == 2


def test_truths_without_any_inference_are_unknown(monitor):
    monitor.log_truth(["a"], [1])
    report = monitor.check()
    assert (report.rows, report.unknown_truths) == (0, 1)
    assert report.missing_truths is None


def test_a_version_is_judged_by_its_own_inferences(storage, clock, version):
    first = Monitor(storage, version(1), clock=clock)
    second = Monitor(storage, version(2), clock=clock)
    first.log(None, [0.1, 0.9], ids=["a", "b"])
    second.log(None, [0.9, 0.1], ids=["a", "b"])
    first.log_truth(["a", "b"], [0, 1])
    assert first.check().performance["auc"] == 1
    assert second.check().performance["auc"] == 0


def test_a_window_holds_its_start_and_not_its_end(monitor):
    days = [datetime(2013, 4, 30, 23, 59, 59, 999_999, tzinfo=UTC)]
    days += [datetime(2013, 5, 1, tzinfo=UTC), datetime(2013, 6, 1, tzinfo=UTC)]
    monitor.log(None, [0.1, 0.2, 0.3], ids=["a", "b", "c"], timestamp=days)
    report = monitor.check(start=MAY, end=JUNE)
    assert report.rows == 1
    assert report.first == report.start
    assert monitor.check(end=MAY).rows == 1
    assert monitor.check(start=JUNE).rows == 1


def test_only_objects_of_the_window_are_read(monitor, storage):
    monitor.log(None, [0.1], ids=["a"], timestamp=date(2013, 4, 5))
    monitor.log(None, [0.1], ids=["b"], timestamp=date(2013, 5, 5))
    (april,) = [path for path in inferences(storage) if "/20130405" in path]
    storage.write(april, b"damaged")
    assert monitor.check(start=MAY, end=JUNE).rows == 1
    with pytest.raises(Corrupt, match="20130405"):
        monitor.check(start=APRIL, end=MAY)


def test_a_flipped_bit_in_the_truths_is_found(monitor, storage):
    monitor.log(None, [0.1], ids=["a"])
    monitor.log_truth(["a"], [1])
    (truth,) = [entry.path for entry in storage.list("monitors/delay/truths")]
    data = bytearray(storage.read(truth))
    data[10] ^= 1
    storage.write(truth, bytes(data))
    with pytest.raises(Corrupt, match="digest"):
        monitor.check()


def test_strange_files_in_the_folder_are_passed_over(monitor, storage):
    monitor.log(None, [0.1], ids=["a"])
    storage.write("monitors/delay/inferences/1/readme.txt", b"hello")
    assert monitor.check().rows == 1


def test_an_empty_window_is_told(monitor):
    monitor.log(None, [0.1], ids=["a"])
    report = monitor.check(start="2014-01-01", end="2014-01-01")
    assert report.rows == 0
    assert "the window has no inferences" in report.notes
    assert "no inferences" in report.headline()


def test_without_truths_that_is_told(monitor):
    monitor.log(None, [0.1], ids=["a"])
    assert "no truths were logged yet" in monitor.check().notes


def test_truths_of_other_rows_only_are_told(monitor):
    monitor.log(None, [0.1], ids=["a"])
    monitor.log_truth(["b"], [1])
    assert any("both a truth and a prediction" in note for note in monitor.check().notes)


def test_one_outcome_only_is_told(monitor):
    monitor.log(None, [0.1, 0.3], ids=["a", "b"])
    monitor.log_truth(["a", "b"], [0, 0])
    report = monitor.check()
    assert report.performance["auc"] is None
    assert report.performance["log_loss"] is not None
    assert any(note.startswith("auc") for note in report.notes)


def test_missing_predictions_are_told(monitor):
    monitor.log(None, [0.1, math.nan, 0.8], ids=["a", "b", "c"])
    monitor.log_truth(["a", "b", "c"], [0, 0, 1])
    report = monitor.check()
    assert report.performance["auc"] == 1
    assert any("1 predictions are missing" in note for note in report.notes)


def test_numbers_are_judged_as_numbers(monitor):
    monitor.log(None, pa.array([10, 20]), ids=["a", "b"])
    monitor.log_truth(["a", "b"], [11.0, 21.0])
    report = monitor.check()
    assert report.task == "regression"
    assert report.performance["rmse"] == 1.0


def test_labels_are_judged_as_labels(monitor):
    monitor.log(None, pd.Series(["late", "early"], dtype="category"), ids=["a", "b"])
    monitor.log_truth(["a", "b"], pl.Series(["late", "late"]))
    assert monitor.check().performance == {"accuracy": 0.5}


def test_the_task_can_be_said(storage, clock, version):
    monitor = Monitor(storage, version(), task="regression", clock=clock)
    monitor.log(None, [0.0, 1.0], ids=["a", "b"])
    monitor.log_truth(["a", "b"], [0, 0])
    assert monitor.check().performance["mae"] == 0.5
    with pytest.raises(InvalidInput, match="task="):
        Monitor(storage, version(), task="guess")


def test_truths_of_another_kind_than_the_predictions_are_told(monitor):
    monitor.log(None, [0.1], ids=["a"])
    monitor.log_truth(["a"], ["late"])
    report = monitor.check()
    assert report.performance == {}
    assert any("can't be measured" in note for note in report.notes)


def test_drift_is_against_the_training_data(storage, clock, version):
    rng = np.random.default_rng(0)
    calls = []

    def reference():
        calls.append(1)
        return {"x": rng.normal(size=500), "late": [0, 1] * 250}

    monitor = Monitor(storage, version(), reference=reference, clock=clock)
    monitor.log({"x": rng.normal(3, size=500)}, np.full(500, 0.5), ids=range_of(500))
    report = monitor.check()
    assert report.drift["x"].drifted
    assert [column.name for column in report.drift.columns] == ["x"]
    monitor.check()
    assert calls == [1]


def range_of(count):
    return list(range(count))


def test_a_feature_that_the_model_takes_and_production_lacks_is_told(storage, clock, version):
    monitor = Monitor(
        storage, version(inputs=["x", "y", "z"]), reference=lambda: {"x": [1.0], "y": [1.0]}
    )
    monitor.log({"x": [1.0]}, [0.5], ids=["a"])
    report = monitor.check()
    assert not report.drift["y"].compared
    assert any("can't be compared: y (the current data lack" in note for note in report.notes)
    assert [column.name for column in report.drift.columns] == ["x", "y"]


def test_a_feature_that_changed_its_type_meanwhile_is_told(storage, clock, version):
    monitor = Monitor(storage, version(), reference=lambda: {"x": [1.0, 2.0]}, clock=clock)
    monitor.log({"x": [1.0], "l": [[1]]}, [0.5], ids=["a"])
    monitor.log({"x": ["one"], "l": ["none"]}, [0.5], ids=["b"])
    monitor.log(None, [0.5], ids=["c"])
    report = monitor.check()
    assert not report.drift["x"].compared
    assert "not comparable, so drift isn't known" in str(report)
    assert any("x came as double, string" in note for note in report.notes)


def test_features_come_and_go_and_widen(storage, clock, version):
    monitor = Monitor(storage, version(), reference=lambda: {"x": [1.0], "y": [1.0]}, clock=clock)
    monitor.log({"x": [1], "y": pa.nulls(1)}, [0.5], ids=["a"])
    monitor.log({"x": [1.5], "y": [2.5]}, [0.5], ids=["b"])
    report = monitor.check()
    assert report.drift["x"].rows_current == 2
    assert report.notes == ("no truths were logged yet",)


@pytest.mark.parametrize(
    ("features", "reference", "note"),
    [
        (None, {"x": [1]}, "no features were logged"),
        ({"x": [1]}, None, "the training data aren't known"),
        ({"x": [1]}, {"y": [1]}, "no column in common"),
    ],
)
def test_why_drift_is_not_known_is_told(storage, clock, version, features, reference, note):
    make = None if reference is None else lambda: reference
    monitor = Monitor(storage, version(), reference=make, clock=clock)
    monitor.log(features, [0.5], ids=["a"])
    report = monitor.check()
    assert report.drift is None
    assert any(note in said for said in report.notes)


def test_a_signature_that_nothing_fits_is_told(storage, clock, version):
    deployed = version(inputs=["a", "b"])
    monitor = Monitor(storage, deployed, reference=lambda: {"a": [1.0]}, clock=clock)
    monitor.log({"b": [1.0]}, [0.5], ids=["a"])
    report = monitor.check()
    assert report.drift is None
    assert any("drift isn't known" in said for said in report.notes)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"ids": ["a"]}, "2 predictions and 1 ids"),
        ({"X": {"x": [1]}}, "X has 1 rows"),
        ({"predictions": np.zeros((2, 2))}, r"proba\[:, 1\]"),
        ({"predictions": [[0.1], [0.2]]}, "can't be kept"),
        ({"predictions": [{"p": 1}, {"p": 2}]}, "list of dicts"),
        ({"ids": ["a", None]}, "An id is missing"),
        ({"ids": [1.0, 2.0]}, "The ids are double"),
        ({"ids": pa.array(["a", None]).dictionary_encode()}, "An id is missing"),
        ({"timestamp": ["a", "b"]}, "not times"),
        ({"timestamp": [datetime(2013, 1, 1, tzinfo=UTC)]}, "2 rows and 1 timestamps"),
        ({"timestamp": [datetime(2013, 1, 1, tzinfo=UTC), None]}, "A timestamp is missing"),
        ({"timestamp": pa.array([1, 2], pa.time64("us"))}, "can't be read as times"),
        ({"timestamp": 1.5}, "is no time"),
        ({"timestamp": pd.NaT}, "is no time"),
    ],
)
def test_what_can_not_be_kept_is_refused_and_nothing_is_written(monitor, storage, change, message):
    good = {"X": {"x": [1, 2]}, "predictions": [0.1, 0.2], "ids": ["a", "b"]}
    with pytest.raises(InvalidInput, match=message):
        monitor.log(**{**good, **change})
    assert list(storage.list("monitors")) == []


def test_truths_of_another_length_are_refused(monitor):
    with pytest.raises(InvalidInput, match="1 truths and 2 ids"):
        monitor.log_truth(["a", "b"], [1])


@pytest.mark.parametrize(
    "when",
    [
        "2013-04-05",
        date(2013, 4, 5),
        datetime(2013, 4, 5),  # noqa: DTZ001 - without a zone it is UTC
        datetime(2013, 4, 5, tzinfo=UTC),
        pd.Timestamp("2013-04-05"),
        pd.Timestamp("2013-04-05", tz="America/New_York").tz_convert("UTC").normalize(),
        np.datetime64("2013-04-05"),
        1365120000 * 10**9,
        pd.Series(pd.to_datetime(["2013-04-05"])),
        pa.chunked_array([pa.array([date(2013, 4, 5)])]),
    ],
)
def test_times_are_taken_as_people_give_them(monitor, storage, when):
    monitor.log(None, [0.1], ids=["a"], timestamp=when)
    assert logged(storage)["timestamp"][0].as_py() == datetime(2013, 4, 5, tzinfo=UTC)


def test_now_is_the_time_where_none_is_given(monitor, storage):
    monitor.log(None, [0.1], ids=["a"])
    assert logged(storage)["timestamp"][0].as_py() == datetime(2013, 4, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (pa.array([Decimal("1.50")]), 1.5),
        (pa.array([True]).dictionary_encode(), 1.0),
        (pa.array(["late"], pa.large_string()), "late"),
        ([None], None),
    ],
)
def test_predictions_are_kept_as_numbers_or_texts(monitor, storage, given, kept):
    monitor.log(None, given, ids=pa.array(["a"]).dictionary_encode())
    assert logged(storage)["prediction"].to_pylist() == [kept]


def test_a_window_that_ends_before_it_starts_is_refused(monitor):
    with pytest.raises(InvalidInput, match="ends"):
        monitor.check(start=MAY, end=APRIL)


def test_a_model_of_an_unsafe_name_is_refused(storage, version):
    deployed = version()
    deployed.name = "../x"
    with pytest.raises(InvalidName):
        Monitor(storage, deployed)


def test_checks_are_kept_and_read_back(monitor):
    monitor.log({"x": [1.0]}, [0.1], ids=["a"], timestamp=APRIL)
    first = monitor.check(start=APRIL, end=MAY)
    second = monitor.check(start=MAY, end=JUNE)
    assert monitor.history() == [first, second]


def test_a_window_that_is_checked_again_is_there_once(monitor):
    monitor.log(None, [0.1, 0.9], ids=["a", "b"], timestamp=APRIL)
    monitor.check(start=APRIL, end=MAY)
    monitor.log_truth(["a", "b"], [0, 1])
    again = monitor.check(start=APRIL, end=MAY)
    assert monitor.history() == [again]


def test_a_check_need_not_be_kept(monitor):
    monitor.check(record=False)
    assert monitor.history() == []


def test_a_store_that_only_reads_can_be_checked(monitor, storage, clock, version):
    monitor.log(None, [0.1], ids=["a"])
    report = Monitor(ReadOnlyStorage(storage), version(), clock=clock).check()
    assert report.rows == 1
    assert any("wasn't kept" in note for note in report.notes)


def test_a_monitor_says_what_it_watches(monitor):
    assert repr(monitor) == "<Monitor of delay:1>"


def full(storage, clock, version):
    deployed = version(4, auc=0.8)
    monitor = Monitor(storage, deployed, reference=lambda: {"x": [1.0, 2.0] * 50}, clock=clock)
    monitor.log({"x": [7.0, 8.0] * 50}, [0.1, 0.7] * 50, ids=range_of(100), timestamp=APRIL)
    monitor.log_truth(range_of(90), [1, 1, 0] * 30)
    return monitor.check(start=APRIL, end=MAY)


def test_a_report_survives_json(storage, clock, version):
    report = full(storage, clock, version)
    assert MonitorReport.from_json(report.to_json()) == report


def test_a_report_shows_itself(storage, clock, version):
    report = full(storage, clock, version)
    for text in (str(report), report._repr_html_()):
        for word in ("delay:4", "2013-04-01 to 2013-05-01", "auc", "0.8", "log_loss", "drifted"):
            assert word in text
    assert repr(report).startswith("<MonitorReport: delay:4")


def test_an_empty_report_shows_itself(monitor):
    report = monitor.check()
    assert "no inferences" in str(report)
    assert "no inferences" in report._repr_html_()


@pytest.mark.parametrize(
    ("start", "end", "window"),
    [
        (None, None, "all time"),
        (APRIL, None, "from 2013-04-01"),
        (None, "2013-04-01T12:00:00", "until 2013-04-01 12:00"),
    ],
)
def test_a_window_is_told_in_words(monitor, start, end, window):
    assert monitor.check(start=start, end=end).window == window


def test_the_loss_of_a_metric_is_known_only_with_both_figures_and_a_direction(monitor):
    report = monitor.check()
    assert report.loss("auc") is None
    known = MonitorReport.from_json(
        {
            **report.to_json(),
            "performance": {"rmse": 3.0, "profit": 1.0},
            "baseline": {"rmse": 2.0, "profit": 2.0},
        }
    )
    assert known.loss("rmse") == 1.0
    assert known.loss("profit") is None
