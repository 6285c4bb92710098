"""Types that are rare or nested: what is logged is read back as it was, or is refused at once."""

import decimal

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from mlkit.data.categories import with_categories
from mlkit.data.identity import identify
from mlkit.data.layout import kept_type, lay_out
from mlkit.data.logical import type_text
from mlkit.data.parquet import conform
from mlkit.data.storing.parquet_writing import write_parquet
from mlkit.errors import InvalidInput

NULLS = pa.null()
TEXTS = pa.dictionary(pa.int8(), pa.string())
UUID = pa.ExtensionArray.from_storage(pa.uuid(), pa.array([b"a" * 16, None], pa.binary(16)))


def coded(words, indices=(0, 1, None), index=None):
    return pa.DictionaryArray.from_arrays(pa.array(indices, index or pa.int8()), words)


def in_struct(array):
    return pa.StructArray.from_arrays([array], ["d"])


def in_list(array):
    return pa.ListArray.from_arrays(list(range(len(array) + 1)), array)


def in_map(array):
    keys = pa.array([str(number) for number in range(len(array))])
    return pa.MapArray.from_arrays(list(range(len(array) + 1)), keys, array)


def logged(datasets, column, name="x"):
    """Log a column and check that it is read back as it was."""
    table = pa.table({"c": column})
    version = datasets.log(name, table)
    back = version.to_arrow()
    back.validate(full=True)
    assert back["c"].to_pylist() == table["c"].to_pylist()
    assert identify(back).digest == version.digest
    return back["c"]


@pytest.mark.parametrize(
    "column",
    [
        pa.array([[None], [None, None]], pa.list_(NULLS)),
        pa.array([[None], None, [], [None, None]], pa.large_list(NULLS)),
        pa.array([[None, None], [None, None], None], pa.list_(NULLS, 2)),
        pa.array([[("a", None)], None, [("a", None), ("b", None)]], pa.map_(pa.string(), NULLS)),
        pa.array([{"a": [None]}, None, {"a": None}], pa.struct([("a", pa.list_(NULLS))])),
        pa.array([[None], [None, None]], pa.list_view(NULLS)),
    ],
    ids=lambda column: str(column.type),
)
def test_nulls_without_a_type_are_read_back_wherever_they_are(datasets, column):
    assert logged(datasets, column).type == kept_type(column.type)
    assert logged(datasets, pa.chunked_array([column, column.slice(1)])).num_chunks


def test_lists_of_nulls_have_the_identity_of_their_lengths():
    one = pa.table({"c": pa.array([[None], [None, None]], pa.list_(NULLS))})
    other = pa.table({"c": pa.array([[None, None], [None]], pa.list_(NULLS))})
    cut = pa.concat_tables([one.slice(0, 1), one.slice(1)])
    assert identify(cut).digest == identify(one).digest != identify(other).digest


@pytest.mark.parametrize("wrap", [in_struct, in_list, in_map])
def test_runs_within_other_types_are_read_back(datasets, wrap):
    column = wrap(pa.RunEndEncodedArray.from_arrays([1, 3], [1, None]))
    assert logged(datasets, column).type == kept_type(column.type)
    assert logged(datasets, column.slice(1), "cut").type == kept_type(column.type)


WORDS = [
    pa.array([5, 7]),
    pa.array([5.5, 7]),
    pa.array([1, 2], pa.date32()),
    pa.array([1, 2], pa.duration("ns")),
    pa.array([True, False]),
    pa.array([decimal.Decimal("1.5"), decimal.Decimal("2.5")]),
    pa.array([b"ab", b"cd"], pa.binary(2)),
    pa.array([1, 2], pa.float16()),
    pa.array([[1], [2]]),
    pa.array([{"a": 1}, {"a": 2}]),
    coded(pa.array(["a", "b"]), (0, 1)),
    pa.array(["a", "b"]),
    pa.array(["a", "b"], pa.string_view()),
    pa.array([b"a", b"b"], pa.large_binary()),
]


