"""The public API as users write it; mypy --strict reads this, nothing runs it.

What a name is, is asserted where a user's editor would show it.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, assert_type

import mlkit


def stores() -> None:
    store = mlkit.Store("s3://team/ml", storage_options={"anon": True}, strict=True)
    assert_type(store, mlkit.Store)
    assert_type(mlkit.Store(Path("here")), mlkit.Store)
    assert_type(store.url, str)
    assert_type(mlkit.set_store("memory://typed"), mlkit.Store)
    assert_type(mlkit.set_store(store), mlkit.Store)
    assert_type(mlkit.get_store(), mlkit.Store)
    assert_type(store.experiments.names(), list[str])
    assert_type(store.experiments["flights"].description, str)
    assert_type(store.sync(), int)


def tracking(store: mlkit.Store) -> None:
    with mlkit.start_run("flights", name="typed", tags={"owner": "ml"}) as run:
        assert_type(run, mlkit.ActiveRun)
        run.log_params(lr=0.1, depth=6)
        run.log_params({"lr": 0.1})
        run.log_metrics({"loss": 0.3, "auc": 1}, step=1)
        run.log_metric("loss", 0.2)
        run.set_tags(owner="ml")
        run.note("first try")
        run.log_text("text", "text.txt")
        run.log_artifact(Path("roc.png"))
    mlkit.log_metrics({"loss": 0.3})
    assert_type(mlkit.active_run(), mlkit.ActiveRun | None)
    assert_type(run.id, str)
    assert_type(store.start_run("flights"), mlkit.ActiveRun)
    run_id = mlkit.new_run_id()
    mlkit.start_run("flights", run_id=run_id, resume="allow", durable=True, capture=False)
    run.log_artifact(b"bytes", "name.bin")
    run.flush()
    assert_type(run.overhead, float)
    assert_type(run.health.dropped, int)
    run.artifacts().download("folder", under="plots")


def organizing(store: mlkit.Store) -> None:
    store.start_run("flights").set_goals(auc="max", loss="min")
    run = store.run("0190f7a5")
    run.set_tags(team="ml", old=None)
    run.note("later")
    run.rename("second")
    run.delete()
    run.restore()
    assert_type(run.deleted_at, int | None)
    assert_type(run.goals, dict[str, str])
    for record in run.follow(["loss"], timeout=60):
        assert_type(record.time, int)
    for experiment in store.experiments:
        experiment.describe("late ones")
        experiment.rename("delays")
        assert_type(experiment.archived, bool)
    assert_type(store.experiments.carried_by("vision/"), frozenset[str])


def a_tracked_function_keeps_its_signature() -> None:
    @mlkit.track("flights")
    def train(lr: float = 0.1, *, depth: int = 6) -> dict[str, float]:
        return {"auc": lr * depth}

    assert_type(train(0.2, depth=4), dict[str, float])
    train(depth="six")  # type: ignore[arg-type]  # depth is an int, tracked or not


def a_dataset_function_gives_a_version() -> None:
    @mlkit.dataset("features")
    def features(rows: int) -> dict[str, list[int]]:
        return {"row": list(range(rows))}

    assert_type(features(3), mlkit.DatasetVersion)
    features("3")  # type: ignore[arg-type]  # rows is an int


def reading(store: mlkit.Store) -> None:
    runs = store.search_runs("metrics.auc > 0.8", experiment="flights", order_by="-metrics.auc")
    assert_type(runs, mlkit.RunTable[mlkit.Run])
    assert_type(runs[0], mlkit.Run)
    assert_type(runs[:2], mlkit.RunTable[mlkit.Run])
    assert_type(runs.best("auc", mode="max"), mlkit.Run)
    run = store.run("0192")
    assert_type(run, mlkit.Run)
    assert_type(run.status, str)
    assert_type(run.params, dict[str, Any])
    assert_type(run.summary, dict[str, float])
    assert_type(run.ended_at, int | None)
    for each in store.runs:
        assert_type(each, mlkit.Run)
    runs.best("auc", mode="most")  # type: ignore[arg-type]  # it is max or min


def filters(store: mlkit.Store) -> None:
    good = (mlkit.metric("auc").max > 0.8) & ~mlkit.param("depth").isin([4, 6])
    recent = (mlkit.field("started") > "-7d") | (mlkit.tag("owner") == "ml")
    runs = store.search_runs(good & recent & mlkit.metric("loss").between(0, mlkit.metric("base")))
    assert_type(runs, mlkit.RunTable[mlkit.Run])
    assert_type(good.text(), str)
    store.search_runs(mlkit.tag("owner").like("m%") | mlkit.field("name").is_null())
    store.search_runs(mlkit.param("depth"))  # type: ignore[arg-type]  # it must be compared


def data(store: mlkit.Store) -> None:
    version = store.log_dataset("flights", {"delay": [1.5, None]}, description="two")
    assert_type(version, mlkit.DatasetVersion)
    assert_type(store.dataset("flights@latest"), mlkit.DatasetVersion)
    assert_type(version.ref, str)
    assert_type(version.rows, int | None)
    assert_type(version.checkout("folder"), Path)
    with store.new_dataset("images") as folder:
        assert_type(folder, Path)
    assert_type(mlkit.drift(version, version), mlkit.DriftReport)
    assert_type(mlkit.drift(version, version).drifted, bool)


def knowing_data(store: mlkit.Store) -> None:
    version = store.dataset("flights@gold")
    assert_type(version.profile, mlkit.Profile)
    found = version.diff(store.dataset("flights:1"), key="id")
    assert_type(found, mlkit.DatasetDiff)
    assert_type(found.rows_added, int | None)
    splits = version.split({"train": 0.8, "test": 0.2}, by="customer", seed=0)
    assert_type(splits, mlkit.Splits)
    assert_type(splits["train"], mlkit.Part)
    assert_type(splits.leakage(keys="id"), mlkit.LeakageReport)
    assert_type(mlkit.leakage(version, version, keys=["id"]).leaks, bool)
    assert_type(mlkit.split(version, {"train": 0.5, "test": 0.5}), mlkit.Splits)
    expected = mlkit.Expectations.infer(version)
    assert_type(expected, mlkit.Expectations)
    assert_type(expected.check(version), mlkit.ExpectationReport)
    store.log_dataset("flights", {"delay": [1.5]}, expect=expected, tags={"owner": "ml"})
    store.datasets["flights"].promote(3, "gold", reason="checked")
    version.set_tags(owner="ml")
    assert_type(version.used_by(), Sequence[Any])


def models(store: mlkit.Store) -> None:
    def judge(model: mlkit.LoadedModel) -> Mapping[str, float]:
        return {"auc": float(model.predict([[1.0]])[0])}

    loaded = store.load_model("delay@prod", trusted=True)
    assert_type(loaded, mlkit.LoadedModel)
    assert_type(loaded.version, mlkit.ModelVersion)
    gate = mlkit.Gate([mlkit.at_least("auc", 0.6), mlkit.no_worse("auc", by=0.01)], evaluate=judge)
    assert_type(gate, mlkit.Gate)
    store.models["delay"].promote(7, "prod", gate=gate, reason="better on May")
    store.models["delay"].rollback("prod")
    assert_type(store.models["delay"].latest, mlkit.ModelVersion)


def production(store: mlkit.Store) -> None:
    report = store.monitor("delay@prod").check()
    assert_type(report, mlkit.MonitorReport)
    trigger = mlkit.Trigger("retrain", when=[mlkit.metric_drop("auc", 0.02)], action=print)
    trigger.check(report)


def sweeping(store: mlkit.Store) -> None:
    def train(lr: float, depth: int) -> dict[str, float]:
        return {"auc": lr * depth}

    space = {"lr": mlkit.log_uniform(1e-4, 1e-1), "depth": [4, 6, 8]}
    result = mlkit.sweep(train, space, n=50, goal="max auc", n_jobs=2, store=store)
    assert_type(result.best, mlkit.Run)
    assert_type(result.runs, mlkit.RunTable[mlkit.Run])


def errors() -> None:
    try:
        mlkit.Store("nowhere")
    except mlkit.errors.NotAStore as error:
        assert_type(error.kind, str)
        assert_type(error.hint, str)
    except mlkit.MlkitError as error:
        assert_type(str(error), str)
