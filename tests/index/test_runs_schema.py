"""Promises of rows: every value of every key is found again, with its type, whatever runs have."""

import math
from types import SimpleNamespace

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlkit.index.naming import Naming
from mlkit.index.parts import RowsPart
from mlkit.index.row import Row, storable, typed
from mlkit.index.runs_schema import COLUMNS, OVERFLOW, grown_schema, rows_table
from mlkit.index.view import View
from mlkit.tables.delta_types import schema_from_json, schema_to_json

NAMES = st.text(st.characters(codec=None), min_size=1, max_size=6) | st.sampled_from(
    ["a", "A", "a.b", "a.b.c", "b", "a b", "a%20b", "x" * 201, "\udc80", "\\udc80"]
)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(codec=None), max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(NAMES, inner, max_size=2),
    max_leaves=4,
)
RUNS = st.lists(
    st.fixed_dictionaries(
        {
            "params": st.dictionaries(NAMES, VALUES, max_size=4),
            "summary": st.dictionaries(NAMES, st.floats(), max_size=3),
            "tags": st.dictionaries(
                NAMES, st.text(st.characters(codec=None), max_size=5), max_size=3
            ),
        }
    ),
    max_size=5,
)


def run(number, *, params=(), summary=(), tags=(), **more):
    return SimpleNamespace(
        **{
            "id": f"{number:036d}",
            "experiment": "e",
            "name": None,
            "status": "FINISHED",
            "started_at": 10**18,
            "ended_at": 10**18 + 1500,
            "parent_id": None,
            "user": "u",
            "deleted_at": None,
            "params": dict(params),
            "summary": dict(summary),
            "tags": dict(tags),
            "goals": {},
            "inputs": [],
            "outputs": [],
            **more,
        }
    )


def same(one, other):
    if isinstance(one, float) and isinstance(other, float):
        return one == other or (math.isnan(one) and math.isnan(other))
    return type(one) is type(other) and one == other


class TablePart(RowsPart):
    """Rows as a table has them, whose schema grew batch by batch."""

    def __init__(self, rows, schema):
        super().__init__(rows)
        self.schema = schema

    @property
    def naming(self):
        return Naming.of(self._rows.schema)

    def read(self, columns):
        known = set(self._rows.column_names)
        return {name: self._rows.column(name) for name in columns if name in known}

    @property
    def _rows(self):
        return rows_table(self.rows, self.schema)


def check(view, runs):
    """Compare all that a view gives with the runs."""
    assert view.fixed("run_id").to_pylist() == [one.id for one in runs]
    for key in {key for one in runs for key in one.params}:
        columns = {kind: column.to_pylist() for kind, column in view.param(key).items()}
        for number, one in enumerate(runs):
            there = {kind: column[number] for kind, column in columns.items()}
            found = {kind: value for kind, value in there.items() if value is not None}
            value = one.params.get(key)
            if value is None and key not in paths(one):
                assert found == {}
            elif value is not None:
                ((kind, kept),) = found.items()
                assert kind == typed(value)[0]
                assert same(kept, typed(value)[1])
    for key in {key for one in runs for key in one.summary}:
        for number, one in zip(view.metric(key).to_pylist(), runs, strict=True):
            assert same(number, one.summary.get(key))
    for key in {key for one in runs for key in one.tags}:
        for text, one in zip(view.tag(key).to_pylist(), runs, strict=True):
            assert text == (storable(one.tags[key]) if key in one.tags else None)
    for home in ("params", "metrics", "tags"):
        kept = "summary" if home == "metrics" else home
        logged = [getattr(one, kept).items() for one in runs]
        wanted = {key for items in logged for key, value in items if value is not None}
        below = {path for one in runs for path in paths(one)} if home == "params" else set()
        assert wanted <= set(view.keys(home)) <= wanted | below


def paths(one):
    def walk(mapping, above):
        for key, value in mapping.items():
            yield f"{above}.{key}"
            if isinstance(value, dict):
                yield from walk(value, f"{above}.{key}")

    return {
        path
        for key, value in one.params.items()
        if isinstance(value, dict)
        for path in walk(value, key)
    }


@given(RUNS)
def test_every_value_is_found_with_its_type(fields):
    runs = [run(number, **one) for number, one in enumerate(fields)]
    check(View([RowsPart([Row.of(one) for one in runs])]), runs)


