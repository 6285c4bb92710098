"""Schemas of TFDV are taken over and written, and what doesn't map is listed."""

import builtins
import datetime as dt

import pytest
from google.protobuf import text_format
from hypothesis import given
from hypothesis import strategies as st
from tensorflow_metadata.proto.v0 import schema_pb2

from mlkit.errors import InvalidInput, MissingExtra
from mlkit.quality.expectations import Expectations


def schema(text):
    return text_format.Parse(text, schema_pb2.Schema())


TAXI = """
feature {
  name: "trips" type: INT presence { min_fraction: 1.0 min_count: 1 } shape {}
  int_domain { min: 0 max: 100 }
}
feature {
  name: "fare" type: FLOAT value_count { min: 1 max: 1 } presence { min_fraction: 0.5 min_count: 1 }
  float_domain { min: 0.0 }
}
feature { name: "company" type: BYTES domain: "companies" presence { min_count: 1 } }
feature { name: "paid" type: BYTES bool_domain { true_value: "yes" false_value: "no" } }
feature { name: "embedding" type: FLOAT shape { dim { size: 3 } } presence { min_count: 1 } }
feature { name: "tags" type: BYTES value_count { min: 1 max: 4 } }
feature { name: "old" type: INT lifecycle_stage: DEPRECATED int_domain { min: 5 } }
string_domain { name: "companies" value: "Blue" value: "Green" }
dataset_constraints { min_examples_count: 2 max_examples_count: 1000 }
"""
GOOD = {
    "trips": [1, 2],
    "fare": [1.5, None],
    "company": ["Blue", "Green"],
    "paid": ["yes", "no"],
    "embedding": [[1.0, 2.0, 3.0]] * 2,
    "tags": [["a"], ["b", "c"]],
    "old": [1, 2],
}


def test_data_that_a_schema_allows_meet_the_expectations():
    report = Expectations.from_tfdv(schema(TAXI)).check(GOOD)
    assert report.ok, str(report)


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        ({"trips": [1, 101]}, "max"),
        ({"trips": [1, None]}, "nulls"),
        ({"trips": [1.5, 2.5]}, "type"),
        ({"fare": [-1.0, 2.0]}, "min"),
        ({"fare": [None, None]}, "type"),
        ({"company": ["Blue", "Red"]}, "values"),
        ({"paid": ["yes", "maybe"]}, "values"),
        ({"embedding": [[1.0], [1.0, 2.0, 3.0]]}, "min_length"),
        ({"tags": [["a"] * 5, ["a"]]}, "max_length"),
        ({"new": [1, 2]}, "columns"),
    ],
)
def test_data_that_a_schema_forbids_break_the_expectations(change, kind):
    report = Expectations.from_tfdv(schema(TAXI)).check({**GOOD, **change})
    assert kind in {one.kind for one in report.failures}


def test_a_column_that_the_schema_asks_for_must_be_there_and_others_neednt():
    expected = Expectations.from_tfdv(schema(TAXI))
    for name, ok in (("trips", False), ("company", False), ("paid", True), ("old", True)):
        rest = {key: column for key, column in GOOD.items() if key != name}
        assert expected.check(rest).ok is ok


def test_what_doesnt_map_is_listed():
    expected = Expectations.from_tfdv(
        schema("""
        feature {
          name: "a" type: BYTES presence { min_count: 7 }
          string_domain { value: "x" } distribution_constraints { min_domain_mass: 0.9 }
          drift_comparator { infinity_norm { threshold: 0.1 } } unique_constraints { min: 1 max: 5 }
        }
        feature { name: "b" type: FLOAT float_domain { disallow_nan: true max: nan } }
        feature { name: "c" type: STRUCT }
        feature { name: "d" type: INT domain: "nowhere" }
        feature { name: "e" type: INT value_count { min: 2 } int_domain { max: 1 } }
        feature { name: "f" type: FLOAT shape { dim { size: 2 } dim { size: 2 } } }
        feature { name: "g" type: FLOAT bool_domain {} }
        feature { name: "h" type: BYTES natural_language_domain {} in_environment: "TRAINING" }
        feature { name: "i" type: INT deprecated: true }
        default_environment: "SERVING"
        dataset_constraints { num_examples_drift_comparator { min_fraction_threshold: 0.5 } }
        """)
    )
    told = "\n".join(expected.unmapped)
    for what in (
        "'a': presence.min_count 7",
        "'a': string_domain, of which a share may be outside",
        "'a': drift_comparator",
        "'a': unique_constraints",
        "'a': distribution_constraints",
        "'b': float_domain: disallow_nan",
        "'b': float_domain.max nan",
        "'c': type STRUCT",
        "'d': domain 'nowhere', which the schema doesn't have",
        "'e': type INT of the values in its lists",
        "'e': int_domain of the values in its lists",
        "'f': shape [2, 2]",
        "'g': bool_domain",
        "'h': natural_language_domain",
        "'h': in_environment",
        "'i': nothing is expected, as it is DEPRECATED",
        "the schema: default_environment",
        "dataset_constraints: num_examples_drift_comparator",
    ):
        assert what in told
    assert "not taken over: feature 'a': drift_comparator" in str(expected)


