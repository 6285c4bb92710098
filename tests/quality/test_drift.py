import datetime as dt
import math
from decimal import Decimal

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from mlkit.errors import InvalidInput, MissingExtra, NotFound, SchemaMismatch
from mlkit.quality.column_drift import Thresholds
from mlkit.quality.drift import drift
from mlkit.quality.drift_report import DriftReport


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def column(reference, current, **options):
    return drift({"x": reference}, {"x": current}, **options)["x"]


def test_a_shift_of_numbers_drifts(rng):
    found = column(rng.normal(size=2000), rng.normal(1, size=2000))
    assert found.drifted
    assert found.psi > 0.2
    assert found.wasserstein_scaled == pytest.approx(1, abs=0.1)
    assert "PSI" in found.why


def test_a_million_rows_do_not_make_a_small_shift_drift(rng):
    found = column(rng.normal(size=1_000_000), rng.normal(0.02, size=1_000_000))
    assert found.p_corrected < 1e-6
    assert not found.drifted


def test_a_handful_of_rows_does_not_drift_by_chance(rng):
    found = column(rng.normal(size=10), rng.normal(size=8))
    assert found.psi > 0.2
    assert not found.drifted
    assert "chance" in found.why


def test_a_far_tail_drifts_though_it_shares_a_bin(rng):
    values = rng.normal(size=10_000)
    tail = values.copy()
    tail[np.argsort(tail)[-500:]] *= 100
    found = column(values, tail)
    assert found.psi < 0.2
    assert found.drifted
    assert found.why.startswith("Wasserstein")


def test_one_wild_value_does_not_drift(rng):
    values = rng.normal(size=10_000)
    wild = values.copy()
    wild[0] = 1e12
    assert not column(values, wild).drifted


def test_categories_that_change_their_shares_drift():
    found = column(["a"] * 80 + ["b"] * 20, ["a"] * 20 + ["b"] * 80)
    assert found.kind == "category"
    assert found.drifted
    assert found.cramers_v == pytest.approx(0.6)


def test_new_and_vanished_values_are_told():
    found = column(["a"] * 50 + ["b"] * 50, ["a"] * 75 + ["c"] * 25)
    assert found.new_values == (("c", 0.25),)
    assert found.vanished_values == (("b", 0.5),)


def test_many_rare_newcomers_show_though_they_are_pooled():
    known = [f"v{n % 300}" for n in range(6000)]
    found = column(known, known[:3000] + [f"new{n % 300}" for n in range(3000)])
    assert found.kind == "category"
    assert found.drifted
    assert len(found.new_values) == 100


def test_rare_values_that_stay_do_not_drift():
    known = [f"v{n % 300}" for n in range(6000)]
    assert not column(known, known[::-1]).drifted


def test_texts_are_compared_by_their_lengths():
    reference = [f"comment number {n}" for n in range(1000)]
    current = [f"{text}, which is longer by a long way" for text in reference]
    found = column(reference, current)
    assert found.kind == "text"
    assert found.drifted
    assert found.mean_current - found.mean_reference == 31


def test_bytes_are_compared_too():
    found = column([b"\x00"] * 50 + [b"\x01"] * 50, [b"\x02"] * 100)
    assert found.new_values == (("02", 1.0),)
    many = [n.to_bytes(8, "big") for n in range(1000)]
    assert column(many, many).kind == "text"


def test_categories_that_seem_unlike_at_first_are_counted_all_the_same():
    found = column([f"v{n}" for n in range(1900)] * 10, [f"v{n}" for n in range(1900)] * 10)
    assert found.kind == "category"


def test_bools_are_categories():
    assert column([True] * 90 + [False] * 10, [True] * 10 + [False] * 90).kind == "category"


@pytest.mark.parametrize(
    "make",
    [
        lambda day: dt.date(2013, 1, 1) + dt.timedelta(days=day),
        lambda day: dt.datetime(2013, 1, 1, tzinfo=dt.UTC) + dt.timedelta(days=day),
        lambda day: dt.timedelta(days=day),
    ],
)
def test_times_are_compared_in_seconds(make):
    found = column([make(day) for day in range(100)], [make(day) for day in range(10, 110)])
    assert found.kind == "time"
    assert found.wasserstein == pytest.approx(864_000)


def test_times_of_the_day_are_compared_in_seconds():
    noon = pa.array([dt.time(12)] * 9)
    later = pa.array([dt.time(12, 0, 5)] * 9).cast(pa.time32("s"))
    assert column(noon, later).wasserstein == 5


def test_decimals_are_numbers():
    assert column([Decimal("1.5")], [Decimal("2.5")]).wasserstein == 1.0


def test_whole_numbers_and_floats_are_one_kind():
    assert column([1, 2, 3], [1.0, 2.0, 3.0]).ks == 0


def test_numbers_can_be_asked_to_be_categories():
    found = column([1.0, 1.0, math.nan], [2, 2, 2], categorical=["x"])
    assert found.kind == "category"
    assert found.new_values == (("2", 1.0),)


