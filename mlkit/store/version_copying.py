"""Copying versions of datasets and models, what became of them, and what monitors saw."""

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from attrs import define, field

from mlkit._core.names import check_name, parse_reference
from mlkit.data import datasets as datasets_room
from mlkit.data.version import DatasetVersion
from mlkit.errors import Corrupt, InvalidName
from mlkit.models import package as models_room
from mlkit.models.package import ModelVersion
from mlkit.monitoring.monitor import CHECK, DECISION
from mlkit.objects import blobs, packs
from mlkit.objects.blobs import object_path
from mlkit.objects.chunk_lists import ChunkLists
from mlkit.objects.series import Series
from mlkit.storage.parallel import each
from mlkit.store.checking import check_files_digest
from mlkit.store.copying import Copying
from mlkit.store.history_copying import HistoryCopying, writer_key
from mlkit.store.numbered_copying import Held, Key, KeyOf, Numbered, read_series
from mlkit.tracking.renumbering import Named, Renumbered

if TYPE_CHECKING:
    from mlkit.data.datasets import Datasets
    from mlkit.storage.protocol import Storage

_SEALED = re.compile(
    r"monitors/(?P<model>[^/]+)/(?:inferences/(?P<version>[1-9][0-9]{0,8})|truths)"
    r"/[0-9A-Za-z.-]+-(?P<digits>[0-9a-f]{64})\.parquet"
)
_SERIES = re.compile(r"monitors/(?P<model>[^/]+)/(?P<series>checks|triggers)/[1-9][0-9]*\.json")
_KINDS = {"checks": CHECK, "triggers": DECISION}

Wanted = Mapping[str, Collection[int]]
"""Which versions: name to numbers."""


def all_versions(storage: "Storage", root: str) -> dict[str, list[int]]:
    """Give the numbers of all versions below a root by their names, whatever these are.

    Args:
        storage: The store's storage.
        root: `datasets` or `models`.
    """
    names = [name[:-1] for name in storage.children(root) if name.endswith("/")]
    return {name: Series(storage, f"{root}/{name}", "").numbers() for name in names}


