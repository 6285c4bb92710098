"""Layouts: the same values with other types, however the arrays are cut."""

import pyarrow as pa
import pytest

from mlkit.data.layout import kept_type, lay_out
from mlkit.data.logical import plain_type

VIEWS = pa.list_view(pa.int64())
CASES = {
    "list view": pa.array([[1], [2, 3], None], type=VIEWS),
    "large list view": pa.array([[1], [2, 3], None], type=pa.large_list_view(pa.int64())),
    "struct": pa.array([{"x": [1]}, {"x": [2, 3]}, None], type=pa.struct([("x", VIEWS)])),
    "list": pa.array([[[1], [2]], [[2, 3]], None], type=pa.list_(VIEWS)),
    "view of views": pa.array([[[1], [2]], [[2, 3]], None], type=pa.list_view(VIEWS)),
    "map": pa.array([[("a", [1])], [("b", [2, 3])], None], type=pa.map_(pa.string(), VIEWS)),
    "fixed list": pa.array([[[1], [2]], [[2, 3], None], None], type=pa.list_(VIEWS, 2)),
    "text view": pa.array(
        [{"x": "a"}, {"x": "b" * 40}, None], pa.struct([("x", pa.string_view())])
    ),
    "bytes view": pa.array([b"a", None, b"b" * 40], type=pa.binary_view()),
    "dictionary": pa.array(["a", None, "a"], pa.dictionary(pa.int8(), pa.string())),
    "dictionary of views": pa.DictionaryArray.from_arrays(
        pa.array([0, None, 0], pa.int8()), pa.array(["a"], pa.string_view())
    ),
    "runs": pa.RunEndEncodedArray.from_arrays([2, 3], ["a", None]),
    "plain": pa.array([1, None, 3]),
}


def cuts(array):
    if pa.types.is_dictionary(array.type):  # not all can be joined
        return [array, array.slice(1, 2), array.slice(0, 0)]
    doubled = pa.concat_arrays([array, array])
    return [array, doubled.slice(3, 3), doubled.slice(2, 2), array.slice(0, 0)]


def plain(value):
    """Give a value with maps as pairs, as their list form has them."""
    if isinstance(value, dict) and set(value) == {"key", "value"}:
        return (value["key"], plain(value["value"]))
    if isinstance(value, list):
        return [plain(item) for item in value]
    return value


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("target_of", [plain_type, kept_type])
def test_values_stay_the_same_wherever_the_array_is_cut(name, target_of):
    for array in cuts(CASES[name]):
        target = target_of(array.type)
        got = lay_out(array, target)
        got.validate(full=True)
        assert got.type == target
        assert plain(got.to_pylist()) == plain(array.to_pylist())


@pytest.mark.parametrize(
    ("kind", "kept"),
    [
        (pa.string_view(), pa.large_string()),
        (pa.binary_view(), pa.large_binary()),
        (VIEWS, pa.list_(pa.int64())),
        (pa.large_list_view(VIEWS), pa.large_list(pa.list_(pa.int64()))),
        (pa.list_(VIEWS, 2), pa.list_(pa.list_(pa.int64()), 2)),
        (pa.run_end_encoded(pa.int32(), pa.string_view()), pa.large_string()),
        (pa.timestamp("s", "UTC"), pa.timestamp("s", "UTC")),
        (pa.dictionary(pa.int8(), pa.string()), pa.dictionary(pa.int8(), pa.string())),
    ],
)
def test_types_are_kept_but_for_views_and_runs(kind, kept):
    assert kept_type(kind) == kept


def test_a_dictionary_is_made_again_of_plain_values():
    target = pa.dictionary(pa.int8(), pa.int64(), ordered=False)
    got = lay_out(pa.array([7, None, 7]), target)
    assert got.type == target
    assert got.to_pylist() == [7, None, 7]