def test_missing_values_drift_when_their_share_changes(rng):
    values = rng.normal(size=1000)
    holes = np.where(np.arange(1000) % 5 == 0, np.nan, values)
    found = column(values, holes)
    assert (found.missing_reference, found.missing_current) == (0.0, 0.2)
    assert found.drifted
    assert found.why == "missing 0.0% → 20.0%"


def test_a_few_missing_values_among_few_rows_are_chance():
    assert not column([1, 2, 3, 4, 5, 6], [1, 2, 3, 4, 5, None]).drifted


def test_a_certain_but_small_change_of_missing_values_does_not_drift():
    found = column([1.0] * 10_000, [1.0] * 9_800 + [None] * 200)
    assert found.p_missing < 1e-6
    assert not found.drifted


def test_constant_columns_are_fine():
    same, other = column([1.0] * 100, [1.0] * 100), column([1.0] * 100, [2.0] * 100)
    assert (same.drifted, same.wasserstein_scaled) == (False, 0.0)
    assert (other.drifted, other.wasserstein_scaled) == (True, None)
    assert not column(["a"] * 100, ["a"] * 100).drifted


def test_a_column_that_lost_all_its_values_drifted():
    found = column([1.0] * 100, pa.nulls(100))
    assert found.drifted
    assert found.psi is None


def test_a_column_without_values_on_either_side_is_told():
    for values in (pa.nulls(5), pa.nulls(5, pa.float64()), pa.nulls(5, pa.string())):
        found = column(values, values)
        assert not found.drifted
        assert found.why == "no values on either side"


@pytest.mark.parametrize("kind", [pa.float64(), pa.string(), pa.bool_(), pa.date32(), pa.null()])
def test_empty_frames_are_told(kind):
    empty, full = pa.nulls(0, kind), pa.nulls(2, kind)
    for left, right in ((empty, empty), (empty, full), (full, empty)):
        found = column(left, right)
        assert not found.drifted
        assert found.why.startswith("no values")


def test_an_empty_side_is_named():
    assert column([1.0], []).why == "no values in the current data"
    assert column(pa.nulls(0, pa.string()), ["a"]).why == "no values in the reference"


def test_one_row_on_each_side_is_chance():
    assert not column([1.0], [100.0]).drifted


def test_infinite_numbers_are_no_crash():
    found = column([1.0, 2.0, math.inf], [math.inf, math.inf, -math.inf])
    assert found.wasserstein is None
    assert found.mean_reference == 1.5
    assert found.mean_current is None
    assert column([math.inf], [1.0]).wasserstein_scaled is None


def test_lists_and_structs_are_told_not_to_be_comparable():
    found = column([[1], [2]], [[3], [4]])
    assert not found.drifted
    assert "can't be compared" in found.why


def test_a_retyped_column_is_not_comparable():
    found = column([1.0, 2.0], ["a", "b"])
    assert (found.compared, found.drifted) == (False, False)
    assert "type changed from double to string" in found.why


def test_columns_that_one_side_lacks_are_not_comparable():
    report = drift({"a": [1], "b": [1]}, {"b": [1], "c": [1]})
    assert [one.name for one in report.columns] == ["a", "b", "c"]
    assert [one.name for one in report.not_comparable] == ["a", "c"]
    assert not report.drifted
    assert "lack" in report["a"].why
    assert "lacks" in report["c"].why
    assert report.headline().startswith("0 of 1 compared columns drifted (0 %), 2 not comparable:")
    assert ">2 not comparable<" in report.html()


def test_where_nothing_could_be_compared_that_is_said_loudly():
    report = drift({"a": [1], "b": [1]}, {"a": ["x"], "c": [1]})
    assert (report.share, report.drifted) == (0.0, False)
    assert "0 of 3 columns compared, 3 not comparable, so drift isn't known" in str(report)
    assert 'mlk-bad">3 not comparable<' in report.html()
    assert DriftReport.from_json(report.to_json()) == report


def test_a_stored_verdict_on_a_column_without_figures_does_not_count():
    report = drift({"a": [1], "b": [1]}, {"b": [1]})
    stored = report.to_json()
    stored["columns"][0]["drifted"] = True
    del stored["columns"][0]["compared"]
    assert DriftReport.from_json(stored).share == 0
    assert not DriftReport.from_json(stored).drifted


def test_columns_are_ordered_by_the_effect_that_decided(rng):
    values = rng.normal(size=1000)
    holes = np.where(np.arange(1000) % 2 == 0, np.nan, values)
    report = drift(
        {"calm": values, "holes": values, "slight": values, "far": values, "gone": values},
        {"calm": values, "holes": holes, "slight": values + 0.6, "far": values + 9},
    )
    assert [one.name for one in report.ordered] == ["far", "holes", "slight", "calm", "gone"]
    assert [one.name for one in report.drifted_columns] == ["far", "holes", "slight"]
    assert report["holes"].effect(report.thresholds) == pytest.approx(10)
    assert report["gone"].effect(report.thresholds) is None
    text = report.text()
    assert min(("far", "holes", "slight", "calm", "gone"), key=text.index) == "far"