@define
class VersionCopying:
    """Copies versions, what they refer to first.

    Args:
        copying: What is copied where.
        datasets: The datasets of the source.
        there: The datasets of the target.
        single_writer: The caller promises to be the only writer of the target.
    """

    copying: Copying
    datasets: "Datasets"
    there: "Datasets"
    single_writer: bool = False
    _numbers: dict[tuple[str, str, int], int] = field(factory=dict, init=False)
    _held: dict[tuple[str, str], Held] = field(factory=dict, init=False)
    _lists: ChunkLists = field(init=False)

    @_lists.default
    def _new_lists(self) -> ChunkLists:
        return ChunkLists(self.copying.target, self.datasets.cache)

    def copy_datasets(self, wanted: Wanted) -> None:
        """Copy versions of datasets; a content that is there already is the same version.

        What was said of them comes along, and so do the aliases where all versions of a dataset
        are those of the source.
        """
        self.copying.progress.stage("copying datasets")

        def objects(name: str, one: Numbered) -> Iterator[str]:
            version = self._dataset(name, one)
            yield from (object_path(blobs.ROOT, digest) for digest in version.manifest)
            yield from sorted(object_path(packs.ROOT, pack) for pack in version.listing.packs())

        for name in wanted:
            self._copy(datasets_room.ROOT, name, wanted[name], objects)

    def copy_models(self, wanted: Wanted) -> None:
        """Copy versions of models; see `copy_datasets`."""
        self.copying.progress.stage("copying models")

        def objects(name: str, one: Numbered) -> Iterator[str]:
            for digest in ModelVersion.from_document(name, one.fields).blobs():
                yield object_path(blobs.ROOT, digest)

        for name in wanted:
            self._copy(models_room.ROOT, name, wanted[name], objects)

    def renumbered(self, meant: Mapping[Named, str]) -> Iterator[Renumbered]:
        """Give what runs of the source name and what is called otherwise in the target.

        Args:
            meant: What runs of the source name otherwise than the source does, and what it is
                called there.
        """
        for (kind, name, number), there in self._numbers.items():
            digest = self._digest(kind, name, there)
            if digest != self._digest(kind, name, number):  # else that number is as good
                yield Renumbered(kind, digest, f"{name}:{number}", f"{name}:{there}")
        for (kind, was, digest), meaning in meant.items():
            name, before, number = (*_version(was), _version(meaning)[1])
            now = self._numbers.get((kind, name, number))
            if not before or now is None or digest != self._digest(kind, name, now):
                continue  # it wasn't copied, or the source doesn't tell the truth
            if digest != self._digest(kind, name, before):
                yield Renumbered(kind, digest, was, f"{name}:{now}")

    def _digest(self, kind: str, name: str, number: int) -> str:
        """Give the digest of a version of the target; nothing where it is unknown."""
        return str((self._held[kind, name].key(number) or ("",))[0])

    def _copy(
        self,
        root: str,
        name: str,
        numbers: Collection[int],
        objects: Callable[[str, Numbered], Iterable[str]],
    ) -> None:
        kind = models_room.KIND if root == models_room.ROOT else datasets_room.KIND
        key_of = _model_key if root == models_room.ROOT else _dataset_key
        folder = f"{root}/{name}"
        with self.copying.naming(folder, name):
            self._check_name(root, name)
            theirs = read_series(Series(self.copying.source, folder, kind), self.copying, name)
            series = Series(self.copying.target, folder, kind, single_writer=self.single_writer)
            held = Held(series, self.copying, key_of)
            self._held[root.removesuffix("s"), name] = held
            for number in sorted(numbers):
                if number in theirs:
                    with self.copying.naming(f"{folder}/{number}.json", f"{name}:{number}"):
                        self._copy_version(held, name, theirs[number], objects)
            what = root.removesuffix("s")
            found = ((number, self._numbers.get((what, name, number))) for number in theirs)
            copied = {number: there for number, there in found if there is not None}
            history = HistoryCopying(self.copying, root, name, self.single_writer)
            history.copy_remarks(copied, theirs)
            if self._is_mirror(theirs, held, key_of):
                history.copy_aliases(copied.values())

    def _copy_version(
        self,
        held: Held,
        name: str,
        one: Numbered,
        objects: Callable[[str, Numbered], Iterable[str]],
    ) -> None:
        is_model, ref = held.series.kind == models_room.KIND, f"{name}:{one.number}"
        what = "versions of models" if is_model else "versions of datasets"
        needed = list(objects(name, one))
        if not is_model and held.find(one.fields) is None:
            check_files_digest(self._dataset(name, one))
        if held.find(one.fields) is None and not self._have(needed, ref):
            place = held.series.path(one.number)
            self.copying.problem(place, "something that it needs wasn't copied", ref)
            return
        number, new = held.add(one)
        if new:
            self.copying.was_copied(what, len(one.data))
            if not is_model:
                self._list_chunks(self._dataset(name, one))
        else:
            self.copying.was_there(what)
        if number != one.number:
            self.copying.renumbered.append((ref, f"{name}:{number}"))
        self._numbers["model" if is_model else "dataset", name, one.number] = number

    def _dataset(self, name: str, one: Numbered) -> DatasetVersion:
        return DatasetVersion.from_document(name, one.fields, self.datasets._reader)  # noqa: SLF001 - one store

    def _list_chunks(self, version: DatasetVersion) -> None:
        """List the chunks of a version that is there now."""
        self._lists.refresh()
        if self._lists.complete:
            self._lists.add(version.listing.chunks())
        else:  # a list of this version alone would seem to be one of all
            self.there.index_chunks(self._lists)
            self._lists.complete = True

    def _have(self, paths: list[str], ref: str) -> bool:
        """Have what a version needs in the target, and tell whether all of it is there."""
        copied = each(
            lambda path: self.copying.ensure(path, ref), paths, threads=self.copying.threads
        )
        return all(list(copied))

    def _check_name(self, root: str, name: str) -> None:
        check_name(name, root.removesuffix("s"))
        for other in self.copying.target.children(root):
            known = other.rstrip("/")
            if known != name and known.casefold() == name.casefold():
                raise InvalidName(f"{name!r} differs from {known!r} in the target by case only")

    def _is_mirror(self, theirs: Mapping[int, Numbered], held: Held, key_of: KeyOf) -> bool:
        """Tell whether all versions of a name here are those of the source, by their numbers."""
        numbers = held.series.numbers()
        return bool(numbers) and all(
            number in theirs and held.key(number) == key_of(theirs[number].fields)
            for number in numbers
        )

    # Monitors

    def copy_monitors(self) -> None:
        """Copy what monitors logged, found and decided."""
        copying = self.copying
        copying.progress.stage("copying monitors")
        here = {entry.path for entry in copying.target.list("monitors")}
        series: dict[tuple[str, str], None] = {}
        models = {name.rstrip("/") for name in copying.source.children(models_room.ROOT)}
        for entry in copying.source.list("monitors"):
            numbered = _SERIES.fullmatch(entry.path)
            sealed = _SEALED.fullmatch(entry.path)
            if numbered is not None:
                series[numbered["model"], numbered["series"]] = None
            elif sealed is None:
                copying.problem(entry.path, "nothing of this name belongs here")
            else:
                with copying.naming(entry.path, f"monitor of {sealed['model']}"):
                    self._copy_sealed(entry.path, sealed, here, models)
        for model, name in series:
            folder = f"monitors/{model}/{name}"
            with copying.naming(folder, f"monitor of {model}"):
                check_name(model, "model")
                self._copy_series(folder, _KINDS[name])

    def _copy_sealed(
        self, path: str, sealed: re.Match[str], here: set[str], models: set[str]
    ) -> None:
        model, version = check_name(sealed["model"], "model"), sealed["version"]
        to = path
        if version is not None and model in models:
            number = self._numbers.get(("model", model, int(version)))
            if number is None:
                raise Corrupt(f"{path} is of version {version}, which wasn't copied")
            to = path.replace(f"/inferences/{version}/", f"/inferences/{number}/", 1)
        if to in here:
            self.copying.was_there("files of monitors")
        else:
            self.copying.copy_content(path, to, sealed["digits"], kind="files of monitors")

    def _copy_series(self, folder: str, kind: str) -> None:
        target = Series(self.copying.target, folder, kind, single_writer=self.single_writer)
        held = Held(target, self.copying, writer_key)
        for one in read_series(Series(self.copying.source, folder, kind), self.copying).values():
            _, new = held.add(one)
            if new:
                self.copying.was_copied("findings of monitors", len(one.data))
            else:
                self.copying.was_there("findings of monitors")


def _version(ref: str) -> tuple[str, int]:
    """Give the name and the number of a reference; 0 where it has none."""
    try:
        reference = parse_reference(ref)
    except InvalidName:
        return "", 0
    return reference.name, reference.version or 0


def _dataset_key(fields: Mapping[str, Any]) -> Key:
    return (fields.get("digest"),)


def _model_key(fields: Mapping[str, Any]) -> Key:
    return (fields.get("digest"), fields.get("created_at"), fields.get("run_id"))
