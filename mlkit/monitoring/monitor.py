"""Watching a deployed version: what it sees and says, and what comes true."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from attrs import evolve

from mlkit._core.clock import Clock, now_ns
from mlkit._core.ids import token
from mlkit._core.names import check_name
from mlkit.errors import InvalidInput, ReadOnly, SingleWriterOnly
from mlkit.monitoring.moments import moment
from mlkit.monitoring.monitor_report import MonitorReport
from mlkit.monitoring.service_log import FEATURE, ServiceLog, newest
from mlkit.monitoring.trigger import Outcome, Trigger, TriggerCondition
from mlkit.objects.series import Series
from mlkit.quality.drift import drift
from mlkit.quality.performance import Task, measure, task_of
from mlkit.schema.frames import to_arrow

if TYPE_CHECKING:
    import pyarrow as pa

    from mlkit.quality.drift_report import DriftReport
    from mlkit.schema.signature import Signature
    from mlkit.storage.protocol import Storage

CHECK = "monitor_check"
DECISION = "trigger_decision"


class Deployed(Protocol):
    """What a monitor must know of the version that it watches; a `ModelVersion` has it."""

    @property
    def name(self) -> str:
        """The model."""
        ...

    @property
    def number(self) -> int:
        """The version."""
        ...

    @property
    def metrics(self) -> Mapping[str, float]:
        """What it was worth at training."""
        ...

    @property
    def signature(self) -> "Signature | None":
        """What it takes."""
        ...


class Monitor:
    """Keeps what a deployed version saw and said, joins the truth, and compares.

    Any number of processes may log at once; each call writes one immutable Parquet object.

    Args:
        storage: Where it is kept.
        version: The deployed version.
        reference: Gives the table that the version was trained on; None where it isn't known.
        task: What is predicted: `binary` (the probability of one of two outcomes), `labels` or
            `regression`; told from the values by default.
        clock: The time.
        single_writer: The caller promises to be the only writer of checks and decisions.

    Raises:
        InvalidInput: `task` is unknown.

    Example:
        >>> from types import SimpleNamespace
        >>> from mlkit.storage.memory import MemoryStorage
        >>> version = SimpleNamespace(name="delay", number=1, metrics={"auc": 0.8}, signature=None)
        >>> monitor = Monitor(MemoryStorage("monitor-example"), version)
        >>> monitor.log({"distance": [200, 1400]}, [0.1, 0.7], ids=["UA1", "DL2"])
        2
        >>> monitor.log_truth(["DL2", "UA1"], [True, False])
        2
        >>> monitor.check().performance["auc"]
        1.0
    """

    def __init__(
        self,
        storage: "Storage",
        version: Deployed,
        *,
        reference: Callable[[], Any] | None = None,
        task: Task | None = None,
        clock: Clock = now_ns,
        single_writer: bool = False,
    ) -> None:
        if task not in {None, "binary", "labels", "regression"}:
            message = f"task={task!r} is unknown"
            raise InvalidInput(message, hint="Use 'binary', 'labels' or 'regression'")
        self.model = check_name(version.name, "model")
        self.version = version
        self._reference = reference
        self._loaded: pa.Table | None = None
        self._task = task
        self._clock = clock
        self._service = ServiceLog(storage, self.model, clock)
        folder = f"monitors/{self.model}"
        self._checks = Series(storage, f"{folder}/checks", CHECK, single_writer=single_writer)
        self._decisions = Series(
            storage, f"{folder}/triggers", DECISION, single_writer=single_writer
        )

    @property
    def ref(self) -> str:
        """The version that is watched, such as `delay:3`."""
        return f"{self.model}:{self.version.number}"

    def __repr__(self) -> str:
        return f"<Monitor of {self.ref}>"

    def log(self, X: Any, predictions: Any, ids: Iterable[Any], timestamp: Any = None) -> int:
        """Keep what the version saw and said, as one object in the store.

        Args:
            X: The features, one row for each prediction; None to keep none.
            predictions: One number (of two outcomes, the probability of the second), bool or label
                a row.
            ids: What the truth will be joined by: texts or whole numbers, one a row. An id that
                comes again replaces what came before.
            timestamp: When: one time, or one a row; now by default. Times without a zone are UTC.

        Returns:
            The rows kept; an empty batch writes nothing.

        Raises:
            InvalidInput: The lengths differ, or something isn't what it must be; nothing is kept.
        """
        return self._service.log(self.version.number, X, predictions, ids, timestamp)

    def log_truth(self, ids: Iterable[Any], y: Any) -> int:
        """Keep what came true. Later truths of the same id win, whenever the check is.

        Args:
            ids: The ids of inferences.
            y: The truth of each; those that are missing are left out, as not known yet.

        Returns:
            The truths kept.

        Raises:
            InvalidInput: The lengths differ, or something isn't what it must be; nothing is kept.
        """
        return self._service.log_truth(ids, y)

    def check(self, start: Any = None, end: Any = None, *, record: bool = True) -> MonitorReport:
        """Look at a window of time: how good the version was, and whether its input drifted.

        Args:
            start: The first moment: a datetime, date or text such as `2013-04-01`; no limit by
                default.
            end: The moment after the last.
            record: Keep the report in the store, where `history` finds it. In a store that only
                reads, the report says that it wasn't kept.

        Returns:
            The report. An empty window, missing truths, features that are missing or of another
            type, and figures that can't be had are told in it.

        Raises:
            InvalidInput: The window ends before it starts, or isn't made of times.
            Corrupt: An object of the window doesn't match its digest.
        """
        first = None if start is None else moment(start, "start")
        after = None if end is None else moment(end, "end")
        if first is not None and after is not None and after < first:
            raise InvalidInput(f"The window ends ({end}) before it starts ({start})")
        report = self._report(first, after)
        return self._kept(report) if record else report

    def history(self) -> list[MonitorReport]:
        """Give the reports of all versions of the model, the oldest check first.

        A window of a version that was checked again is there once, with its newest report.
        """
        found: dict[tuple[int, int | None, int | None], MonitorReport] = {}
        for number in self._checks.numbers():
            report = MonitorReport.from_json(self._checks.read(number)["report"])
            key = (report.version, report.start, report.end)
            found.pop(key, None)
            found[key] = report
        return list(found.values())

    def decisions(self) -> list[Mapping[str, Any]]:
        """Give what the triggers of the model decided, the oldest decision first."""
        return [self._decisions.read(number) for number in self._decisions.numbers()]

    def trigger(
        self,
        name: str,
        *,
        when: "TriggerCondition | Sequence[TriggerCondition]",
        action: Callable[[MonitorReport], Outcome],
    ) -> Trigger[Outcome]:
        """Give a trigger whose decisions are kept beside this monitor's reports.

        Args:
            name: What it is called in the records.
            when: A condition, or several: it fires when any of them is met.
            action: What it does then; it is given the report.
        """
        return Trigger(name, when, action, decisions=self._decisions, clock=self._clock)

    def _kept(self, report: MonitorReport) -> MonitorReport:
        try:
            self._checks.append(lambda _: {"report": report.to_json()}, token=token())
        except (ReadOnly, SingleWriterOnly) as error:
            notes = (*report.notes, f"this report wasn't kept: {error}")
            return evolve(report, notes=notes)
        return report

    def _report(self, start: int | None, end: int | None) -> MonitorReport:
        table, notes = self._service.inferences(self.version.number, start, end)
        truths, more = self._service.truths()
        notes += more
        unknown = self._unknown(truths) if start is None and end is None else None
        known: dict[str, Any] = {
            "model": self.model,
            "version": self.version.number,
            "start": start,
            "end": end,
            "checked_at": self._clock(),
            "baseline": dict(self.version.metrics),
            "unknown_truths": unknown,
        }
        if table is None:
            return MonitorReport(**known, notes=(*notes, "the window has no inferences"))
        rows = newest(table)
        task, figures, truths_found, said = self._performance(rows, truths)
        shifted, heard = self._drift(rows)
        first, last = _ends(rows)
        return MonitorReport(
            **known,
            first=first,
            last=last,
            rows=len(rows),
            repeated=len(table) - len(rows),
            truths=truths_found,
            task=task,
            performance=figures,
            drift=shifted,
            notes=tuple(notes + said + heard),
        )

    def _unknown(self, truths: "pa.Table | None") -> int:
        import pyarrow.compute as pc

        if truths is None:
            return 0
        known = pc.is_in(truths["id"], value_set=self._service.known_ids())
        return len(truths) - int(pc.sum(known).as_py() or 0)

    def _performance(
        self, rows: "pa.Table", truths: "pa.Table | None"
    ) -> tuple[str, dict[str, float | None], int, list[str]]:
        """Measure the rows that have a truth."""
        import pyarrow.compute as pc

        if truths is None:
            return "", {}, 0, ["no truths were logged yet"]
        truth = truths["truth"].take(pc.index_in(rows["id"], value_set=truths["id"]))
        there = pc.and_(truth.is_valid(), rows["prediction"].is_valid())
        count = len(truth) - truth.null_count
        notes = []
        lost = rows["prediction"].null_count
        if lost:
            notes.append(f"{lost:,} predictions are missing or not a number")
        if not pc.any(there).as_py():
            return "", {}, count, [*notes, "no row of the window has both a truth and a prediction"]
        y = truth.filter(there).to_numpy()
        predicted = rows["prediction"].filter(there).to_numpy()
        try:
            task = self._task or task_of(y, predicted)
            found = measure(y, predicted, task)
        except InvalidInput as error:
            return "", {}, count, [*notes, f"the performance can't be measured: {error}"]
        figures = {name: None if math.isnan(one) else one for name, one in found.items()}
        undefined = ", ".join(name for name, one in figures.items() if one is None)
        if undefined:
            notes.append(f"{undefined}: not defined here, since the truths don't differ")
        return task, figures, count, notes

    def _drift(self, rows: "pa.Table") -> "tuple[DriftReport | None, list[str]]":
        """Compare the features with those of the training data."""
        names = [name for name in rows.column_names if name.startswith(FEATURE)]
        if not names:
            return None, ["no features were logged, so drift isn't known"]
        current = rows.select(names).rename_columns([name.removeprefix(FEATURE) for name in names])
        if self._reference is None:
            return None, ["the training data aren't known, so drift isn't known"]
        if self._loaded is None:
            self._loaded = to_arrow(self._reference())
        taken = self._taken(self._loaded, current)
        if not taken:
            return None, ["the features have no column in common with the training data"]
        try:
            found = drift(self._loaded, current, columns=taken)
        except InvalidInput as error:
            return None, [f"drift isn't known: {error}"]
        lost = "; ".join(f"{column.name} ({column.why})" for column in found.not_comparable)
        return found, [f"features that can't be compared: {lost}"] if lost else []

    def _taken(self, reference: "pa.Table", current: "pa.Table") -> list[str]:
        """The columns to compare: those that the model takes, else those that both tables have."""
        either = set(reference.column_names) | set(current.column_names)
        if self.version.signature is not None:
            return [name for name in self.version.signature.inputs.names if name in either]
        return [name for name in current.column_names if name in reference.column_names]


def _ends(rows: "pa.Table") -> tuple[int, int]:
    """The times of the earliest and the latest row."""
    import pyarrow as pa
    import pyarrow.compute as pc

    ends = pc.min_max(rows["timestamp"].cast(pa.int64())).as_py()
    return ends["min"] * 1000, ends["max"] * 1000
