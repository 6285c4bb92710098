"""SQL over runs, points, datasets and models."""

import pytest

from mlkit.errors import InvalidInput
from mlkit.index.run_index import IndexWarning
from mlkit.store.store import Store


@pytest.fixture(params=["live", "folded", "both"])
def store(tmp_path, request):
    store = Store(tmp_path / "store")
    for number in range(4):
        store.log_dataset("flights", {"a": [number]}, description=f"the {number}th")
        with store.start_run("flights", tags={"owner": "ml"}) as run:
            run.log_params(depth=number)
            for step in (0, 1, 1.5):
                run.log_metrics({"auc": number / 10 + step}, step=step)
        if (request.param, number) in {("folded", 3), ("both", 1)}:
            store.compact()
    return store


def test_runs_are_a_table_with_a_column_for_each_key(store):
    found = store.sql(
        'select "params.depth" as depth, "metrics.auc" as auc from runs '
        'where "tags.owner" = ? order by depth',
        ["ml"],
    )
    assert found.to_pylist() == [{"depth": n, "auc": n / 10 + 1.5} for n in range(4)]


def test_metrics_has_every_point_once(store):
    found = store.sql("select run_id, count(*) as n, max(step) as last from metrics group by all")
    assert sorted(row["run_id"] for row in found.to_pylist()) == sorted(store.runs.ids())
    assert {(row["n"], row["last"]) for row in found.to_pylist()} == {(3, 1.5)}


def test_metrics_and_runs_join(store):
    found = store.sql(
        'select r."params.depth" as depth, m.value from metrics m join runs r using (run_id) '
        "where m.step = 1 order by depth"
    )
    assert [row["value"] for row in found.to_pylist()] == [1.0, 1.1, 1.2, 1.3]


def test_datasets_and_models_are_tables_of_versions(store):
    found = store.sql("select name, version, description, rows from datasets order by version")
    assert found.to_pylist()[1] == {
        "name": "flights", "version": 2, "description": "the 1th", "rows": 1,
    }  # fmt: skip
    assert store.sql("select * from models").to_pylist() == []


def test_models_have_their_aliases_and_metrics(store):
    with store.start_run("flights") as run:
        run.log_model({"weights": [1]}, "delay", metrics={"auc": 0.9})
    store.models["delay"].promote(1, "prod", reason="first")
    found = store.sql("select ref, aliases, metrics['auc'] as auc from models")
    assert found.to_pylist() == [{"ref": "delay:1", "aliases": ["prod"], "auc": 0.9}]


def test_deleted_runs_are_in_no_table(store):
    gone = store.runs.ids()[0]
    store.run(gone).delete()
    assert len(store.sql("select run_id from runs")) == 3
    assert len(store.sql("select distinct run_id from metrics")) == 3


def test_a_query_that_cant_be_run_says_why(store):
    with pytest.raises(InvalidInput, match="There are the tables runs, metrics, datasets, models"):
        store.sql("select * from rnus")
    with pytest.raises(InvalidInput, match=r"syntax error") as caught:
        store.sql("selec 1")
    assert "There are the tables" not in str(caught.value)


def test_the_hint_of_an_error_stands_below_the_picture_of_the_place(store):
    with pytest.raises(InvalidInput) as caught:
        store.sql("select * from rnus")
    *_, caret, hint = str(caught.value).split("\n")
    assert caret.strip() == "^"
    assert hint == "There are the tables runs, metrics, datasets, models"
    with pytest.raises(InvalidInput, match=r'\nNames with dots .* quotes: "metrics\.auc"'):
        store.sql("select metrics.auc from runs")


@pytest.mark.parametrize("query", ["", "  ", "-- nothing", 5, None])
def test_what_is_no_query_is_refused(store, query):
    with pytest.raises(InvalidInput, match=r"Write store\.sql\('select"):
        store.sql(query)


