"""How content becomes a version: packs first, then the manifest, and the document last of all."""

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attrs import field, frozen

from mlkit._core import shapes
from mlkit._core.clock import Clock, iso
from mlkit._core.ids import token
from mlkit._core.masking import mask_value
from mlkit.data.storing.content import Content, Described, Surroundings
from mlkit.data.storing.stat_cache import StatCache
from mlkit.data.storing.version_digests import VersionDigests
from mlkit.display.progress import Progress
from mlkit.errors import Corrupt, NewerFormat, NotFound
from mlkit.objects.blobs import Blobs
from mlkit.objects.chunk_lists import ChunkLists
from mlkit.objects.intake import Intake
from mlkit.objects.manifest import Manifest
from mlkit.objects.pack_writer import PackWriter
from mlkit.objects.series import Series
from mlkit.objects.shards import Shards, cut, encode_shard, starts_of
from mlkit.storage.paths import STORE_DOCUMENT

if TYPE_CHECKING:
    from mlkit.storage.protocol import Storage


@frozen
class Committer:
    """Makes versions of contents, for all datasets of a store.

    Nothing refers to what was written until the document is there; so a commit that fails, is
    interrupted or killed leaves no version, and at most objects that are garbage.

    Args:
        storage: The store's storage.
        cache: A folder for what this machine remembers, and copies of remote objects.
        clock: Gives the present time.
        user: Who makes the versions.
    """

    storage: "Storage"
    cache: Path
    clock: Clock = field(repr=False)
    user: str = ""
    _lists: ChunkLists = field(init=False, repr=False, eq=False)
    digests: VersionDigests = field(init=False, repr=False, eq=False)

    @digests.default
    def _new_digests(self) -> VersionDigests:
        return VersionDigests(self.cache)

    @_lists.default
    def _new_lists(self) -> ChunkLists:
        return ChunkLists(self.storage, self.cache)

    def commit(
        self,
        series: Series,
        make: Callable[[], Content],
        fields: Mapping[str, Any],
        index: Callable[[ChunkLists], object],
    ) -> int:
        """Make a content a version, unless the series has one of the same digest.

        Args:
            series: The versions of the dataset.
            make: Gives the content.
            fields: What else the document says.
            index: Lists the chunks of all versions, where they aren't listed yet.

        Returns:
            The number of the version, new or not.
        """
        name = series.folder.rpartition("/")[2]
        with ExitStack() as opened:
            progress = opened.enter_context(Progress(f"log {name}"))
            place = self.storage.local_path(STORE_DOCUMENT)
            root = "" if place is None else str(place.parent.resolve())
            around = Surroundings(StatCache(self.cache), self.clock(), progress, root)
            content = make()
            opened.callback(content.close)
            digest = content.digest(around)
            same = digest and self.digests.find(series, series.numbers(), digest)
            if same:
                content.demand()
                return same
            self._lists.refresh()
            if not self._lists.complete:
                index(self._lists)
                self._lists.complete = True
            return self._store(series, content, fields, around)

    def _store(
        self, series: Series, content: Content, fields: Mapping[str, Any], around: Surroundings
    ) -> int:
        writer = PackWriter(self.storage, self._lists, clock=self.clock)
        with writer as packs, Intake(packs) as intake:
            listing = content.store(packs, intake, around)
            found = content.demand()
            around.progress.stage("writing packs")
            digests = packs.finish()
            manifest = listing(digests)
            described = content.describe(manifest)
            more = {} if found is None else {"demanded": found}
            said = {key: mask_value(key, value) for key, value in fields.items()}
            body = {
                "digest": described.digest,
                "content": content.kind,
                "size": manifest.size,
                "files": len(manifest),
                "created_at": iso(self.clock()),
                "user": self.user,
                **said,
                **described.fields,
                **more,
            }
            number, new = self._publish(series, described, manifest, body, packs)
            if new:
                packs.restore()
                self._lists.add(packs.new.to_arrow(digests))
        if not new:
            manifest = self._manifest_of(series, number) or manifest
        content.remember(manifest, described.digest, around)
        return number

    def _publish(
        self,
        series: Series,
        described: Described,
        manifest: Manifest,
        body: Mapping[str, Any],
        packs: PackWriter,
    ) -> tuple[int, bool]:
        """Write manifest and document, and give the version's number and whether it is new."""
        numbers = series.numbers()
        same = self.digests.find(series, numbers, described.digest)
        if same is not None:
            return same, False
        blobs = Blobs(self.storage, clock=self.clock).watched()
        shards = list(cut(manifest))
        listed = [encode_shard(shard) for shard in shards]
        places = [blobs.put(data, durable=True) for data in listed]
        starts = {"starts": starts_of(shards)} if len(shards) > 1 else {}
        document = {**body, "manifest": places, **starts}
        if packs.leans:
            self._lists.refresh()
            packs.hold()
        writer = token()
        while same is None:
            number = max(numbers, default=0) + 1
            if series.create(number, document, token=writer):
                self.digests.add(series, number, described.digest)
                for digest in blobs.lost():
                    blobs.put(listed[places.index(digest)], durable=True)
                return number, True
            numbers = sorted({*series.numbers(), number})
            same = self.digests.find(series, numbers, described.digest)
        return same, False

    def _manifest_of(self, series: Series, number: int) -> Manifest | None:
        try:
            digests = shapes.items(series.read(number), "manifest", str)
            return Shards(Blobs(self.storage), self.cache, digests).manifest
        except (Corrupt, NewerFormat, NotFound, shapes.Misshapen):
            return None
