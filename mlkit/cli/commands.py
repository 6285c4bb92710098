"""The commands: each opens a store, asks it one thing, and prints the answer."""

import functools
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mlkit._core.extras import DISTRIBUTION
from mlkit._core.names import unknown
from mlkit.cli import forms, rows
from mlkit.cli.exits import MEANINGS, NO, code_of
from mlkit.cli.opening import open_store
from mlkit.cli.output import Form, Output, moment, printable, text_of
from mlkit.cli.runs import run_lines
from mlkit.display.formats import show_bytes
from mlkit.errors import InvalidInput, MlkitError, NotFound, StorageFault

if TYPE_CHECKING:
    from mlkit.query.runs import RunTable
    from mlkit.store.merge_report import MergeReport
    from mlkit.store.store import Store
    from mlkit.tracking.reading import Run

_INTERRUPTED = 130
_ROWS = 20  # of a table, where nobody says how many
_CODES = "\n".join(f"  {code}  {meaning}" for code, meaning in MEANINGS.items())
_EPILOG = f"\b\nExit codes:\n{_CODES}"
_EXPERIMENT_COLUMNS: dict[str, Form] = {"experiment": text_of, "runs": text_of}
_DATASET_COLUMNS: dict[str, Form] = {
    "dataset": text_of,
    "versions": text_of,
    "latest": text_of,
    "aliases": text_of,
    "created_at": moment,
}
_DATASET_VERSION_COLUMNS: dict[str, Form] = {
    "version": text_of,
    "aliases": text_of,
    "kind": text_of,
    "rows": text_of,
    "size": show_bytes,
    "created_at": moment,
    "digest": forms.short,
    "run_id": forms.beginning,
}
_MODEL_COLUMNS: dict[str, Form] = {
    "model": text_of,
    "versions": text_of,
    "latest": text_of,
    "aliases": text_of,
    "created_at": moment,
}
_MODEL_VERSION_COLUMNS: dict[str, Form] = {
    "version": text_of,
    "aliases": text_of,
    "created_at": moment,
    "size": show_bytes,
    "metrics": text_of,
    "datasets": forms.refs,
    "digest": forms.short,
    "run_id": forms.beginning,
}
_ALIAS_COLUMNS: dict[str, Form] = {
    "at": moment,
    "action": text_of,
    "version": text_of,
    "holder": text_of,
    "user": text_of,
    "gate": forms.verdict,
    "reason": text_of,
}
_DATASET_ALIAS_COLUMNS = {name: _ALIAS_COLUMNS[name] for name in _ALIAS_COLUMNS if name != "gate"}
_PROBLEM_COLUMNS: dict[str, Form] = {"path": text_of, "what": text_of, "hurts": text_of}


class Commands(click.Group):
    """A group in which mlkit's errors become a message and an exit code."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command that was asked for."""
        try:
            return super().invoke(ctx)
        except MlkitError as error:
            lines = [printable(line) for line in str(error).splitlines()]
            click.echo("mlkit: " + "\n".join(lines), err=True)
            ctx.exit(code_of(error))
        except KeyboardInterrupt:
            ctx.exit(_INTERRUPTED)


@click.group(cls=Commands, epilog=_EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name=DISTRIBUTION, message="%(package)s %(version)s")
def cli() -> None:
    """Look into an mlkit store: runs, datasets, models and their versions."""


def command(function: Callable[..., None]) -> click.Command:
    """Make a function a command that is handed the opened store and where to print."""

    @cli.command(name=function.__name__.rstrip("_"), help=function.__doc__)
    @click.option("--store", "url", metavar="URL", help="The store; $MLKIT_STORE, else ./.mlkit.")
    @click.option("--json", "as_json", is_flag=True, help="Print JSON.")
    @functools.wraps(function)
    def run(url: str | None, *, as_json: bool, **arguments: Any) -> None:
        function(open_store(url), Output(as_json=as_json), **arguments)

    return run


_limit = click.option(
    "--limit",
    show_default=f"{_ROWS}; JSON has all",
    type=click.IntRange(min=1),
    help="At most so many runs.",
)
_deleted = click.option("--deleted", is_flag=True, help="Those that were deleted.")


def _print_runs(
    store: "Store", output: Output, runs: "RunTable[Run]", *, limit: int | None, lead: str = ""
) -> None:
    """Print the first of some runs, and how many more there are; JSON has all unless limited."""
    if output.as_json:
        output.document(list(runs[:limit].each(rows.run_row)))
        return
    shown = runs[: limit or _ROWS]
    output.lines(run_lines(shown, ids=store.runs.ids(), width=output.width, lead=lead))
    more = len(runs) - len(shown)
    if more:
        output.note(f"… and {more:,} more run{'' if more == 1 else 's'}; --limit shows more")