def test_variables_of_the_caller_are_no_tables(store):
    secrets = store.search_runs().to_arrow()
    assert secrets.num_rows
    with pytest.raises(InvalidInput, match="secrets"):
        store.sql("select * from secrets")


def test_a_store_that_isnt_local_is_read_alike():
    store = Store("memory://sql-test")
    with store.start_run("flights") as run:
        run.log_metric("auc", 0.5)
    store.compact()
    assert store.sql("select value from metrics").to_pylist() == [{"value": 0.5}]


@pytest.mark.parametrize(
    "query",
    [
        "-- don't\nselect count(*) as n from runs where status = 'FINISHED'",
        "/* it's */ select count(*) as n from runs where status = 'FINISHED'",
        r"select count(*) as n from runs where name is distinct from E'it\'s' -- 'x",
        "select count(*) as n from runs where name is distinct from $$it's$$ -- 'x",
        "select count(*) as n from runs where name is distinct from $a$it's $$ $a$ -- 'x",
    ],
)
def test_a_table_is_found_beside_comments_and_texts_of_any_kind(store, query):
    assert store.sql(query).to_pylist() == [{"n": 4}]


def test_keys_that_differ_by_case_only_are_never_taken_for_one_another(store):
    with store.start_run("flights") as run:
        run.log_params(lr=1, LR=2)
    found = store.sql("""select "params.LR_1", "params.lr_2" from runs where "params.LR_1" = 2""")
    assert found.to_pylist() == [{"params.LR_1": 2, "params.lr_2": 1}]
    with pytest.raises(InvalidInput, match=r"params\.lr"):
        store.sql("""select "params.lr" from runs""")


def test_columns_of_one_name_are_all_there(store):
    found = store.sql("select 1 as a, 2 as a, 3 as a_1, 4 as a, 5 as A")
    assert found.to_pylist() == [{"a": 1, "a_2": 2, "a_1": 3, "a_3": 4, "A": 5}]
    assert "a_3" in repr(found)
    assert "a_3" in found._repr_html_()


@pytest.mark.parametrize("query", ["", "-- nothing", "select '\ud800'"])
def test_what_is_no_query_says_so(store, query):
    with pytest.raises(InvalidInput, match="query"):
        store.sql(query)


def test_texts_that_utf_8_cant_hold_keep_no_version_from_being_found(tmp_path):
    store = Store(tmp_path / "odd")
    store.log_dataset("flights", {"a": [1]}, description="\udcff")
    with store.start_run("flights") as run:
        run.log_model({"a": 1}, "delay", tags={"\udcff": "\udcff"})
    assert store.sql("select description from datasets").to_pylist() == [{"description": "\\udcff"}]
    assert len(store.sql("select * from models")) == 1


def test_an_interrupt_of_a_query_is_an_interrupt(store, monkeypatch):
    import duckdb

    class Interrupted:
        def __enter__(self):
            return self

        def __exit__(self, *error):
            return None

        def execute(self, query, values=None):
            if "select" in query:
                raise RuntimeError("Query interrupted") from KeyboardInterrupt()

    monkeypatch.setattr(duckdb, "connect", lambda *_: Interrupted())
    with pytest.raises(KeyboardInterrupt):
        store.sql("select 1")


def test_points_come_from_the_runs_where_the_table_is_damaged_anywhere(tmp_path):
    store = Store(tmp_path / "store")
    for number in range(2):
        with store.start_run("flights") as run:
            for step in range(20):
                run.log_metric("auc", step + number)
    store.compact()
    query = "select * from metrics order by all"
    told = store.sql(query).to_pylist()
    (place,) = tmp_path.glob("store/tables/metrics/part-*.parquet")
    whole = place.read_bytes()
    for at in [*range(0, len(whole), 97), *range(len(whole) - 12, len(whole))]:
        place.write_bytes(whole[:at] + bytes([whole[at] ^ 0x10]) + whole[at + 1 :])
        with pytest.warns(IndexWarning, match="damaged"):
            assert store.sql(query).to_pylist() == told
