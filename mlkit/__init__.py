"""mlkit: the MLOps lifecycle as a library.

Version data, track training, keep models, gate them, monitor them, retrain them: in plain files
at any URL, without a server.

Example:
    >>> import mlkit
    >>> store = mlkit.set_store("memory://package-example")
    >>> with mlkit.start_run("flights") as run:
    ...     run.log_params(lr=0.1, depth=6)
    ...     run.log_metrics({"loss": 0.3, "auc": 0.8}, step=1)
    >>> store.search_runs("metrics.auc > 0.7")[0].params
    {'lr': 0.1, 'depth': 6}
"""

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import mlkit.errors as errors  # noqa: PLR0402 - nothing imports from the root, not even it
    from mlkit._fluent import (
        active_run,
        dataset,
        get_store,
        load_model,
        log_artifact,
        log_dataset,
        log_dict,
        log_figure,
        log_image,
        log_metric,
        log_metrics,
        log_model,
        log_params,
        log_table,
        log_text,
        new_run_id,
        note,
        search_runs,
        set_goals,
        set_store,
        set_tags,
        start_run,
        sweep,
        track,
        use_dataset,
    )
    from mlkit.data.comparing.diff import DatasetDiff
    from mlkit.data.comparing.leakage import leakage
    from mlkit.data.comparing.leakage_report import LeakageReport
    from mlkit.data.comparing.part import Part
    from mlkit.data.comparing.split import Splits, split
    from mlkit.data.profiles.profile import Profile
    from mlkit.data.profiles.shift import Shift, shift
    from mlkit.data.version import DatasetVersion
    from mlkit.errors import MlkitError
    from mlkit.models.loaded import LoadedModel
    from mlkit.models.package import ModelVersion
    from mlkit.monitoring.monitor_report import MonitorReport
    from mlkit.monitoring.trigger import Trigger, drift_share, metric_drop
    from mlkit.quality.drift import drift
    from mlkit.quality.drift_report import DriftReport
    from mlkit.quality.expectation_report import ExpectationReport
    from mlkit.quality.expectations import Expectations
    from mlkit.quality.gate_report import GateReport
    from mlkit.quality.gates import Gate, at_least, at_most, no_worse
    from mlkit.query.expressions import field, metric, param, tag
    from mlkit.query.frame import Frame
    from mlkit.query.runs import RunTable
    from mlkit.store.gc_report import GcReport
    from mlkit.store.merge_report import MergeReport
    from mlkit.store.store import Store
    from mlkit.sweeps.space import choice, int_uniform, log_uniform, uniform
    from mlkit.tracking.active import ActiveRun
    from mlkit.tracking.experiment import Experiment
    from mlkit.tracking.following import Point
    from mlkit.tracking.reading import Run

__version__ = "0.1.0"

_FLUENT = (
    "active_run",
    "dataset",
    "get_store",
    "load_model",
    "log_artifact",
    "log_dataset",
    "log_dict",
    "log_figure",
    "log_image",
    "log_metric",
    "log_metrics",
    "log_model",
    "log_params",
    "log_table",
    "log_text",
    "new_run_id",
    "note",
    "search_runs",
    "set_goals",
    "set_store",
    "set_tags",
    "start_run",
    "sweep",
    "track",
    "use_dataset",
)
_HOMES = {
    **dict.fromkeys(_FLUENT, "mlkit._fluent"),
    "ActiveRun": "mlkit.tracking.active",
    "DatasetDiff": "mlkit.data.comparing.diff",
    "DatasetVersion": "mlkit.data.version",
    "DriftReport": "mlkit.quality.drift_report",
    "ExpectationReport": "mlkit.quality.expectation_report",
    "Expectations": "mlkit.quality.expectations",
    "Experiment": "mlkit.tracking.experiment",
    "Frame": "mlkit.query.frame",
    "Gate": "mlkit.quality.gates",
    "GateReport": "mlkit.quality.gate_report",
    "GcReport": "mlkit.store.gc_report",
    "LeakageReport": "mlkit.data.comparing.leakage_report",
    "LoadedModel": "mlkit.models.loaded",
    "MergeReport": "mlkit.store.merge_report",
    "MlkitError": "mlkit.errors",
    "ModelVersion": "mlkit.models.package",
    "MonitorReport": "mlkit.monitoring.monitor_report",
    "Part": "mlkit.data.comparing.part",
    "Point": "mlkit.tracking.following",
    "Profile": "mlkit.data.profiles.profile",
    "Run": "mlkit.tracking.reading",
    "RunTable": "mlkit.query.runs",
    "Shift": "mlkit.data.profiles.shift",
    "Splits": "mlkit.data.comparing.split",
    "Store": "mlkit.store.store",
    "Trigger": "mlkit.monitoring.trigger",
    "at_least": "mlkit.quality.gates",
    "at_most": "mlkit.quality.gates",
    "choice": "mlkit.sweeps.space",
    "drift": "mlkit.quality.drift",
    "drift_share": "mlkit.monitoring.trigger",
    "field": "mlkit.query.expressions",
    "int_uniform": "mlkit.sweeps.space",
    "leakage": "mlkit.data.comparing.leakage",
    "log_uniform": "mlkit.sweeps.space",
    "metric": "mlkit.query.expressions",
    "metric_drop": "mlkit.monitoring.trigger",
    "no_worse": "mlkit.quality.gates",
    "param": "mlkit.query.expressions",
    "shift": "mlkit.data.profiles.shift",
    "split": "mlkit.data.comparing.split",
    "tag": "mlkit.query.expressions",
    "uniform": "mlkit.sweeps.space",
}
"""Where each public name is defined; it is imported when it is first asked for."""

__all__ = [
    "ActiveRun",
    "DatasetDiff",
    "DatasetVersion",
    "DriftReport",
    "ExpectationReport",
    "Expectations",
    "Experiment",
    "Frame",
    "Gate",
    "GateReport",
    "GcReport",
    "LeakageReport",
    "LoadedModel",
    "MergeReport",
    "MlkitError",
    "ModelVersion",
    "MonitorReport",
    "Part",
    "Point",
    "Profile",
    "Run",
    "RunTable",
    "Shift",
    "Splits",
    "Store",
    "Trigger",
    "active_run",
    "at_least",
    "at_most",
    "choice",
    "dataset",
    "drift",
    "drift_share",
    "errors",
    "field",
    "get_store",
    "int_uniform",
    "leakage",
    "load_model",
    "log_artifact",
    "log_dataset",
    "log_dict",
    "log_figure",
    "log_image",
    "log_metric",
    "log_metrics",
    "log_model",
    "log_params",
    "log_table",
    "log_text",
    "log_uniform",
    "metric",
    "metric_drop",
    "new_run_id",
    "no_worse",
    "note",
    "param",
    "search_runs",
    "set_goals",
    "set_store",
    "set_tags",
    "shift",
    "split",
    "start_run",
    "sweep",
    "tag",
    "track",
    "uniform",
    "use_dataset",
]


def __getattr__(name: str) -> object:
    if name == "errors":
        return importlib.import_module("mlkit.errors")
    home = _HOMES.get(name)
    if home is None:
        message = f"module 'mlkit' has no attribute {name!r}"
        raise AttributeError(message)
    value = getattr(importlib.import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*__all__, "__version__"})
