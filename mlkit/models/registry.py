"""The models of a store: new versions of them, and loading the ones there are."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attrs import evolve, field, frozen

from mlkit._core.clock import Clock, now_ns
from mlkit._core.ids import token
from mlkit._core.masking import mask_text
from mlkit._core.names import check_name, parse_reference, unknown
from mlkit._core.settings import cache_dir
from mlkit.errors import Corrupt, InvalidName, NewerFormat, NotFound
from mlkit.models.loaded import LoadedModel
from mlkit.models.loading import load_object
from mlkit.models.model import Model
from mlkit.models.package import KIND, ROOT, ModelVersion, digest_of
from mlkit.models.refusals import Refusals
from mlkit.models.saving import checked_metrics, checked_tags, links_of, prepared
from mlkit.objects import blobs as blob_objects
from mlkit.objects.aliases import Aliases
from mlkit.objects.blobs import Blobs, object_path
from mlkit.objects.series import Series
from mlkit.objects.verify import Problem

if TYPE_CHECKING:
    import pyarrow as pa

    from mlkit.storage.protocol import Storage


@frozen
class Models:
    """The models of a store; any number of threads, processes and machines may save at once.

    Args:
        storage: The store's storage.
        blobs: Its blobs.
        cache: A folder for copies of remote files.
        clock: Gives the present time.
        user: Who makes versions and moves aliases.
        trusted: Whether models that run code on loading may be loaded.
        single_writer: The caller promises to be the only writer.

    Example:
        >>> from mlkit.storage.memory import MemoryStorage
        >>> storage = MemoryStorage("models-example")
        >>> models = Models(storage, Blobs(storage), trusted=True)
        >>> models.save("delay", {"mean": 12.5}, metrics={"rmse": 40}).ref
        'delay:1'
        >>> models["delay"].promote(1, "prod").version
        1
        >>> models.load("delay@prod").model
        {'mean': 12.5}
    """

    storage: "Storage"
    blobs: Blobs
    cache: Path = field(factory=cache_dir, kw_only=True)
    clock: Clock = field(default=now_ns, kw_only=True, repr=False)
    user: str = field(default="", kw_only=True)
    trusted: bool = field(default=False, kw_only=True)
    single_writer: bool = field(default=False, kw_only=True)

    def __repr__(self) -> str:
        return f"<Models: {', '.join(self.names()) or 'none'}>"

    def save(
        self,
        name: str,
        model: Any,
        *,
        input_example: Any = None,
        metrics: Mapping[str, float] | None = None,
        run_id: str | None = None,
        datasets: Iterable[Any] = (),
        tags: Mapping[str, str] | None = None,
        note: str = "",
        serializer: str | None = None,
    ) -> ModelVersion:
        """Make an object the next version of a model.

        Args:
            name: The model.
            model: The object: with `predict`, a function, or anything that a serializer keeps.
            input_example: A few rows of input; the signature is taken from them and from what the
                model predicts on them, and the first of them are kept.
            metrics: What is known of its quality.
            run_id: The run that made it.
            datasets: What it was trained on: versions of datasets, links to them, or references.
            tags: Labels.
            note: What to say of it.
            serializer: The id of the serializer; by default the first that can keep the object.

        Returns:
            The version.

        Raises:
            InvalidName: The name can't be, or differs from another one by case only.
            InvalidInput: The object can't be kept, fails on the example, or something said of it
                has the wrong type. No version was made.
            SingleWriterOnly: The storage can't refuse a second writer.
        """
        series = self._open_series(name)
        figures, links, labels = checked_metrics(metrics), links_of(datasets), checked_tags(tags)
        blobs = self.blobs.watched()
        with prepared(model, input_example, serializer) as parts:
            files, example = parts.stored(blobs)
            used = parts.serializer
            version = ModelVersion(
                name=name,
                number=0,
                digest=digest_of(used.id, used.version, files),
                created_at=self.clock(),
                user=self.user,
                serializer=used.id,
                serializer_version=used.version,
                files=files,
                signature=parts.signature,
                example=example,
                environment=parts.environment,
                python=parts.python,
                metrics=figures,
                run_id=run_id,
                datasets=links,
                tags=labels,
                note=mask_text(note),
            )
            body = version.to_document()
            number = series.append(lambda _: body, token=token())
            if blobs.lost():
                parts.stored(blobs)
        return evolve(version, number=number)

    def get(self, reference: str) -> ModelVersion:
        """Give the version that a reference means.

        Args:
            reference: `name`, `name@latest`, `name:3`, `name@prod` or `name#1f3a9c`.

        Raises:
            InvalidName: It is no reference.
            NotFound: There is no such model, version or alias; near names are suggested.
            InvalidInput: The digest is the beginning of several.
        """
        wanted = parse_reference(reference, "model")
        return self[wanted.name].resolve(wanted)

    def load(self, reference: "str | ModelVersion", *, trusted: bool | None = None) -> LoadedModel:
        """Load the model that a reference means.

        Args:
            reference: As for `get`, or a version.
            trusted: Whether code that its files hold may run; by default, whether the store is
                trusted.

        Raises:
            NotFound: There is no such version.
            Untrusted: Loading would run code; the message lists what it would import.
            Corrupt: A file is damaged.
            MissingExtra: Something that it needs isn't installed; the message says what differs.
        """
        version = reference if isinstance(reference, ModelVersion) else self.get(reference)
        allowed = self.trusted if trusted is None else trusted
        found = load_object(version, self.blobs, self.cache, trusted=allowed)
        return LoadedModel(version, found)

    def example(self, reference: "str | ModelVersion") -> "pa.Table | None":
        """Give the input example that was kept with a version; None where there is none."""
        version = reference if isinstance(reference, ModelVersion) else self.get(reference)
        if version.example is None:
            return None
        import pyarrow as pa
        import pyarrow.parquet as pq

        return pq.read_table(pa.BufferReader(self.blobs.read(version.example)))

    def names(self) -> list[str]:
        """Give the names, sorted."""
        return [name[:-1] for name in self.storage.children(ROOT) if name.endswith("/")]

    def __iter__(self) -> Iterator[str]:
        return iter(self.names())

    def __contains__(self, name: object) -> bool:
        return name in self.names()

    def __getitem__(self, name: str) -> Model:
        """Give the model of a name; near names are suggested where there is none."""
        series = self._series(check_name(name, "model"))
        if series.latest() is None:
            raise unknown("model", name, self.names())
        return Model(name, series, self._aliases(name), self.load)

    def uses(
        self, report: Callable[[Problem], object] = lambda _: None
    ) -> Iterator[tuple[str, str]]:
        """Give the blobs that versions need: the path of each, and what needs it.

        Versions that can't be understood are left out.

        Args:
            report: Told of documents that can't be understood, though their bytes may be whole:
                those of versions, and of the moves of aliases.
        """
        for name in self.names():
            series = self._series(name)
            for number in series.numbers():
                place, ref = series.path(number), f"{name}:{number}"
                try:
                    check_name(name, "model")
                    version = ModelVersion.from_document(name, series.read(number))
                except (Corrupt, NewerFormat, NotFound, InvalidName) as error:
                    report(Problem(place, error.message, (ref,)))
                    continue
                for digest in version.blobs():
                    yield object_path(blob_objects.ROOT, digest), ref
            aliases = self._aliases(name)
            for place, fault in (*aliases.faults(), *Refusals(aliases).faults()):
                report(Problem(place, fault.message))

    def _series(self, name: str) -> Series:
        return Series(self.storage, f"{ROOT}/{name}", KIND, single_writer=self.single_writer)

    def _aliases(self, name: str) -> Aliases:
        return Aliases(
            self.storage,
            ROOT,
            name,
            clock=self.clock,
            user=self.user,
            single_writer=self.single_writer,
        )

    def _open_series(self, name: str) -> Series:
        """Give the series to write to, after checking that it may be."""
        series = self._series(check_name(name, "model"))
        series.require_writable()
        for other in self.names():
            if other != name and other.casefold() == name.casefold():
                raise InvalidName(
                    f"The model {name!r} differs from {other!r} by case only",
                    hint=f"Use {other!r}, or another name",
                )
        return series
