"""The datasets of a store: their names, and new versions of them."""

import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attrs import field, frozen

from mlkit._core.clock import Clock, now_ns
from mlkit._core.names import check_name, parse_reference, unknown
from mlkit._core.tags import plain_tags
from mlkit.data.comparing.part import Part
from mlkit.data.dataset import Dataset
from mlkit.data.demands import Demands
from mlkit.data.reading.file_reader import FileReader
from mlkit.data.relations import Relations
from mlkit.data.storing.committing import Committer
from mlkit.data.storing.content import Content
from mlkit.data.storing.content_of import content_of
from mlkit.data.storing.file_contents import FilesContent, ReferenceContent
from mlkit.data.version import DatasetVersion
from mlkit.errors import Corrupt, InvalidName, NewerFormat, NotFound
from mlkit.objects import blobs as blob_objects
from mlkit.objects import packs as pack_objects
from mlkit.objects.aliases import Aliases
from mlkit.objects.blobs import object_path
from mlkit.objects.chunk_lists import ChunkLists
from mlkit.objects.series import Series
from mlkit.objects.verify import Problem

if TYPE_CHECKING:
    from mlkit.storage.protocol import Storage

ROOT = "datasets"
KIND = "dataset_version"


def _origin(data: Any, inputs: Sequence[Any]) -> list[dict[str, str]]:
    """Give the version that data are taken from, if that is known and isn't said already."""
    ref, digest = "", ""
    if isinstance(data, DatasetVersion):
        ref, digest = data.ref, data.digest
    elif isinstance(data, Part):
        ref, digest = data.origin
    link = {"kind": "dataset", "ref": ref, "digest": digest}
    return [link] if digest and link not in inputs else []


def _packs_of(version: DatasetVersion) -> Iterator[tuple[str, str]]:
    """Give the packs of a version, with what of it lies in each."""
    for pack, (count, first) in version.listing.packs().items():
        what = first if count == 1 else f"{count:,} files"
        path = object_path(pack_objects.ROOT, pack)
        yield path, version.ref if version.kind == "table" else f"{version.ref} ({what})"