def test_expectations_are_written_as_a_schema_and_come_back():
    expected = (
        Expectations()
        .column("n", type="integer", min=0, max=9, nulls=0.25)
        .column("x", type="float", min=-0.5, max=2.0)
        .column("c", type="string", values=["a", "b"])
        .column("l", min_length=1, max_length=3)
        .column("optional", required=False, type="integer")
        .rows(min=1, max=10)
        .others(allowed=False)
    )
    written = expected.to_tfdv()
    copy = schema_pb2.Schema.FromString(written.schema.SerializeToString())
    assert Expectations.from_tfdv(copy) == expected
    assert written.unmapped == ("c is of type string",)


def test_what_a_schema_has_no_word_for_is_listed():
    expected = (
        Expectations()
        .column("n", type="int32", min=0.5, pattern="a", unique=True, max_age=dt.timedelta(days=1))
        .column("t", type="timestamp", min=dt.datetime(2020, 1, 1))  # noqa: DTZ001
        .column("x", type="float64", max=0.1, values=None)
        .column("s", type="string", max_length=3)
        .column("b", type="bool", values=[True])
        .column("huge", type="integer", max=2**70)
        .unique("n", "t")
        .drift({"x": [1.0, 2.0]})
    )
    written = expected.to_tfdv()
    told = "\n".join(written.unmapped)
    for what in (
        "n is of type int32",
        "n matches",
        "n is unique",
        "n has a time of the last",
        "t is of type",
        "t >= ",
        "x <= 0.1",
        "s has a length",
        "b is one of",
        "huge <=",
        "n, t are together unique",
        "x moves from",
        "other columns are allowed",
    ):
        assert what in told
    assert written.schema.feature[0].int_domain.min == 1
    assert written.schema.feature[2].float_domain.max >= 0.1


@given(st.floats(-(2.0**127), 2.0**127), st.booleans())
def test_bounds_that_are_rounded_to_32_bits_let_no_less_by(bound, upper):
    asked = {"max": bound} if upper else {"min": bound}
    domain = (
        Expectations().column("x", type="float", **asked).to_tfdv().schema.feature[0].float_domain
    )
    assert (domain.max >= bound) if upper else (domain.min <= bound)


@given(st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), max_size=4))
def test_any_schema_that_can_be_parsed_can_be_taken_over_or_is_refused(changes):
    parsed, data = schema_pb2.Schema(), bytearray(TAXI_BYTES)
    for place, byte in changes:
        data[place % len(data)] = byte
    try:
        parsed.ParseFromString(bytes(data))
    except Exception:  # noqa: BLE001 - protobuf's own, which is no matter here
        return
    try:
        expected = Expectations.from_tfdv(parsed)
    except InvalidInput:
        return
    assert Expectations.from_json(expected.to_json()) == expected


TAXI_BYTES = schema(TAXI).SerializeToString()


def test_what_is_no_schema_is_refused():
    with pytest.raises(InvalidInput, match="no schema of TFDV"):
        Expectations.from_tfdv("feature {}")


def test_without_the_package_the_error_names_the_extra(monkeypatch):
    original = builtins.__import__

    def refusing(name, *args, **options):
        if name.startswith("tensorflow_metadata"):
            raise ImportError(name)
        return original(name, *args, **options)

    monkeypatch.setattr("mlkit._core.extras.importlib.import_module", refusing)
    with pytest.raises(MissingExtra, match="tfdv"):
        Expectations().to_tfdv()