@given(st.lists(RUNS, max_size=3), st.sampled_from([0, 3, COLUMNS]))
@settings(max_examples=150)
def test_every_value_is_found_in_tables_that_grew_and_in_their_overflow(batches, limit):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("mlkit.index.runs_schema.COLUMNS", limit)
        schema, parts, runs = pa.schema([]), [], []
        for batch in batches:
            made = [run(len(runs) + number, **one) for number, one in enumerate(batch)]
            rows = [Row.of(one) for one in made]
            grown = grown_schema(schema, rows)
            assert list(grown)[: len(schema)] == list(schema)
            assert schema_from_json(schema_to_json(grown)) == grown
            schema = grown
            runs += made
            parts.append(TablePart(rows, schema))
            assert len(Naming.of(schema).columns) <= limit
        check(View(parts), runs)


@given(RUNS)
def test_no_key_is_twice_in_the_overflow_of_a_run(fields):
    rows = [Row.of(run(number, **one)) for number, one in enumerate(fields)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("mlkit.index.runs_schema.COLUMNS", 0)
        table = rows_table(rows, grown_schema(pa.schema([]), rows))
    for pairs in table.column(OVERFLOW).to_pylist():
        keys = [key for key, _ in pairs or ()]
        assert len(keys) == len(set(keys))


def test_of_two_thousand_five_hundred_keys_the_rare_ones_are_found_as_well():
    frequent = {f"often{number}": number for number in range(1500)}
    runs = [
        run(
            number,
            params={**frequent, **{f"rare{number}-{n}": float(n) for n in range(100)}},
            summary={f"m{number}-{n}": n / 2 for n in range(100)},
            tags={f"t{number}": "x", "\udc80" * 300: "long"},
        )
        for number in range(10)
    ]
    rows = [Row.of(one) for one in runs]
    schema = grown_schema(pa.schema([]), rows)
    assert len(Naming.of(schema).columns) == COLUMNS
    assert set(frequent) <= set(Naming.of(schema).names("params"))
    table = rows_table(rows, schema)
    assert table.column(OVERFLOW).null_count < 10
    view = View([TablePart(rows, schema)])
    assert len(view.keys("params")) == 2500
    for key in ("often3", "rare0-0", "rare9-99", "rare4-50"):
        ((kind, column),) = view.param(key).items()
        assert column.to_pylist() == [one.params.get(key) for one in runs]
        assert kind == ("int" if key == "often3" else "float")
    for key in ("m0-0", "m9-99"):
        assert view.metric(key).to_pylist() == [one.summary.get(key) for one in runs]
    assert view.tag("\udc80" * 300).to_pylist() == ["long"] * 10
    assert view.tag("t7").to_pylist() == [None] * 7 + ["x", None, None]
    assert view.param("never") == {}
    assert view.metric("never") is None
    assert view.tag("never") is None


def test_what_all_runs_have_comes_back():
    link = {"kind": "dataset", "ref": "d:1", "digest": "sha256:1", "more": 7}
    one = run(
        1,
        experiment="e\udc80",
        name="n",
        parent_id="p",
        deleted_at=5,
        goals={"loss": "min"},
        inputs=[link],
        outputs=[{"kind": "model", "ref": None}],
    )
    alive = run(2, ended_at=None, started_at=1_999)
    view = View([RowsPart([Row.of(one), Row.of(alive)])])
    assert view.fixed("experiment").to_pylist() == ["e\\udc80", "e"]
    assert view.fixed("name").to_pylist() == ["n", None]
    assert view.fixed("parent").to_pylist() == ["p", None]
    assert view.fixed("deleted").to_pylist() == [True, False]
    assert view.fixed("duration").to_pylist() == [1.5e-6, None]
    assert view.fixed("started").cast("int64").to_pylist() == [10**15, 1]
    assert view.fixed("ended").cast("int64").to_pylist() == [10**15 + 1, None]
    assert view.links("inputs").to_pylist() == [[{**link, "more": 7}], []] or view.links(
        "inputs"
    ).to_pylist() == [[{"kind": "dataset", "ref": "d:1", "digest": "sha256:1"}], []]
    assert view.links("outputs").to_pylist() == [[{"kind": "model", "ref": "", "digest": ""}], []]
    assert view.goals("loss", pa.array([0, 1])) == ["min"]
    assert view.goals("auc", pa.array([0, 1])) == []


def test_a_param_that_has_the_dots_in_its_name_comes_before_a_path():
    runs = [run(0, params={"a": {"b": 1}}), run(1, params={"a.b": "x", "a": {"b": 2}})]
    view = View([RowsPart([Row.of(one) for one in runs])])
    found = {kind: column.to_pylist() for kind, column in view.param("a.b").items()}
    assert found == {"int": [1, None], "text": [None, "x"]}


def test_a_view_of_nothing_has_no_rows():
    for parts in ([], [RowsPart([])]):
        view = View(parts)
        assert len(view) == 0
        assert view.fixed("run_id").to_pylist() == []
        assert view.keys("params") == view.keys("metrics") == view.keys("tags") == []
        assert view.param("a") == {}