@pytest.mark.parametrize("words", WORDS, ids=lambda words: str(words.type))
@pytest.mark.parametrize("wrap", [lambda it: it, in_struct, in_list, in_map])
def test_dictionaries_of_all_values_are_read_back_wherever_they_are(datasets, words, wrap):
    column = wrap(coded(words))
    table = pa.table({"c": column})
    kind = kept_type(words.type)
    kind = kind.value_type if pa.types.is_dictionary(kind) else kind
    plain = pa.table({"c": wrap(lay_out(words, kind).take(pa.array([0, 1, None])))})
    version = datasets.log("x", table)
    assert version.digest == identify(plain).digest
    back = version.to_arrow()["c"]
    assert back.type == kept_type(column.type)
    assert back.to_pylist() == plain["c"].to_pylist()


def test_dictionaries_stay_ones_but_for_those_that_cannot_be_kept():
    assert kept_type(pa.dictionary(pa.int8(), pa.int64())) == pa.dictionary(pa.int8(), pa.int64())
    assert kept_type(pa.list_(TEXTS)) == pa.list_(TEXTS)
    assert kept_type(pa.list_(pa.dictionary(pa.int8(), pa.int64()))) == pa.list_(pa.int64())
    assert kept_type(pa.dictionary(pa.int8(), pa.float16())) == pa.float16()


def test_versions_whose_schema_has_dictionaries_within_other_types_are_read():
    schema = pa.schema({"c": pa.struct([("d", pa.dictionary(pa.int8(), pa.int64()))])})
    stored = pa.record_batch({"c": in_struct(pa.array([5, 7, None]))})
    got = conform(stored, schema)
    got.validate(full=True)
    assert got.schema == schema
    assert got["c"].to_pylist() == stored["c"].to_pylist()


@pytest.mark.parametrize("wrap", [lambda it: it, in_struct, in_list, in_map])
@pytest.mark.parametrize("streamed", [False, True])
def test_a_dictionary_that_holds_null_is_kept_as_its_values(datasets, wrap, streamed):
    column = wrap(coded(pa.array(["a", None])))
    table = pa.table({"c": column})
    values = [None if value is None else value.as_py() for value in column]
    given_ = table.to_reader() if streamed else table
    back = datasets.log("x", given_).to_arrow()["c"]
    assert back.type == column.type
    assert back.to_pylist() == values


def test_an_empty_dictionary_below_nulls_is_kept(datasets):
    column = pa.array([None, None], pa.struct([("d", TEXTS)]))
    assert logged(datasets, column).type == column.type
    frame = pl.DataFrame({"c": [None, None]}, schema={"c": pl.Struct({"d": pl.Categorical})})
    assert datasets.log("p", frame).to_polars()["c"].to_list() == [None, None]


@pytest.mark.parametrize("wrap", [lambda it: it, in_struct, in_list])
@pytest.mark.parametrize("number", [5, -1])
def test_an_index_without_a_word_is_refused_and_does_not_end_the_process(datasets, wrap, number):
    indices = pa.array([0, number], pa.int8())
    lost = pa.DictionaryArray.from_arrays(indices, pa.array(["a"]), safe=False)
    for table in (pa.table({"c": wrap(lost)}), pa.table({"c": wrap(lost)}).to_reader()):
        with pytest.raises(InvalidInput, match=r"[Cc]olumn 'c'"):
            datasets.log("x", table)
    hidden = pa.StructArray.from_arrays([lost], ["d"], mask=pa.array([False, True]))
    assert logged(datasets, hidden).to_pylist() == [{"d": "a"}, None]


def test_dictionaries_within_extension_types_are_kept(datasets):
    for words in (pa.array(["a", "b"]), pa.array([5, 7]), pa.array([None, "b"])):
        storage = coded(words)
        kind = pa.opaque(storage.type, "a", "b")
        column = pa.ExtensionArray.from_storage(kind, storage)
        back = datasets.log("x", pa.table({"c": column})).to_arrow()["c"]
        assert back.type == kind
        values = [None if value is None else words[value].as_py() for value in (0, 1, None)]
        assert back.chunk(0).storage.to_pylist() == values


