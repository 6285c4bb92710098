"""CSV and JSON files: their types are those of the whole file, wherever a block ends."""

import gzip
import json

import pandas as pd
import pyarrow as pa
import pyarrow.csv
import pyarrow.json
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mlkit.data.sources import csv_file, csv_table, json_rows, json_table
from mlkit.data.sources.given import given as hand_over
from mlkit.errors import InvalidInput

PLAIN = ["", "1", "0", "-7", "2.5", "1e3", "true", "False", "NA", "nan", "x", "x\ny", 'q"q', "a,b"]
TIMES = ["2020-01-01", "2020-01-01 10:00", "2020-01-01 10:00:00.5", "1600-01-01", "10:30"]
ODD = ["2020-01-01T00:00:00Z", "2020-01-01T00:00:00.25+02:00", "1e20", " 1 "]
VALUES = st.sampled_from([*PLAIN, *TIMES, *ODD])
IN_ONE_TEST = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


def table(path):
    with hand_over(path) as stream:
        return pa.Table.from_batches(list(stream.batches), stream.schema)


def column(draw_kind):
    """Give a column that is of one kind for long, and then of another."""
    return st.builds(
        lambda first, count, rest: [first] * count + rest,
        draw_kind,
        st.integers(0, 40),
        st.lists(draw_kind, max_size=4),
    )


