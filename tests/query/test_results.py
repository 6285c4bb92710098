"""What tables of runs add up to: groups, leaderboards, fronts, points, comparisons."""

import math
import statistics
from types import SimpleNamespace

import pyarrow as pa
import pytest
from attrs import asdict

from mlkit.errors import FilterSyntax, InvalidInput, NotFound
from mlkit.query.runs import RunTable
from mlkit.store.store import Store


@pytest.fixture(params=["live", "folded"])
def store(tmp_path, request):
    """Nine runs of three depths and three seeds, and one that never logged anything."""
    store = Store(tmp_path / "store")
    for depth in (2, 4, 6):
        for seed in range(3):
            with store.start_run("flights", name=f"d{depth}-{seed}") as run:
                run.log_params(depth=depth, seed=seed, model="tree")
                run.set_goals(loss="min")
                for step in range(10):
                    run.log_metrics(
                        {"auc": depth / 10 + seed / 100 + step / 1000, "loss": 1 / (step + depth)},
                        step=step,
                    )
    with store.start_run("flights", name="empty"):
        pass
    if request.param == "folded":
        store.compact()
    return store


@pytest.fixture
def runs(store):
    return store.search_runs(order_by="started")


def test_groups_give_count_mean_deviation_and_interval_over_seeds(runs):
    rows = runs.group_by("params.depth").agg("auc").to_pylist()
    assert [row["params.depth"] for row in rows] == [2, 4, 6, None]
    values = [0.209, 0.219, 0.229]
    first = rows[0]
    assert first["runs"] == first["auc.count"] == 3
    assert first["auc.mean"] == pytest.approx(statistics.mean(values))
    assert first["auc.std"] == pytest.approx(statistics.stdev(values))
    half = 4.302652729911275 * statistics.stdev(values) / math.sqrt(3)  # t of 2 degrees
    assert first["auc.low"] == pytest.approx(first["auc.mean"] - half)
    assert first["auc.high"] == pytest.approx(first["auc.mean"] + half)
    assert rows[-1] == {
        "params.depth": None, "runs": 1, "auc.count": 0, "auc.mean": None,
        "auc.std": None, "auc.low": None, "auc.high": None,
    }  # fmt: skip


def test_groups_of_one_run_have_no_deviation_and_no_interval(runs):
    rows = runs.group_by("params.depth", "params.seed").agg("auc", "loss").to_pylist()
    assert len(rows) == len(runs.group_by("params.depth", "params.seed")) == 10
    assert {row["auc.std"] for row in rows} == {None}
    assert {row["loss.high"] for row in rows} == {None}
    assert rows[0]["auc.mean"] == pytest.approx(0.209)


def test_groups_by_what_every_run_has(runs):
    assert [row["runs"] for row in runs.group_by("status").agg("auc").to_pylist()] == [10]


def test_groups_show_themselves_and_become_frames(runs):
    frame = runs.group_by("params.depth").agg("auc")
    assert "auc.mean" in repr(frame)
    assert "auc.mean" in frame._repr_html_()
    assert frame.to_pandas()["runs"].tolist() == [3, 3, 3, 1]
    assert frame.to_polars()["runs"].to_list() == [3, 3, 3, 1]
    assert len(frame) == frame.to_arrow().num_rows == 4


@pytest.mark.parametrize(
    ("fields", "error", "match"),
    [
        ((), InvalidInput, "nothing to group by"),
        (("params.dept",), NotFound, "Did you mean 'depth'"),
        (("dept",), FilterSyntax, "no field 'dept'"),
        ((5,), InvalidInput, "is no field"),
    ],
)
def test_what_cant_be_grouped_by_is_told(runs, fields, error, match):
    with pytest.raises(error, match=match):
        runs.group_by(*fields)