@frozen
class Datasets:
    """The datasets of a store; any number of threads, processes and machines may log at once.

    Content that any version has isn't stored again, and of other content only the chunks that no
    version of any dataset has.

    Args:
        storage: The store's storage.
        cache: A folder for copies of remote manifests.
        clock: Gives the present time.
        user: Who makes the versions.
        single_writer: The caller promises to be the only writer.
        relations: What is known of how versions are related to others and to runs.

    Example:
        >>> from mlkit.storage.memory import MemoryStorage
        >>> cache = Path(tempfile.gettempdir()) / "mlkit-datasets-example"
        >>> datasets = Datasets(MemoryStorage("datasets-example"), cache=cache)
        >>> datasets.log("flights", {"carrier": ["UA", "AA"], "delay": [3.5, None]}).ref
        'flights:1'
        >>> datasets.get("flights@latest").to_arrow()["carrier"].to_pylist()
        ['UA', 'AA']
    """

    storage: "Storage"
    cache: Path = field(kw_only=True)
    clock: Clock = field(default=now_ns, kw_only=True, repr=False)
    user: str = field(default="", kw_only=True)
    single_writer: bool = field(default=False, kw_only=True)
    relations: Relations | None = field(default=None, kw_only=True, repr=False)
    _committer: Committer = field(init=False, repr=False, eq=False)

    @_committer.default
    def _new_committer(self) -> Committer:
        return Committer(self.storage, self.cache, self.clock, self.user)

    def __repr__(self) -> str:
        return f"<Datasets: {', '.join(self.names()) or 'none'}>"

    def log(
        self,
        name: str,
        data: Any,
        *,
        storage_options: Mapping[str, Any] | None = None,
        expect: Demands | None = None,
        run_id: str | None = None,
        inputs: Sequence[Any] = (),
        description: str = "",
        tags: Mapping[str, Any] | None = None,
    ) -> DatasetVersion:
        """Make data a version; the same content as one that exists gives that version.

        Args:
            name: The dataset.
            data: A table of any library, a stream of batches or frames, a dict of columns, a list
                of dicts; or the path or URL of a file or folder; see `given`.
            storage_options: For a URL, what its driver takes; never stored.
            expect: What a table must meet, such as `mlkit.Expectations`; else nothing is made.
            run_id: The run that made it.
            inputs: What it was made from: references, or dicts with one.
            description: What to say of it; of an existing version, it becomes a note.
            tags: More to say of it, by name; of an existing version too.

        Returns:
            The version, new or existing. Nothing is written for an existing one but tags that it
            lacks.

        Raises:
            InvalidName: The name can't be, or differs from another one by case only.
            InvalidInput: The data can't be kept; nothing was made.
            DataRefused: The data don't meet what is expected; nothing was made.
            SingleWriterOnly: The storage can't refuse a second writer.
        """
        return self._commit(
            name,
            lambda: content_of(data, storage_options, expect),
            {
                "run_id": run_id,
                "inputs": [*inputs, *_origin(data, inputs)],
                "description": description,
                "tags": plain_tags(tags or {}),
            },
        )

    def reference(
        self,
        name: str,
        url: str,
        *,
        storage_options: Mapping[str, Any] | None = None,
        run_id: str | None = None,
        description: str = "",
    ) -> DatasetVersion:
        """Record files that stay where they are: their places, sizes, etags and times.

        Args:
            name: The dataset.
            url: A file, a folder or a pattern, of any protocol of fsspec.
            storage_options: What the driver takes; never stored.
            run_id: The run that recorded them.
            description: What to say of it.

        Returns:
            The version; reading it checks that the files are still what they were.

        Raises:
            InvalidInput: The URL means no file.
            MissingExtra: The driver isn't installed.
        """
        return self._commit(
            name,
            lambda: ReferenceContent(url, storage_options),
            {"run_id": run_id, "inputs": [], "description": description},
        )

    @contextmanager
    def new(
        self,
        name: str,
        *,
        run_id: str | None = None,
        inputs: Sequence[Any] = (),
        description: str = "",
        tags: Mapping[str, Any] | None = None,
    ) -> Iterator[Path]:
        """Give a folder to fill, which becomes a version on leaving; an exception drops it.

        Args:
            name: The dataset.
            run_id: The run that makes it.
            inputs: What it is made from.
            description: What to say of it.
            tags: More to say of it, by name.
        """
        self._open_series(name)
        said = {"description": description, "tags": plain_tags(tags or {})}
        folder = Path(tempfile.mkdtemp(prefix="mlkit-"))
        try:
            yield folder
            fields = {"run_id": run_id, "inputs": list(inputs), **said}
            self._commit(name, lambda: FilesContent("folder", folder, passing=True), fields)
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def get(self, reference: str) -> DatasetVersion:
        """Give the version that a reference means.

        Args:
            reference: `name`, `name@latest`, `name:3`, `name@gold` or `name#1f3a9c`.

        Raises:
            InvalidName: It is no reference.
            NotFound: There is no such dataset, version or alias; near names are suggested.
            InvalidInput: The digest is the beginning of several.
        """
        wanted = parse_reference(reference, "dataset")
        return self[wanted.name].resolve(wanted)

    def names(self) -> list[str]:
        """Give the names, sorted."""
        return [name[:-1] for name in self.storage.children(ROOT) if name.endswith("/")]

    def __iter__(self) -> Iterator[str]:
        return iter(self.names())

    def __contains__(self, name: object) -> bool:
        return name in self.names()

    def __getitem__(self, name: str) -> Dataset:
        series = self._series(check_name(name, "dataset"))
        if series.latest() is None:
            names = self.names()
            if name in names:  # a folder from which all was removed by hand
                raise NotFound(f"The dataset {name!r} has no version", hint="Log one")
            raise unknown("dataset", name, names)
        return self._dataset(name, series)

    def uses(
        self, report: Callable[[Problem], object] = lambda _: None
    ) -> Iterator[tuple[str, str]]:
        """Give the packs and manifests that versions need: the path of each, and what needs it.

        Versions that can't be understood are left out, and so are the packs of such manifests.

        Args:
            report: Told of what can't be understood, though its bytes may be whole.
        """
        for name in self.names():
            series = self._series(name)
            for number in series.numbers():
                place, ref = series.path(number), f"{name}:{number}"
                try:
                    version = self._dataset(check_name(name, "dataset"), series)[number]
                    for digest in version.manifest:
                        place = object_path(blob_objects.ROOT, digest)
                        yield place, ref
                    yield from _packs_of(version)
                except (Corrupt, NewerFormat, NotFound, InvalidName) as error:
                    report(Problem(place, error.message, (ref,)))
            for place, fault in self._dataset(name, series).faults():
                report(Problem(place, fault.message))

    def _dataset(self, name: str, series: Series) -> Dataset:
        aliases = Aliases(
            self.storage,
            ROOT,
            name,
            clock=self.clock,
            user=self.user,
            single_writer=self.single_writer,
        )
        return Dataset(
            name,
            series,
            aliases,
            self._reader,
            lambda number: self._committer.digests.of(series, number),
            self.relations,
        )

    @property
    def _reader(self) -> FileReader:
        return FileReader(self.storage, self.cache)

    def _series(self, name: str) -> Series:
        return Series(self.storage, f"{ROOT}/{name}", KIND, single_writer=self.single_writer)

    def _open_series(self, name: str) -> Series:
        """Give the series to write to, after checking that it may be."""
        series = self._series(check_name(name, "dataset"))
        series.require_writable()
        for other in self.names():
            if other != name and other.casefold() == name.casefold():
                raise InvalidName(
                    f"The dataset {name!r} differs from {other!r} by case only",
                    hint=f"Use {other!r}, or another name",
                )
        return series

    def _commit(
        self, name: str, make: Callable[[], Content], fields: Mapping[str, Any]
    ) -> DatasetVersion:
        series = self._open_series(name)
        number = self._committer.commit(series, make, fields, self.index_chunks)
        version = self._dataset(name, series)[number]
        said = str(fields.get("description") or "")
        if said and said != version.description:  # the content was there already
            version.note(said)
        tags = fields.get("tags") or {}
        if tags and not tags.items() <= version.tags.items():
            version.set_tags(tags)
        return version

    def index_chunks(self, lists: ChunkLists) -> None:
        """List the chunks of all versions, of which a store that older ones made has no lists.

        Args:
            lists: The lists of this store.
        """
        for name in self.names():
            series = self._series(name)
            for number in series.numbers():
                try:
                    version = self._dataset(check_name(name, "dataset"), series)[number]
                    if version.kind != "reference":
                        lists.add(version.listing.chunks())
                except (Corrupt, NewerFormat, NotFound, InvalidName):
                    continue  # what can't be read can't be shared