@command
@click.argument("experiment", required=False)
@click.option("--archived", is_flag=True, help="The experiments that were archived.")
@_deleted
@_limit
def ls(
    store: "Store",
    output: Output,
    *,
    experiment: str | None,
    archived: bool,
    deleted: bool,
    limit: int | None,
) -> None:
    """List the experiments, or the runs of EXPERIMENT, the newest first."""
    if archived and (deleted or experiment is not None):
        message = "--archived lists experiments; EXPERIMENT and --deleted ask for runs"
        raise click.UsageError(message)
    if experiment is None and not deleted:
        found = [
            {"experiment": one.name, "runs": one.run_count}
            for one in store.experiments.all()
            if one.archived == archived
        ]
        empty = "No experiment is archived." if archived else "There are no runs yet."
        output.table(found, _EXPERIMENT_COLUMNS, empty=empty)
        return
    runs = store.search_runs(experiment=experiment, deleted=deleted)
    if runs:
        _print_runs(store, output, runs, limit=limit)
        return
    if experiment is not None and experiment not in store.experiments:
        raise unknown("experiment", experiment, store.experiments.names())
    if output.as_json:
        output.document([])
    output.note("No run is deleted." if deleted else "There are no runs of it.")


@command
@click.argument("run_id", metavar="RUN")
def show(store: "Store", output: Output, *, run_id: str) -> None:
    """Show a run by its id, or by the beginning of it."""
    try:
        run = store.run(run_id)
    except NotFound as error:
        if not error.hint.startswith("store."):
            raise
        raise NotFound(error.message, hint="mlkit search lists them, the newest first") from error
    output.fields(rows.run_fields(run), forms.RUN)
    if run.deleted_at is not None:
        output.note("This run was deleted; store.run(id).restore() undoes it until gc removes it.")


@command
@click.argument("filter_text", metavar="FILTER", default="")
@click.option(
    "--experiment", multiple=True, help="Only runs of this experiment; may be given several times."
)
@click.option(
    "--order-by",
    multiple=True,
    default=["-started"],
    show_default="-started",
    help="A key; '-' for falling. May be given several times, the first counts most.",
)
@_deleted
@_limit
@click.pass_context
def search(
    ctx: click.Context,
    store: "Store",
    output: Output,
    *,
    filter_text: str,
    experiment: tuple[str, ...],
    order_by: tuple[str, ...],
    deleted: bool,
    limit: int | None,
) -> None:
    """List the runs that FILTER keeps, such as "metrics.auc > 0.8 and params.depth in (4, 6)"."""
    found = store.search_runs(
        filter_text, experiment=experiment or None, order_by=order_by, deleted=deleted
    )
    if found:
        _print_runs(store, output, found, limit=limit, lead=order_by[0].lstrip("+-"))
        return
    for one in experiment:
        if one.rstrip("/") not in store.experiments:
            raise unknown("experiment", one, store.experiments.names())
    if output.as_json:
        output.document([])
    output.note("No run matches.")
    ctx.exit(NO)


_history = click.option(
    "--history", metavar="ALIAS", help="How ALIAS of NAME has moved, the oldest first."
)


@command
@click.argument("name", required=False)
@_history
def data(store: "Store", output: Output, *, name: str | None, history: str | None) -> None:
    """List the datasets, or the versions of the dataset NAME, or show one, such as flights:3."""
    if name is None:
        _require_name(history)
        found = [rows.dataset_row(store, known) for known in store.datasets.names()]
        output.table(found, _DATASET_COLUMNS, empty="There are no datasets yet.")
    elif history is not None:
        moves = rows.alias_moves(store.datasets[name], history)
        output.table(moves, _DATASET_ALIAS_COLUMNS, empty="There are no moves yet.")
    elif _is_reference(name):
        version = store.dataset(name)
        aliases = store.datasets[version.name].aliases()
        output.fields(rows.dataset_fields(version, aliases), forms.VERSION)
    else:
        versions = rows.dataset_versions(store.datasets[name])
        output.table(versions, _DATASET_VERSION_COLUMNS, empty="There are no versions yet.")


@command
@click.argument("name", required=False)
@_history
def models(store: "Store", output: Output, *, name: str | None, history: str | None) -> None:
    """List the models, or the versions of the model NAME, or show one, such as delay@prod."""
    if name is None:
        _require_name(history)
        found = [rows.model_row(store, known) for known in store.models.names()]
        output.table(found, _MODEL_COLUMNS, empty="There are no models yet.")
    elif history is not None:
        moves = rows.alias_moves(store.models[name], history)
        output.table(moves, _ALIAS_COLUMNS, empty="There are no moves yet.")
    elif _is_reference(name):
        version = store.model(name)
        aliases = store.models[version.name].aliases()
        output.fields(rows.model_fields(version, aliases), forms.VERSION)
    else:
        versions = rows.model_versions(store.models[name])
        output.table(versions, _MODEL_VERSION_COLUMNS, empty="There are no versions yet.")


