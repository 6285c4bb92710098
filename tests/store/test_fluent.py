"""The module-level verbs delegate to the current run, or to the default store."""

import pytest

import mlkit
from mlkit.errors import NoActiveRun
from mlkit.store import default as defaults


@pytest.fixture(autouse=True)
def default(tmp_path):
    yield mlkit.set_store(tmp_path / "store")
    mlkit.set_store(None)


class Drawing:
    def savefig(self, file, format):  # noqa: A002 - matplotlib's word
        file.write(b"drawn")


def test_every_verb_reaches_the_current_run(default, tmp_path):
    (tmp_path / "file.txt").write_text("x")
    with mlkit.start_run("flights", name="all", tags={"a": 1}) as run:
        assert mlkit.active_run() is run
        mlkit.log_params({"depth": 6}, lr=0.1)
        mlkit.log_metrics({"loss": 0.3}, step=1)
        mlkit.log_metric("auc", 0.8)
        mlkit.set_tags(owner="ann")
        mlkit.note("noted")
        mlkit.log_artifact(tmp_path / "file.txt")
        mlkit.log_text("x", "text.txt")
        mlkit.log_dict({"a": 1}, "dict")
        mlkit.log_table({"a": [1]}, "table")
        mlkit.log_figure(Drawing(), "figure")
        mlkit.log_image(b"x", "image")
        made = mlkit.log_dataset("data", {"a": [1]}, description="made here")
        assert mlkit.use_dataset("data").digest == made.digest
    read = default.run(run.id)
    assert (read.name, read.params) == ("all", {"depth": 6, "lr": 0.1})
    assert read.summary == {"loss": 0.3, "auc": 0.8}
    assert read.tags == {"a": "1", "owner": "ann"}
    assert len(read.artifacts()) == 6
    assert [link["ref"] for link in read.inputs + read.outputs] == ["data:1", "data:1"]
    assert mlkit.search_runs("params.depth = 6")[0].id == run.id
    assert mlkit.active_run() is None


def test_a_model_is_logged_and_loaded(default):
    from sklearn.linear_model import LinearRegression

    model = LinearRegression().fit([[0.0], [1.0]], [0.0, 2.0])
    with mlkit.start_run("models"):
        version = mlkit.log_model(model, "line", input_example=[[0.5]], metrics={"r2": 1.0})
    assert version.metrics == {"r2": 1.0}
    assert mlkit.load_model("line").predict([[3.0]]).tolist() == pytest.approx([6.0])


@pytest.mark.parametrize(
    "verb",
    [
        "log_params",
        "log_metrics",
        "log_metric",
        "set_tags",
        "note",
        "log_artifact",
        "log_text",
        "log_dict",
        "log_table",
        "log_figure",
        "log_image",
        "use_dataset",
        "log_dataset",
        "log_model",
    ],
)
def test_every_verb_without_a_run_is_a_clear_error(verb):
    needed = {"log_params": 0, "set_tags": 0, "log_metrics": 1, "note": 1, "log_artifact": 1}
    arguments = ["x"] * needed.get(verb, 1 if verb == "use_dataset" else 2)
    with pytest.raises(NoActiveRun, match=rf"mlkit\.{verb} was called while no run is active"):
        getattr(mlkit, verb)(*arguments)


def test_a_sweep_uses_the_default_store(default):
    result = mlkit.sweep(lambda x: {"score": x}, {"x": [1, 2]}, goal="max score")
    assert result.best_params == {"x": 2}
    assert len(default.runs) == 3


def test_the_default_store_is_opened_when_it_is_first_needed(monkeypatch, tmp_path):
    mlkit.set_store(None)
    monkeypatch.setenv("MLKIT_STORE", str(tmp_path / "lazy"))
    assert not (tmp_path / "lazy").exists()
    assert mlkit.get_store().url == str(tmp_path / "lazy")
    assert mlkit.get_store() is defaults._default


def test_a_named_store_goes_before_the_default(tmp_path):
    other = mlkit.Store(tmp_path / "other")
    with mlkit.start_run("flights", store=other) as run:
        pass
    assert len(mlkit.search_runs(store=other)) == 1
    assert len(mlkit.search_runs()) == 0
    assert run.store_id == other.id


def test_a_run_of_another_store_is_no_parent(tmp_path):
    other = mlkit.Store(tmp_path / "other")
    with mlkit.start_run("outer"), mlkit.start_run("inner", store=other) as inner:
        pass
    assert inner.parent_id is None


def test_an_unknown_name_of_the_package_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'log_everything'"):
        mlkit.log_everything  # noqa: B018 - asking is the point
    assert "start_run" in dir(mlkit)


def test_processes_of_a_sweep_have_its_store_as_their_default(default):
    def which(x):
        mlkit.set_tags(store=mlkit.get_store().url)
        return {"score": x}

    result = mlkit.sweep(which, {"x": [1, 2]}, goal="max score", n_jobs=2)
    assert {run.tags["store"] for run in result.runs} == {default.url}