@pytest.mark.parametrize("wrap", [lambda it: it, in_struct, in_list])
@pytest.mark.parametrize("streamed", [False, True])
def test_more_categories_than_the_index_can_count_are_refused(datasets, wrap, streamed):
    ends = [wrap(coded(pa.array([f"{x}{n}" for n in range(120)]), range(120))) for x in "ab"]
    table = pa.table({"i": range(240), "c": pa.chunked_array(ends)})
    given_ = table.to_reader() if streamed else table
    with pytest.raises(InvalidInput, match=r"column 'c'.*[Cc]ast"):
        datasets.log("x", given_)
    assert datasets.names() == []


@pytest.mark.parametrize("wrap", [lambda it: it, in_struct, in_list, in_map])
def test_extension_types_are_kept_wherever_they_are(datasets, wrap):
    column = wrap(UUID)
    assert logged(datasets, column).type == column.type
    empty = datasets.log("empty", pa.table({"c": column.slice(0, 0)})).to_arrow()
    assert empty.schema.field("c").type == column.type
    numbered = datasets.log("numbered", pa.table({"i": [1, 2], "c": column}))
    assert numbered.to_arrow(["c"], filters=[("i", ">", 1)])["c"].to_pylist() == (
        column.slice(1).to_pylist()
    )
    assert numbered.to_arrow(["c"], filters=[("i", ">", 2)]).num_rows == 0


@pytest.mark.parametrize(
    ("column", "message"),
    [
        (pa.array([[], []], pa.list_(pa.int8(), 0)), "fixed size 0"),
        (pa.array([[[]], []], pa.list_(pa.list_(pa.int8(), 0))), "fixed size 0"),
        (pa.array([b""], pa.binary(0)), "fixed size 0"),
        (pa.array([decimal.Decimal(100)], pa.decimal128(5, -2)), "scale -2"),
        (pa.array([[decimal.Decimal(100)]], pa.list_(pa.decimal128(5, -2))), "scale -2"),
    ],
    ids=lambda value: str(getattr(value, "type", "")),
)
def test_types_that_parquet_cannot_hold_are_refused_with_a_hint(datasets, column, message):
    for table in (pa.table({"c": column}), pa.table({"c": column}).to_reader()):
        with pytest.raises(InvalidInput, match=f"Column 'c'.*{message}") as caught:
            datasets.log("x", table)
        assert caught.value.hint
    assert datasets.names() == []


def test_a_column_that_cannot_be_written_is_named():
    schema = pa.schema({"fine": pa.int8(), "odd": pa.decimal128(5, -2)})
    with pytest.raises(InvalidInput, match="column 'odd'"):
        write_parquet([], schema, lambda _: None)


def tensors(shape, **options):
    kind = pa.fixed_shape_tensor(pa.float32(), shape, **options)
    return pa.ExtensionArray.from_storage(kind, pa.array([[1, 2, 3, 4]], pa.list_(pa.float32(), 4)))


def opaque(*names):
    return pa.ExtensionArray.from_storage(pa.opaque(pa.int64(), *names), pa.array([1]))


class Scaled(pa.ExtensionType):
    """A type of a library, with a parameter."""

    def __init__(self, scale):
        self.scale = scale
        super().__init__(pa.int64(), "example.scaled")

    def __arrow_ext_serialize__(self):
        return self.scale

    @classmethod
    def __arrow_ext_deserialize__(cls, storage, serialized):
        return cls(serialized)


@pytest.mark.parametrize(
    "columns",
    [
        [
            tensors((2, 2)),
            tensors((4, 1)),
            tensors((2, 2), permutation=[1, 0]),
            tensors((2, 2), dim_names=["a", "b"]),
        ],
        [opaque("geom", "pg"), opaque("json", "mysql")],
        [in_list(tensors((2, 2))), in_list(tensors((4, 1)))],
    ],
    ids=["tensors", "opaque", "nested"],
)
def test_parameters_of_extension_types_are_a_part_of_the_identity(datasets, columns):
    for number, column in enumerate(columns, 1):
        version = datasets.log("x", pa.table({"c": column}))
        assert version.number == number
        assert version.to_arrow().schema.field("c").type == column.type
        assert version.to_arrow()["c"].chunk(0).equals(column)