def _require_name(history: str | None) -> None:
    if history is not None:
        message = "--history needs a NAME"
        raise click.UsageError(message)


def _is_reference(name: str) -> bool:
    return any(mark in name for mark in ":@#")


@command
@click.argument("reference", metavar="REF")
@click.option("--downstream", is_flag=True, help="What came of it, instead.")
def lineage(store: "Store", output: Output, *, reference: str, downstream: bool) -> None:
    """Show what REF came from: a model or dataset, such as delay@prod, or a run's id."""
    found = store.lineage(reference, direction="downstream" if downstream else "upstream")
    if output.as_json:
        output.document(rows.lineage_fields(found))
    else:
        output.lines(found.text())


@command
@click.pass_context
def verify(ctx: click.Context, store: "Store", output: Output) -> None:
    """Read everything in the store, and list what is damaged."""
    found = [rows.problem(one) for one in store.verify()]
    output.table(found, _PROBLEM_COLUMNS, empty=f"{printable(store.url)}: nothing is damaged.")
    if found:
        ctx.exit(NO)


@command
def sync(store: "Store", output: Output) -> None:
    """Send what waits on this machine for the store."""
    sent = store.sync()
    files = "1 file was" if sent == 1 else f"{sent} files were"
    output.say(f"{files} sent to {store.url}." if sent else "Nothing was waiting.")
    if output.as_json:
        output.document({"sent": sent})


@command
@click.option("--anew", is_flag=True, help="Make the tables again, whatever they hold.")
def compact(store: "Store", output: Output, *, anew: bool) -> None:
    """Fold every run that has ended into the tables, for other programs that read them."""
    progress = False if output.as_json else None
    done = store.reindex(progress=progress) if anew else store.compact(progress=progress)
    runs = "1 run was" if done.runs == 1 else f"{done.runs:,} runs were"
    output.say(f"{runs} folded; the tables have {done.files:,} files.")
    if output.as_json:
        output.document({"runs": done.runs, "removed": done.removed, "files": done.files})


@command
@click.option("--dry-run", is_flag=True, help="Remove nothing; say what would be.")
@click.option("--grace", default="7d", show_default=True, help="What is younger stays.")
def gc(store: "Store", output: Output, *, dry_run: bool, grace: str) -> None:
    """Remove what no run, dataset or model refers to, and runs that were deleted."""
    found = store.gc(dry_run=dry_run, grace=grace, progress=_progress(output))
    if output.as_json:
        output.document(rows.gc_fields(found))
    else:
        output.lines(repr(found))


@command
@click.argument("other", metavar="URL")
@click.pass_context
def merge(ctx: click.Context, store: "Store", output: Output, *, other: str) -> None:
    """Take over all that the store at URL has and this one lacks."""
    _print_copies(ctx, output, store.merge(other, progress=_progress(output)))


@command
@click.argument("runs", metavar="RUN...", nargs=-1, required=True)
@click.option("--to", metavar="URL", required=True, help="A new store, or one that gets more.")
@click.pass_context
def export(
    ctx: click.Context, store: "Store", output: Output, *, runs: tuple[str, ...], to: str
) -> None:
    """Write runs to a store of their own, with all that they kept, read and made."""
    _print_copies(ctx, output, store.export(list(runs), to, progress=_progress(output)))


def _print_copies(ctx: click.Context, output: Output, report: "MergeReport") -> None:
    """Print what was copied; what is damaged or missing makes the exit code."""
    if output.as_json:
        output.document(rows.merge_fields(report))
    else:
        output.lines(repr(report))
    if not report.is_complete:
        ctx.exit(NO)


def _progress(output: Output) -> bool | None:
    """Give whether to show progress: to people, on a terminal."""
    return False if output.as_json else None


@command
@click.argument("out", type=click.Path(path_type=Path))
def report(store: "Store", output: Output, *, out: Path) -> None:
    """Write one HTML page of the store's runs, datasets and models to OUT, a file or a folder."""
    if not out.parent.is_dir():
        message = f"There is no folder {str(out.parent)!r} to write {out.name!r} to"
        raise InvalidInput(message, hint="Make it first, or write the page elsewhere")
    try:
        page = store.report(out)
    except MlkitError:
        raise
    except OSError as error:
        message = f"{str(out)!r} can't be written: {error.strerror or error}"
        raise StorageFault(message) from error
    output.say(f"Wrote {page}")
    if output.as_json:
        output.document({"path": str(page)})
