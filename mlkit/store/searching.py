"""The verbs that find runs: by a filter, by SQL, and the tables that make both fast."""

from collections.abc import Collection, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING, Any

from mlkit._core.clock import now_ns
from mlkit._core.masking import mask_text
from mlkit.display.progress import Progress
from mlkit.errors import InvalidInput, NotFound
from mlkit.store.rooms import Rooms

if TYPE_CHECKING:
    from mlkit.index.folding import Folded
    from mlkit.index.run_index import Seen
    from mlkit.query.expressions import Expression
    from mlkit.query.frame import Frame
    from mlkit.query.ordering import OrderBy
    from mlkit.query.runs import RunTable
    from mlkit.tracking.reading import Run


class Searching(Rooms):
    """A store with the verbs that find runs.

    The arguments are those of `Store`.
    """

    def search_runs(
        self,
        filter: "str | Expression" = "",  # noqa: A002 - the field's word for it
        *,
        experiment: str | Collection[str] | None = None,
        order_by: "OrderBy" = "-started",
        limit: int | None = None,
        deleted: bool = False,
    ) -> "RunTable[Run]":
        """Give the runs that a filter keeps; finished, failed and live ones alike.

        Args:
            filter: Such as `metrics.auc > 0.8 and params.depth in (4, 6)`, or an expression such
                as `mlkit.metric("auc") > 0.8`; everything by default.
            experiment: Only runs of this experiment, or of these, by any name that it had;
                `vision/` means all beneath it. By default those of all experiments that aren't
                archived, or of all where the filter asks for the field `experiment`.
            order_by: One or several keys, `-` before one for falling, as text or such as
                `-mlkit.metric("auc")`; the newest first by default.
            limit: At most so many.
            deleted: Those that were deleted, instead of all others.

        Raises:
            FilterSyntax: The filter or an order can't be read; or nothing holds for it, and
                something in it looks like a mistake. The message points at the place.
            NotFound: Nothing is found, and the name of an experiment looks like a slip of another.
            InvalidInput: An experiment is no name, or the limit no number of runs.
        """
        from mlkit.query.search import search

        naming = self.experiments.naming()
        named = None if experiment is None else list(map(mask_text, _names(experiment)))
        found = self._index.trying(
            lambda seen: search(
                seen,
                partial(self.runs.open, called=naming.current),
                filter,
                experiments=None if named is None else set(map(naming.current, named)),
                hidden=set(map(naming.current, naming.archived_names())),
                deleted=deleted,
                order_by=order_by,
                limit=limit,
                clock=now_ns,
            )
        )
        if named and not found and limit != 0:
            self._refuse_slips(named)
        return found

    def _refuse_slips(self, experiments: Collection[str]) -> None:
        """Raise when the name of an experiment looks like a slip of one that is there."""
        from mlkit._core.slips import slip

        naming = self.experiments.naming()
        names = [one.name for one in self.experiments.all()]
        known = [*names, *(carried for name in names for carried in naming.carried(name))]
        for name in experiments:
            meant = slip(name.rstrip("/"), known)
            if meant:
                message = f"There is no experiment {name!r}"
                raise NotFound(message, hint=f"Did you mean {meant!r}?")

    def sql(self, query: str, values: Sequence[Any] | Mapping[str, Any] | None = None) -> "Frame":
        """Give what a query in SQL finds, in DuckDB's dialect.

        Runs that were deleted, and those of archived experiments, are left out, as in
        `search_runs`.

        Args:
            query: Over the tables `runs` (as `RunTable.to_arrow` has them), `metrics` (`run_id`,
                `key`, `step`, `time`, `value`: every point), `datasets` and `models` (versions).
            values: What stands for `?`, or for `$name`, in it.

        Returns:
            The rows. SQL doesn't tell names apart that differ by case only: columns of such keys
            are numbered, as `params.LR_1` and `params.lr_2`. So are columns of the answer that
            have the name of an earlier one.

        Raises:
            InvalidInput: The query can't be run; the message says where and why.
            MissingExtra: DuckDB isn't installed.

        Example:
            >>> import mlkit
            >>> store = mlkit.Store("memory://sql-example")
            >>> with store.start_run("flights") as run:
            ...     run.log_metrics({"auc": 0.7}, step=1)
            ...     run.log_metrics({"auc": 0.9}, step=2)
            >>> store.sql("select key, max(value) as best from metrics group by key").to_pylist()
            [{'key': 'auc', 'best': 0.9}]
        """
        from mlkit.query.search import search
        from mlkit.query.sql import run_sql
        from mlkit.store.sql_tables import sql_tables

        naming = self.experiments.naming()
        archived = set(map(naming.current, naming.archived_names()))

        def answer(seen: "Seen") -> "Frame":
            with ExitStack() as open_files:
                shown = search(seen, self.runs.open, hidden=archived)
                tables = sql_tables(
                    seen,
                    shown,
                    datasets=lambda: self.datasets,
                    models=lambda: self.models,
                    open_files=open_files,
                )
                return run_sql(query, tables, values)

        return self._index.trying(answer)

    def compact(self, *, progress: bool | None = None) -> "Folded":
        """Fold every run that has ended into the tables, and make few files of many.

        A search folds by itself in the background when many runs aren't folded, so nothing needs
        this; it is for who wants the tables complete, for other readers or after a large merge.
        Any number of machines may do it at once.

        Args:
            progress: Whether to show progress; by default on a terminal.

        Returns:
            How many runs were folded.

        Raises:
            Corrupt: A table was damaged; `reindex` makes it anew.
            SingleWriterOnly: The storage can't refuse a second writer.
        """
        with Progress("compact", show=progress) as line:
            return self._index.compact(line)

    def reindex(self, *, progress: bool | None = None) -> "Folded":
        """Make the tables anew from the run folders, whatever they hold; see `compact`."""
        with Progress("reindex", show=progress) as line:
            return self._index.reindex(line)


def _names(experiment: object) -> list[str]:
    """Give the names of experiments that were asked for."""
    names = [experiment] if isinstance(experiment, str) else experiment
    listed = list(names) if isinstance(names, Collection) else []
    if listed and all(one and isinstance(one, str) for one in listed):
        return listed
    message = f"{experiment!r} names no experiment"
    raise InvalidInput(message, hint="Write experiment='flights', or ['flights', 'weather']")