class TestCsv:
    @pytest.fixture(autouse=True)
    def small_blocks(self, monkeypatch):
        monkeypatch.setattr(csv_table, "_BLOCKS", (64, 1 << 20))

    @IN_ONE_TEST
    @given(columns=st.lists(column(VALUES), min_size=1, max_size=4))
    def test_types_and_values_are_those_of_the_file_read_whole(self, tmp_path, columns):
        rows = max(map(len, columns))
        frame = {
            str(n): (values or [""])[:rows] + [(values or [""])[-1]] * (rows - len(values or [""]))
            for n, values in enumerate(columns)
        }
        frame = {name: values[:rows] for name, values in frame.items()}
        path = tmp_path / "t.csv"
        pa.csv.write_csv(pa.table(frame, schema=pa.schema(dict.fromkeys(frame, pa.string()))), path)
        options = pa.csv.ParseOptions(newlines_in_values=True)
        whole = pa.csv.read_csv(path, pa.csv.ReadOptions(block_size=1 << 24), parse_options=options)
        assert table(path).equals(whole.combine_chunks())

    @pytest.mark.parametrize(
        ("values", "kind"),
        [
            (["1"] * 100 + ["2.5"], pa.float64()),
            (["1"] * 100 + ["x"], pa.string()),
            (["1"] * 100 + ["true"], pa.bool_()),
            (["7"] * 100 + ["true"], pa.string()),
            (["NA"] * 100 + ["1"], pa.int64()),
            (["NA"] * 100 + ["x"], pa.string()),
            (["2020-01-01"] * 100 + ["2020-01-01 10:00:00"], pa.timestamp("s")),
            (["2020-01-01"] * 100 + ["10000-01-01"], pa.string()),
            (["NA"] * 200, pa.null()),
        ],
    )
    def test_one_value_at_the_end_decides_for_all(self, tmp_path, values, kind):
        (tmp_path / "t.csv").write_text("v,w\n" + "".join(f"{value},1\n" for value in values))
        found = table(tmp_path / "t.csv")
        assert found.schema == pa.schema({"v": kind, "w": pa.int64()})
        assert found["w"].to_pylist() == [1] * len(values)
        if kind == pa.string():
            assert found["v"].to_pylist() == values

    def test_a_row_may_be_longer_than_a_block(self, tmp_path):
        (tmp_path / "t.csv").write_text("a,b\n" + "1,x\n" * 50 + f'2,"{"y" * 1000}\n"\n')
        assert table(tmp_path / "t.csv")["b"].to_pylist()[-1] == "y" * 1000 + "\n"

    def test_a_row_longer_than_the_longest_block_is_refused(self, tmp_path, monkeypatch):
        monkeypatch.setattr(csv_table, "_BLOCKS", (64, 128))
        (tmp_path / "t.csv").write_text("a,b\n" + "1,x\n" * 50 + f'2,"{"y" * 1000}\n')
        with pytest.raises(InvalidInput, match="a quotation mark isn't closed"):
            table(tmp_path / "t.csv")

    @pytest.mark.parametrize(
        ("values", "kind"),
        [
            (["18446744073709551615", "18446744073709551614"], pa.uint64()),
            (["1"] * 100 + ["18446744073709551615", "", "NA", "007"], pa.uint64()),
            (["9223372036854775808"] + ["0"] * 100, pa.uint64()),
            (["18446744073709551616", "1"], pa.string()),
            (["1"] * 100 + ["99999999999999999999"], pa.string()),
            (["9223372036854775808", "-1"], pa.string()),
            (["-9223372036854775809", "1"], pa.string()),
            (["-9223372036854775808", "9223372036854775807"], pa.int64()),
            (["99999999999999999999"] * 100 + ["2.5"], pa.float64()),
            (["1e20", "1"], pa.float64()),
            (["100000000000000000000.0", "1"], pa.float64()),
            (["0xFFFFFFFFFFFFFFFF"], pa.string()),
            (["1"] * 100 + ["0x10"], pa.string()),
            (["0X1f"] + ["2"] * 100, pa.string()),
        ],
    )
    def test_a_whole_number_is_never_another_one(self, tmp_path, values, kind):
        rows = [*values[1:], values[0]]
        (tmp_path / "t.csv").write_text("v,w\n" + "".join(f"{value},0xa\n" for value in rows))
        found = table(tmp_path / "t.csv")
        assert found.schema == pa.schema({"v": kind, "w": pa.string()})
        if kind == pa.string():
            assert found["v"].to_pylist() == rows
        elif kind != pa.float64():
            missing = {"", "NA"}
            numbers = [None if value in missing else int(value) for value in rows]
            assert found["v"].to_pylist() == numbers

    @pytest.mark.parametrize("name", ["t.csv", "t.tsv", "t.csv.gz"])
    @pytest.mark.parametrize("end", ["", "\n", 'b""c', ",1\n2", "\t1\n2"])
    @pytest.mark.parametrize("width", [1, 2])
    def test_a_file_that_ends_within_a_quoted_value_is_refused(self, tmp_path, name, end, width):
        mark = "\t" if "tsv" in name else ","
        first = mark.join(["a", "n"][:width]) + "\n" + mark.join(["x", "1"][:width]) + "\n"
        text = first * 50 + mark.join(["1", ""][2 - width :]) + f'"x{end}'
        data = text.encode()
        (tmp_path / name).write_bytes(gzip.compress(data) if name.endswith("gz") else data)
        with pytest.raises(InvalidInput, match="ends within a value"):
            table(tmp_path / name)

    def test_a_quotation_mark_within_a_value_opens_none(self, tmp_path):
        (tmp_path / "t.csv").write_text('a,b\n5" pipe,"x\ny"\n')
        assert table(tmp_path / "t.csv").to_pylist() == [{"a": '5" pipe', "b": "x\ny"}]

    def test_names_that_are_longer_than_a_block_are_no_empty_file(self, tmp_path, monkeypatch):
        name = "a" * 1000
        (tmp_path / "t.csv").write_text(f"{name}\n1\n")
        assert table(tmp_path / "t.csv").to_pydict() == {name: [1]}
        monkeypatch.setattr(csv_table, "_BLOCKS", (64, 128))
        with pytest.raises(InvalidInput, match="a row is longer"):
            table(tmp_path / "t.csv")

    @pytest.mark.parametrize("words", ["Expected 1 columns, got 2", "Empty CSV file or block"])
    def test_a_long_row_is_one_whatever_arrow_says_of_it(self, tmp_path, monkeypatch, words):
        find = csv_table._types

        def types(file, shown):
            if file.block == 64:
                raise pa.ArrowInvalid(f"CSV parse error: {words}")
            return find(file, shown)

        monkeypatch.setattr(csv_table, "_types", types)
        for value in ("x" * 200, f'"{"x" * 100}\n{"y" * 100}"'):
            (tmp_path / "t.csv").write_text(f"a,b\n1,2\n1,{value}\n")
            assert table(tmp_path / "t.csv")["b"].to_pylist() == ["2", value.strip('"')]
        (tmp_path / "t.csv").write_text("a,b\n" + "1,2\n" * 100)
        with pytest.raises(InvalidInput, match=r"can't be read as CSV|is empty"):
            table(tmp_path / "t.csv")

    def test_a_file_is_not_closed_while_a_thread_of_arrow_may_read_it(self, tmp_path, monkeypatch):
        opened, plain = [], pa.input_stream

        def spy(*args, **options):
            opened.append(plain(*args, **options))
            return opened[-1]

        (tmp_path / "t.csv").write_text("a\n" + "1\n" * 100 + '"x"\n')
        monkeypatch.setattr("pyarrow.input_stream", spy)
        file = csv_file.CsvFile(tmp_path / "t.csv", ",", None, 64)
        with pytest.raises(pa.ArrowInvalid):
            list(file.batches({"a": pa.int64()}))
        next(file.batches({}))
        next(file.texts(["a"]))
        assert not file.is_cut(["a"])
        assert [source.closed for source in opened] == [False] * 4

    def test_tabs_part_the_values_of_a_tsv_file(self, tmp_path):
        (tmp_path / "t.tsv").write_text("a\tb\n1\tx,y\n")
        assert table(tmp_path / "t.tsv").to_pylist() == [{"a": 1, "b": "x,y"}]

    @pytest.mark.parametrize("ending", ["gz", "bz2", "zst"])
    def test_a_compressed_file_is_read_as_if_it_were_none(self, tmp_path, ending):
        plain = tmp_path / "t.csv"
        plain.write_text("a,b\n" + "1,x\n" * 200 + "2.5,\n")
        packed = tmp_path / f"T.CSV.{ending}"
        names = {"gz": "gzip", "bz2": "bz2", "zst": "zstd"}
        with pa.CompressedOutputStream(str(packed), names[ending]) as sink:
            sink.write(plain.read_bytes())
        assert table(packed).equals(table(plain))

    def test_a_byte_order_mark_is_no_part_of_a_name(self, tmp_path):
        pd.DataFrame({"a": [1]}).to_csv(tmp_path / "t.csv", index=False, encoding="utf-8-sig")
        assert table(tmp_path / "t.csv").to_pydict() == {"a": [1]}

    def test_names_without_rows_are_a_table(self, tmp_path):
        (tmp_path / "t.csv").write_text("a,b\n")
        assert table(tmp_path / "t.csv").to_pydict() == {"a": [], "b": []}


