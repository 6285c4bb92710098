"""The store: one URL that holds everything, and the verbs on it."""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from mlkit.store.care import Care
from mlkit.store.searching import Searching
from mlkit.tracking.active import ActiveRun
from mlkit.tracking.context import current_run
from mlkit.tracking.reading import Run
from mlkit.tracking.surroundings import link_to

if TYPE_CHECKING:
    from mlkit.data.demands import Demands
    from mlkit.data.version import DatasetVersion
    from mlkit.models.loaded import LoadedModel
    from mlkit.models.package import ModelVersion
    from mlkit.monitoring.monitor import Monitor
    from mlkit.objects.verify import Problem
    from mlkit.query.lineage import Lineage
    from mlkit.sweeps.result import SweepResult


class Store(Searching, Care):
    """One root URL that holds everything; many people and machines write to it at once.

    Where there is nothing yet, a store is made. Threads may share a Store; every process opens
    its own.

    Args:
        url: A path, or any URL that fsspec reaches; `$MLKIT_STORE`, else `.mlkit`, by default.
        storage_options: What the driver takes, as in fsspec; kept in memory only.
        strict: Raise when the storage fails while a run is logged, instead of warning once and
            keeping what was logged on this machine until it can be sent.
        single_writer: The caller promises to be the only writer of datasets and models, so that
            storages which can't refuse a second one are written to.
        trusted: Whether models that run code on loading may be loaded. By default a local store
            of this user is trusted, and no other.

    Raises:
        NotAStore: There is something else at the URL.
        NewerFormat: A newer mlkit made the store.
        MissingExtra: The driver of the URL isn't installed; the message names the extra.
        InvalidInput: Nothing knows the URL's protocol.

    Example:
        >>> import mlkit
        >>> store = mlkit.Store("memory://store-example")
        >>> with store.start_run("flights") as run:
        ...     run.log_params(lr=0.1)
        ...     run.log_metric("auc", 0.8, step=1)
        >>> len(store.search_runs("metrics.auc > 0.7"))
        1
    """

    def __repr__(self) -> str:
        return f"Store({self.url!r})"

    # Runs

    def start_run(
        self,
        experiment: str,
        *,
        name: str | None = None,
        tags: Mapping[str, Any] | None = None,
        resume: str | None = None,
        run_id: str | None = None,
        parent_id: str | None = None,
        durable: bool = False,
        capture: bool | None = None,
    ) -> ActiveRun:
        """Start a run and make it the current one.

        Several processes of one job write into one run when each names its `run_id`: the one with
        rank 0 (`RANK`, `SLURM_PROCID` and their like) begins and ends it, the others join.

        Args:
            experiment: The group of runs that it belongs to; any text.
            name: What to call it.
            tags: Labels, kept as text.
            resume: The id of an earlier run to go on with. Or how to treat `run_id`: `allow` goes
                on with it where it is there (the default), `never` refuses that, `must` refuses a
                new one. Or `auto`: go on with what this machine (or this job of Slurm) started
                last in this way and didn't finish, else start a new run.
            run_id: The id of the run, as `mlkit.new_run_id` gives one; a new one by default.
            parent_id: The run that this one is part of; the current run by default.
            durable: Return from each call only when a power cut can't take back what it logged.
            capture: Whether to record code, packages, machine, output and load of the process;
                by default it does, unless `$MLKIT_CAPTURE` is `off`.

        Returns:
            The run, for a `with` block or until its `finish`.

        Raises:
            InvalidInput: The experiment is no text, or another one than that of the run to resume.
            NotFound: There is no run to resume.
            AlreadyExists: There is a run of this id, and `resume="never"`.
        """
        return self.runs.start(
            experiment,
            name=name,
            tags=tags,
            resume=resume,
            run_id=run_id,
            parent_id=parent_id,
            durable=durable,
            capture=capture,
        )

    def run(self, run_id: str) -> Run:
        """Give a run by its id, or by the beginning of it that no other has.

        Raises:
            NotFound: There is none.
            InvalidInput: Several runs begin like this.
        """
        return self.runs.get(run_id)

    def sweep(
        self,
        func: Callable[..., Any],
        space: Mapping[str, Any],
        *,
        n: int | None = None,
        goal: str = "max auc",
        n_jobs: int = 1,
        seed: int = 0,
        sampler: str | None = None,
        experiment: str | None = None,
        progress: bool | None = None,
    ) -> "SweepResult":
        """Run a function over a search space: one run with a child run for each trial.

        Args:
            func: Takes the params as keywords and returns a mapping of metrics; one made by
                `mlkit.track` is fine.
            space: Param to a list of choices, or to `uniform`, `log_uniform` or `int_uniform`.
            n: The number of trials; a grid tries everything without it.
            goal: `max` or `min` and the metric.
            n_jobs: So many trials at once, in processes of their own.
            seed: Makes the choices repeatable.
            sampler: `random` or `grid`, or that of a plugin.
            experiment: The experiment; that of the tracked function, or its name, by default.
            progress: Whether to show progress; by default on a terminal.

        Raises:
            InvalidInput: The space, the goal or a number can't be used.

        Example:
            >>> import mlkit
            >>> store = mlkit.Store("memory://sweep-example")
            >>> result = store.sweep(lambda x: {"score": -(x - 3) ** 2}, {"x": [1, 2, 3, 4]},
            ...                      goal="max score", experiment="parabola")
            >>> result.best_params
            {'x': 3}
        """
        from mlkit.sweeps.sweep import run_sweep

        return run_sweep(
            func,
            space,
            n=n,
            goal=goal,
            n_jobs=n_jobs,
            seed=seed,
            sampler=sampler,
            experiment=experiment,
            progress=progress,
            store=self,
            reopen=self._reopen,
        )

    # Datasets

    def log_dataset(
        self,
        name: str,
        data: Any,
        *,
        description: str = "",
        tags: Mapping[str, Any] | None = None,
        expect: "Demands | None" = None,
        storage_options: Mapping[str, Any] | None = None,
    ) -> "DatasetVersion":
        """Make data a version of a dataset; content that is there already gives its version.

        Args:
            name: The dataset's name.
            data: A pandas or polars frame, an Arrow table or reader, a stream of batches, a dict
                of columns; or the path or URL of a file or folder.
            description: What a reader should know of this version.
            tags: More to say of it, by name.
            expect: What a table must meet, such as `mlkit.Expectations`; else nothing is made.
            storage_options: For a URL, what its driver takes; never stored.

        Returns:
            The version; its `ref` is such as `flights:3`.

        Raises:
            InvalidName: The name can't be kept.
            InvalidInput: The data can't; the message names the column or file.
            DataRefused: The data don't meet what is expected.
        """
        return self.datasets.log(
            name,
            data,
            description=description,
            tags=tags,
            expect=expect,
            storage_options=storage_options,
        )

    def make_dataset(
        self,
        name: str,
        function: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any],
        **options: Any,
    ) -> "DatasetVersion":
        """Make what a function returns a version; versions among its arguments are its lineage.

        Args:
            name: The dataset's name.
            function: What makes the data.
            args: Its arguments by position.
            kwargs: Its arguments by name.
            options: As of `log_dataset`.
        """
        from mlkit.data.version import DatasetVersion

        data = function(*args, **kwargs)
        versions = [item for item in (*args, *kwargs.values()) if isinstance(item, DatasetVersion)]
        run = current_run()
        if run is not None and run.store_id == self.id:
            for version in versions:
                run.use_dataset(version)
            return run.log_dataset(name, data, **options)
        inputs = [link_to("dataset", version) for version in versions]
        return self.datasets.log(name, data, inputs=inputs, **options)

    def dataset(self, reference: str) -> "DatasetVersion":
        """Give a dataset's version: `flights`, `flights:3`, `flights@gold`, `flights#1f3a9c`.

        Raises:
            NotFound: There is none; near names are suggested.
        """
        return self.datasets.get(reference)

    def new_dataset(
        self, name: str, *, description: str = "", tags: Mapping[str, Any] | None = None
    ) -> AbstractContextManager[Path]:
        """Give a folder to fill: committed whole on leaving, dropped on an exception.

        Args:
            name: The dataset's name.
            description: What a reader should know of this version.
            tags: More to say of it, by name.
        """
        return self.datasets.new(name, description=description, tags=tags)

    def reference_dataset(
        self, name: str, url: str, *, storage_options: Mapping[str, Any] | None = None
    ) -> "DatasetVersion":
        """Record files where they are, by etag, size and modified time, without copying them.

        Args:
            name: The dataset's name.
            url: A path or URL, which may be a pattern such as `s3://raw/**`.
            storage_options: What the driver takes, as in fsspec; never stored.

        Raises:
            NotFound: There is nothing at the URL.
        """
        return self.datasets.reference(name, url, storage_options=storage_options)

    # Models

    def model(self, reference: str) -> "ModelVersion":
        """Give what is known of a model's version, without loading it.

        Raises:
            NotFound: There is none; near names are suggested.
        """
        return self.models.get(reference)

    def load_model(self, reference: str, *, trusted: bool | None = None) -> "LoadedModel":
        """Load a model's version: `delay@prod`, `delay:3`, `delay@latest`.

        Args:
            reference: Which.
            trusted: Whether it may run code on loading; the store's own setting by default.

        Raises:
            NotFound: There is none; near names are suggested.
            Corrupt: Its bytes don't match their digest.
            Untrusted: Loading would run code; the message lists what it would import.
        """
        return self.models.load(reference, trusted=trusted)

    def lineage(
        self,
        reference: "str | DatasetVersion | ModelVersion",
        *,
        direction: Literal["upstream", "downstream"] = "upstream",
    ) -> "Lineage":
        """Give where a version or run came from, back to the data's digests; or what came of it.

        Args:
            reference: A model's or dataset's version, such as `delay@prod`, itself or by its name;
                or a run's id.
            direction: `upstream`, to what it came from; or `downstream`, to the runs that read it,
                the versions that they made, the runs that read those, and so on.

        Raises:
            NotFound: There is none.
            InvalidInput: The direction is another.

        Example:
            >>> import mlkit
            >>> store = mlkit.Store("memory://lineage-example")
            >>> raw = store.log_dataset("raw", {"delay": [3.5, None]})
            >>> clean = store.make_dataset("clean", lambda raw: {"delay": [3.5]}, (raw,), {})
            >>> [node.ref for node in store.lineage("raw:1", direction="downstream").nodes]
            ['raw:1', 'clean:1']
        """
        name = reference if isinstance(reference, str) else reference.ref
        return self._relations.lineage(name, direction)

    def monitor(self, reference: str) -> "Monitor":
        """Watch a deployed version: what it sees and says, and what comes true.

        Its input is compared with the dataset that the version was trained on.

        Args:
            reference: Which, such as `delay@prod`.

        Raises:
            NotFound: There is none; near names are suggested.
        """
        return self._watch(self.model(reference))

    # Care

    def report(
        self, path: str | os.PathLike[str], *, title: str = "From data to production"
    ) -> Path:
        """Write one page of everything: runs, data, models, gates, production, lineage.

        Args:
            path: The file, such as `report.html`, or a folder for an `index.html`.
            title: The page's head.

        Returns:
            The file. It needs no other file, no script and no network.
        """
        from mlkit.reports.site import store_page
        from mlkit.store.overview import overview_of, write_page

        return write_page(store_page(overview_of(self, title)), Path(path))

    def verify(self) -> Iterator["Problem"]:
        """Read everything in the store and give what is damaged or missing, and what it hurts."""
        from mlkit.store.checking import verify_store

        yield from verify_store(
            self._storage, runs=self.runs, datasets=self.datasets, models=self.models
        )
        yield from self.experiments.verify()

    def sync(self) -> int:
        """Send what waits on this machine for this store.

        Returns:
            How many files were sent.

        Raises:
            StorageFault: The store didn't take one; it and those after it still wait.
        """
        return self._outbox.send()