def test_moments_that_parquet_has_no_place_for_are_refused_from_all_libraries(datasets):
    duckdb = pytest.importorskip("duckdb")
    far = np.array(["2020-01-01", "300000000-01-01"], "datetime64[s]")
    kind = pa.opaque(pa.timestamp("s"), "a", "b")
    for data in (
        {"c": far},
        duckdb.sql("SELECT 'infinity'::timestamp_s AS c"),
        pa.table({"c": pa.ExtensionArray.from_storage(kind, pa.array(far))}),
    ):
        with pytest.raises(InvalidInput, match="column 'c'"):
            datasets.log("x", data)
    assert datasets.names() == []


def test_types_that_are_made_in_python_tell_their_parameters():
    texts = {type_text(Scaled(scale)) for scale in (b"", b"1", b"\xff", b"\xfe")}
    assert len(texts) == 4
    assert "example.scaled<int64>" in texts


def test_the_text_of_extension_types_without_parameters_has_none():
    assert type_text(pa.uuid()) == "arrow.uuid<binary[16]>"
    assert type_text(pa.json_()) == "arrow.json<string>"
    assert type_text(pa.bool8()) == "arrow.bool8<int8>"
    assert type_text(pa.fixed_shape_tensor(pa.int8(), (2, 1))) == (
        'arrow.fixed_shape_tensor<list[2]<int8>, {"shape":[2,1]}>'
    )


@pytest.mark.parametrize(
    "column",
    [
        pa.array([1], pa.time64("ns")),
        pa.array([2**31 - 1], pa.date32()),
        pa.array([86_400], pa.time32("s")),
        coded(pa.array([float("nan")]), [0]),
    ],
    ids=["time", "date", "late", "category"],
)
def test_what_pandas_cannot_hold_is_an_error_that_names_the_column(datasets, column):
    version = datasets.log("x", pa.table({"fine": [1], "odd": column}))
    with pytest.raises(InvalidInput, match=r"pandas.*column 'odd'") as caught:
        version.to_pandas()
    assert "to_arrow" in caught.value.hint
    assert version.to_pandas(["fine"]).equals(pd.DataFrame({"fine": [1]}))


@pytest.mark.parametrize(
    "column",
    [
        pa.array([1], pa.timestamp("us", "+05:30")),
        pa.array([1], pa.decimal256(50, 2)),
        pa.array([[1]], pa.list_(pa.decimal256(50, 2))),
    ],
    ids=["zone", "decimal", "nested"],
)
def test_what_polars_cannot_hold_is_an_error_that_names_the_column(datasets, capfd, column):
    version = datasets.log("x", pa.table({"fine": [1], "odd": column}))
    with pytest.raises(InvalidInput, match=r"polars.*column 'odd'") as caught:
        version.to_polars()
    assert "to_arrow" in caught.value.hint
    assert "panicked" not in capfd.readouterr().err
    assert version.to_polars(["fine"])["fine"].to_list() == [1]


def test_categories_of_a_column_that_is_kept_plain_are_not_noted():
    field = pa.field("c", pa.float16())
    assert with_categories(field, pa.chunked_array([coded(pa.array([1], pa.float16()), [0])])) == (
        field
    )


def full(*_, **__):
    raise pa.ArrowMemoryError("malloc failed")


def test_memory_that_runs_out_is_no_fault_of_the_table(datasets, monkeypatch):
    table = pa.table({"c": [1]})
    version = datasets.log("x", table)
    monkeypatch.setattr("polars.from_arrow", full)
    with pytest.raises(MemoryError):
        version.to_polars()
    monkeypatch.setattr("pyarrow.parquet.ParquetWriter.write_table", full)
    with pytest.raises(MemoryError):
        write_parquet(table.to_batches(), table.schema, lambda _: None)
    for module in ("parquet.categorized", "identity.lay_out"):
        with monkeypatch.context() as patch:
            patch.setattr(f"mlkit.data.{module}", full)
            with pytest.raises(MemoryError):
                datasets.log("y", table)