def test_what_cant_be_aggregated_is_told(runs):
    groups = runs.group_by("params.depth")
    with pytest.raises(NotFound, match="Did you mean 'auc'"):
        groups.agg("acu")
    with pytest.raises(InvalidInput, match="no metric"):
        groups.agg()
    with pytest.raises(InvalidInput, match="confidence=95"):
        groups.agg("auc", confidence=95)


def test_a_leaderboard_has_the_best_first_and_what_differs(runs):
    rows = runs.leaderboard("auc", 2).to_pylist()
    assert [row["name"] for row in rows] == ["d6-2", "d6-1"]
    assert [row["rank"] for row in rows] == [1, 2]
    assert [row["behind"] for row in rows] == pytest.approx([0, 0.01])
    assert set(rows[0]) == {"rank", "run", "name", "auc", "behind", "params.seed"}


def test_equal_runs_share_a_rank_and_goals_say_what_is_best(runs):
    rows = runs.leaderboard("loss", 4).to_pylist()
    assert [row["rank"] for row in rows] == [1, 1, 1, 4]
    assert rows[0]["loss"] == 1 / 15


def test_a_leaderboard_says_where_runs_read_different_data(tmp_path):
    store = Store(tmp_path / "other")
    for number in range(2):
        store.log_dataset("flights", {"a": [number]})
        with store.start_run("flights") as run:
            run.use_dataset("flights@latest")
            run.log_metric("auc", number)
    rows = store.search_runs().leaderboard("auc").to_pylist()
    assert [row["read"] for row in rows] == ["flights:2", "flights:1"]


@pytest.mark.parametrize("metric", ["rank", "run", "name", "behind", "read", "params.depth"])
def test_a_metric_that_is_called_like_a_column_of_a_leaderboard_takes_its_place_from_none(
    store, metric
):
    for value in (0.5, 0.7):
        with store.start_run("flights", name="odd") as run:
            run.log_params(depth=int(value * 10))
            run.log_metric(metric, value)
    rows = store.search_runs("name = 'odd'", order_by="started").leaderboard(metric).to_pylist()
    kept = [{**row, "behind": round(row["behind"], 6), "run": type(row["run"])} for row in rows]
    common = {"run": str, "name": "odd"}
    assert kept == [
        {"rank": 1, **common, f"metrics.{metric}": 0.7, "behind": 0.0, "params.depth": 7},
        {"rank": 2, **common, f"metrics.{metric}": 0.5, "behind": 0.2, "params.depth": 5},
    ]


def test_the_best_run_is_that_of_the_runs_goal(runs):
    assert runs.best("loss").name == "d6-0"
    assert runs.best("loss", "max").name == "d2-0"
    assert runs.best("auc").name == "d6-2"


def test_the_front_is_of_runs_that_no_other_beats(runs):
    front = runs.pareto("loss", auc="min")
    assert [run.name for run in front] == ["d2-0", "d4-0", "d6-0"]
    with pytest.raises(InvalidInput, match=r"runs.pareto\(auc='max'\)"):
        runs.pareto("auc", "loss")


def test_points_of_all_runs_are_in_one_table_and_none_is_left_out(store, runs):
    points = runs.metrics("auc")
    assert points.column_names == ["run_id", "step", "time", "value"]
    assert points.num_rows == 90
    for run in runs[:9]:
        mine = points.filter(pa.compute.equal(points["run_id"], run.id)).drop_columns("run_id")
        assert mine.equals(store.run(run.id).metrics("auc"))
    order = list(dict.fromkeys(points["run_id"].to_pylist()))
    assert order == runs.ids[:9]


def test_points_are_in_the_order_of_the_runs(runs):
    back = runs[::-1].metrics("auc")
    assert list(dict.fromkeys(back["run_id"].to_pylist())) == runs.ids[:9][::-1]