LEAVES = st.one_of(
    st.none(),
    st.integers(-(2**53), 2**53),
    st.floats(allow_nan=False, allow_infinity=False),
)
NESTED = st.one_of(
    st.fixed_dictionaries({}, optional={"b": LEAVES, "c": st.text(max_size=5) | st.none()}),
    st.none(),
)
ROWS = st.lists(
    st.fixed_dictionaries(
        {},
        optional={
            "n": LEAVES,
            "t": st.text(max_size=20) | st.none() | st.just("2020-01-01"),
            "y": st.booleans() | st.none(),
            "l": st.lists(LEAVES, max_size=3) | st.none(),
            "s": NESTED,
        },
    ),
    min_size=1,
    max_size=30,
)


class TestJson:
    @pytest.fixture(autouse=True)
    def small_blocks(self, monkeypatch):
        monkeypatch.setattr(json_rows, "BLOCK", 48)

    @IN_ONE_TEST
    @given(rows=ROWS, indent=st.sampled_from([None, 1]))
    def test_lines_and_lists_are_the_rows_that_python_reads(self, tmp_path, rows, indent):
        rows = [*rows, {"n": 1.5, "t": "x", "y": True, "l": [1.5], "s": {"b": 0.5, "c": "x"}}]
        (tmp_path / "t.jsonl").write_text("\n".join(json.dumps(row) for row in rows))
        (tmp_path / "t.json").write_text(json.dumps(rows, indent=indent))
        lines, listed = table(tmp_path / "t.jsonl"), table(tmp_path / "t.json")
        assert lines.equals(listed)
        assert [_without_gaps(row) for row in lines.to_pylist()] == [
            _without_gaps(row) for row in rows
        ]

    @IN_ONE_TEST
    @given(rows=ROWS)
    def test_columns_are_those_of_the_file_read_whole(self, tmp_path, rows):
        rows = [{**row, "first": 0, "t": "no time"} for row in rows]
        text = "".join(f"{json.dumps(row)}\n" for row in rows)
        (tmp_path / "t.jsonl").write_text(text)
        whole = pa.json.read_json(
            pa.BufferReader(text.encode()), pa.json.ReadOptions(block_size=1 << 24)
        )
        if any(_is_empty_struct(kind) for kind in whole.schema.types):
            with pytest.raises(InvalidInput, match="struct<>"):
                table(tmp_path / "t.jsonl")
            return
        found = table(tmp_path / "t.jsonl")
        found.validate(full=True)
        assert set(found.schema) == set(whole.schema)
        assert [_without_gaps(row) for row in found.to_pylist()] == [
            _without_gaps(row) for row in rows
        ]

    def test_lists_of_nothing_but_null_keep_it(self, tmp_path):
        rows = [{"l": [None, None], "s": {"l": [[None], None, []]}}, {"l": None, "s": None}]
        (tmp_path / "t.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
        assert table(tmp_path / "t.jsonl").equals(pa.Table.from_pylist(rows))

    @pytest.mark.parametrize(
        ("values", "kind"),
        [
            ([2**64 - 1, 2**64 - 2], pa.uint64()),
            ([1] * 100 + [2**64 - 1, None], pa.uint64()),
            ([2**63] + [0] * 100, pa.uint64()),
            ([-(2**63), 2**63 - 1], pa.int64()),
            ([2**64] * 20 + [0.5], pa.float64()),
            ([2**63] * 20 + [0.5], pa.float64()),
            ([1e20, 1], pa.float64()),
            ([2**70], None),
            ([1] * 100 + [2**64], None),
            ([-1, 2**63], None),
            ([-1] * 100 + [2**63], None),
            ([-(2**63) - 1, 0], None),
            ([10**4000, 1], None),
        ],
    )
    @pytest.mark.parametrize("nest", [lambda v: v, lambda v: [v, v], lambda v: {"é": [{"x": v}]}])
    @pytest.mark.parametrize("name", ["t.jsonl", "t.json"])
    def test_a_whole_number_is_never_another_one(self, tmp_path, values, kind, nest, name):
        rows = [{"a": "9" * 20, "n": nest(value)} for value in values]
        texts = [json.dumps(row) for row in rows]
        (tmp_path / name).write_text("\n".join(texts) if "l" in name else f"[{','.join(texts)}]")
        if kind is None:
            with pytest.raises(InvalidInput, match="64"):
                table(tmp_path / name)
            return
        found = table(tmp_path / name)
        assert found.to_pylist() == rows
        assert str(kind) in str(found.schema.field("n").type)

    @pytest.mark.parametrize("name", ["t.jsonl", "t.json"])
    def test_texts_that_look_like_times_stay_texts(self, tmp_path, name):
        rows = [{"a": "2020-01-01", "l": ["2020-01-01"], "s": {"t": "2020-01-01"}}] * 2
        text = json.dumps(rows) if name == "t.json" else "\n".join(map(json.dumps, rows))
        (tmp_path / name).write_text(text)
        assert table(tmp_path / name).to_pylist() == rows

    def test_an_object_on_each_line_of_a_json_file_is_a_table(self, tmp_path):
        (tmp_path / "t.json").write_text('{"a": 1}\n\n{"a": 2}\n')
        assert table(tmp_path / "t.json").to_pydict() == {"a": [1, 2]}

    def test_an_item_of_a_list_may_be_longer_than_a_block(self, tmp_path):
        rows = [{"a": "x" * 1000, "b": "\n\r\u2028"}] * 3
        (tmp_path / "t.json").write_text("\ufeff " + json.dumps(rows, ensure_ascii=False))
        assert table(tmp_path / "t.json").to_pylist() == rows

    def test_a_line_has_a_longest_length(self, tmp_path, monkeypatch):
        monkeypatch.setattr(json_rows, "_LONGEST", 100)
        (tmp_path / "t.jsonl").write_text(json.dumps({"a": "x" * 200}))
        with pytest.raises(InvalidInput, match="a line is longer"):
            table(tmp_path / "t.jsonl")

    def test_a_compressed_list_is_read_as_if_it_were_none(self, tmp_path):
        rows = [{"a": number} for number in range(100)]
        (tmp_path / "t.json.gz").write_bytes(gzip.compress(json.dumps(rows).encode()))
        assert table(tmp_path / "t.json.gz").to_pylist() == rows

    def test_as_many_levels_as_are_allowed_are_read(self, tmp_path):
        depth = json_table._DEEPEST - 4
        (tmp_path / "t.jsonl").write_text(f'{{"a":{"[" * depth}1{"]" * depth}}}')
        assert len(table(tmp_path / "t.jsonl")) == 1


def _without_gaps(value):
    """Give a value without what is null or missing, which a table can't tell apart."""
    if isinstance(value, dict):
        inner = {key: _without_gaps(item) for key, item in value.items() if item is not None}
        return {key: item for key, item in inner.items() if item != {}}
    if isinstance(value, list):
        return [_without_gaps(item) for item in value]
    return value


def _is_empty_struct(kind):
    return pa.types.is_struct(kind) and not kind.num_fields


def test_the_index_that_pandas_writes_without_a_name_is_a_column(datasets, tmp_path):
    pd.DataFrame({"a": [1, 2]}).to_csv(tmp_path / "index.csv")
    assert datasets.log("t", tmp_path / "index.csv").to_arrow().to_pydict() == {
        "": [0, 1],
        "a": [1, 2],
    }