def test_an_effect_that_chance_explains_does_not_decide(rng):
    left, right = rng.normal(size=6), np.append(rng.normal(5, size=1), [np.nan] * 300)
    found = column(left, right)
    assert found.why.startswith("missing")
    assert found.effect(Thresholds()) == pytest.approx(found.missing_change / 0.05)


def test_without_a_threshold_any_effect_is_beyond_it():
    assert column([1.0] * 9, [1.0] * 9).effect(Thresholds(psi=0)) == math.inf


def test_layouts_of_one_type_are_the_same():
    plain = pa.array(["a", "b"] * 50)
    coded = plain.dictionary_encode()
    ends = pa.compute.run_end_encode(plain)
    for other in (coded, ends, plain.cast(pa.large_string()), plain.cast(pa.string_view())):
        assert column(plain, other).psi == 0
    numbers = pa.array([1.0, 2.0])
    assert column(numbers, numbers.dictionary_encode()).ks == 0


def test_frames_of_all_libraries_are_taken():
    data = {"n": [1.0, 2.0, 3.0], "s": ["a", "b", "c"]}
    for left in (pd.DataFrame(data), pl.DataFrame(data), pa.table(data)):
        assert not drift(left, data).drifted


def test_only_the_asked_columns_are_compared():
    report = drift({"a": [1], "b": [1]}, {"a": [1], "b": ["x"]}, columns=["a", "a"])
    assert [one.name for one in report.columns] == ["a"]


def test_many_columns_are_corrected_together(rng):
    wide = {f"c{n}": rng.normal(size=50) for n in range(30)}
    found = drift(wide, {name: rng.normal(size=50) for name in wide})
    assert not found.drifted
    assert all(one.p_corrected >= one.p_value for one in found.columns)


def test_thresholds_can_be_set(rng):
    left, right = rng.normal(size=5000), rng.normal(0.3, size=5000)
    assert not column(left, right).drifted
    assert column(left, right, thresholds=Thresholds(psi=0.05)).drifted


def test_disjoint_tables_are_an_error():
    with pytest.raises(SchemaMismatch, match="no column in common: a against b"):
        drift({"a": [1]}, {"b": [1]})


def test_an_unknown_column_is_an_error_with_a_near_name():
    with pytest.raises(InvalidInput, match="Did you mean 'temp'"):
        drift({"temp": [1]}, {"temp": [1]}, columns=["tmp"])
    with pytest.raises(InvalidInput, match="There are: temp"):
        drift({"temp": [1]}, {"temp": [1]}, categorical=["zzz"])


def test_other_bad_arguments_are_errors():
    data = {"a": [1]}
    with pytest.raises(InvalidInput, match="out of range"):
        drift(data, data, bins=1)
    with pytest.raises(InvalidInput, match="is one text"):
        drift(data, data, columns="a")
    with pytest.raises(InvalidInput, match="No columns"):
        drift(data, data, columns=[])


def test_without_numpy_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "numpy", None)
    with pytest.raises(MissingExtra, match="stats"):
        drift({"a": [1]}, {"a": [1]})


class Version:
    """A dataset version, as drift sees it."""

    ref = "flights:3"

    def to_arrow(self):
        return pa.table({"a": [1, 2]})


def report():
    return drift(
        Version(),
        {"a": [5.0, math.inf] * 100, "<b>": ["x"] * 200},
        thresholds=Thresholds(psi=0.1),
    )


def test_a_dataset_version_is_told_by_its_reference():
    assert report().reference == "flights:3"
    assert "flights:3 (2 rows) against current (200 rows)" in report().headline()


def test_a_report_survives_json():
    assert DriftReport.from_json(report().to_json()) == report()


def test_a_report_with_values_survives_json():
    found = drift({"x": ["a"]}, {"x": ["b"]})
    assert DriftReport.from_json(found.to_json()) == found


def test_a_report_is_a_table_too():
    table = drift({"x": ["a"], "n": [1.0]}, {"x": ["b"], "n": [1.0]}).to_arrow()
    assert table["new_values"].to_pylist() == [["b"], []]
    assert table.schema.field("psi").type == pa.float64()


def test_an_unknown_column_of_a_report_suggests_a_near_one():
    with pytest.raises(NotFound, match="Did you mean"):
        report()["aa"]


def test_share_is_that_of_the_compared_columns():
    ones = [1.0] * 100
    found = drift({"a": ones, "b": ones, "c": ones}, {"a": ones, "b": [2.0] * 100})
    assert found.share == 0.5
    assert found.drifted


def test_a_report_shows_itself_in_text_and_html():
    found = report()
    assert str(found) == found.text()
    assert repr(found).startswith("<DriftReport: 1 of 2 columns") or "columns" in repr(found)
    assert "<b>" not in found._repr_html_().replace("<b>PSI", "")
    assert "&lt;b&gt;" in found._repr_html_()


def test_the_shown_values_are_few():
    found = drift({"x": ["a"] * 40}, {"x": [f"v{n % 20}" for n in range(40)]})
    html = found._repr_html_()
    assert "New values of x" in html
    assert "and 12 more" in html
    assert "Vanished values of x" in html