def test_fewer_points_are_means_that_lose_no_peak(tmp_path):
    store = Store(tmp_path / "peaks")
    values = [0.0, 1.0, 100.0, 1.0, math.nan, math.nan, 2.0]
    with store.start_run("flights") as run:
        for step, value in enumerate(values):
            run.log_metric("loss", value, step=step)
    rows = store.search_runs().metrics("loss", points=2).to_pylist()
    assert [row["count"] for row in rows] == [4, 3]
    assert [row["step"] for row in rows] == [3, 6]
    assert [row["value"] for row in rows] == [25.5, 2.0]
    assert [row["max"] for row in rows] == [100.0, 2.0]
    alone = store.search_runs().metrics("loss", points=7).to_pylist()
    assert math.isnan(alone[4]["value"])
    many = store.search_runs().metrics("loss", points=1000)
    assert many["count"].to_pylist() == [1] * 7


def test_many_groups_come_in_the_order_of_their_first_run(make_run):
    numbers = [(number * 37) % 200 for number in range(200)]
    runs = [
        make_run(id=f"{place}", params={"a": n, "b": n % 7, "c": str(n)}, summary={"x": n})
        for place, n in enumerate(numbers)
    ]
    groups = RunTable.of(runs).group_by("params.a", "params.b", "params.c").agg("x")
    assert groups.to_arrow()["params.a"].to_pylist() == numbers
    assert groups.to_arrow()["x.mean"].to_pylist() == numbers


@pytest.mark.parametrize("points", [10, 2**62, 10**30])
def test_as_many_points_as_there_are_or_more_are_all_points(runs, points):
    values = runs.metrics("loss")["value"].to_pylist()
    assert runs.metrics("loss", points=points)["value"].to_pylist() == values


def test_points_of_an_unknown_metric_suggest_a_near_one(runs):
    with pytest.raises(NotFound, match="Did you mean 'auc'"):
        runs.metrics("aucc")
    with pytest.raises(InvalidInput, match="points=0"):
        runs.metrics("auc", points=0)


def test_children_are_the_runs_within_runs(store):
    with store.start_run("flights", name="parent") as parent:
        for number in range(3):
            with store.start_run("flights", name=f"child-{number}"):
                pass
    family = store.search_runs(f"run_id = '{parent.id}'")
    assert [run.name for run in family.children] == ["child-0", "child-1", "child-2"]
    assert len(family.children.children) == 0


def test_a_table_narrows_and_sorts_without_looking_again(store, runs):
    with store.start_run("flights"):
        pass
    assert len(runs) == 10
    assert [run.name for run in runs.where("params.depth = 4")] == ["d4-0", "d4-1", "d4-2"]
    best = runs.where("metrics.auc is not null").order_by("params.seed", "-metrics.auc")
    assert [run.name for run in best[:3]] == ["d6-0", "d4-0", "d2-0"]


def test_a_comparison_has_code_data_and_environment(make_run):
    def recorded(version):
        run = make_run(
            id=version,
            inputs=[{"kind": "dataset", "ref": "flights:1", "digest": f"sha256:{version}"}],
        )
        said = {
            "code": {"commit": version * 20, "diff": "long " * 100 + version},
            "packages": {"numpy": version, "scipy": "1"},
            "process": {"pid": int(version[0]), "python": "3.11"},
        }
        return SimpleNamespace(**asdict(run, recurse=False), provenance=said)

    found = RunTable.of([recorded("1.0"), recorded("2.0")]).compare().values
    assert list(found) == ["inputs", "code.commit", "code.diff", "packages.numpy"]
    assert found["packages.numpy"] == ("1.0", "2.0")
    assert found["inputs"] == ("flights:1 sha256:1.0", "flights:1 sha256:2.0")
    assert len(found["code.diff"][0]) < 30


def test_names_that_utf_8_cant_hold_are_compared_and_found(tmp_path):
    store = Store(tmp_path / "odd")
    for value in ("a", "\udcff"):
        with store.start_run("odd \udcff", tags={"file \udcff": value}):
            pass
    runs = store.search_runs(experiment="odd \udcff", order_by="started")
    found = runs.compare().to_arrow()
    assert found["tags.file \\udcff"].to_pylist() == ["a", "\\udcff"]
