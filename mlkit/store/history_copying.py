"""Copying what became of versions: moves of aliases, what gates refused, and remarks."""

from collections.abc import Collection, Mapping
from typing import Any

from attrs import define

from mlkit.errors import Corrupt
from mlkit.models.refusals import KIND as REFUSAL
from mlkit.models.refusals import Refusals
from mlkit.objects import aliases as aliases_room
from mlkit.objects.aliases import Aliases
from mlkit.objects.remarks import FOLDER as REMARKS
from mlkit.objects.remarks import Remark, remark_series
from mlkit.objects.series import Series
from mlkit.store.copying import Copying
from mlkit.store.numbered_copying import Held, Key, Numbered, read_series


@define
class HistoryCopying:
    """Copies what became of the versions of one dataset or model, after these.

    Args:
        copying: What is copied where.
        root: `datasets` or `models`.
        name: The dataset or model.
        single_writer: The caller promises to be the only writer of the target.
    """

    copying: Copying
    root: str
    name: str
    single_writer: bool = False

    def copy_aliases(self, copied: Collection[int]) -> None:
        """Copy the aliases that aren't here, and what gates refused.

        Args:
            copied: The numbers of the versions that are here; they are those of the source.
        """
        copying = self.copying
        theirs = Aliases(copying.source, self.root, self.name)
        ours = Aliases(copying.target, self.root, self.name)
        for alias in theirs.names():
            folder = f"{self._folder}/aliases/{alias}"
            with copying.naming(folder, f"{self.name}@{alias}"):
                ours.check_case(alias)
                if all(entry.version in copied for entry in theirs.history(alias)):
                    self._copy_numbered(folder, aliases_room.KIND, "moves of aliases")
        refusals = Refusals(theirs)
        with copying.naming(refusals.series.folder, self.name):
            refusals.all()
            self._copy_numbered(refusals.series.folder, REFUSAL, "refusals of gates")

    def copy_remarks(self, numbers: Mapping[int, int], versions: Mapping[int, Numbered]) -> None:
        """Add what was said of versions to what was said of them here; of both, the later counts.

        Args:
            numbers: The numbers of versions in the source, with those that they have here.
            versions: The documents of the versions.
        """
        said = set(self.copying.source.children(f"{self._folder}/{REMARKS}"))
        for number in sorted(numbers):
            if f"{number}/" in said:
                digest = str(versions[number].fields.get("digest"))
                self._copy_remarks(number, numbers[number], digest)

    def _copy_remarks(self, number: int, to: int, digest: str) -> None:
        copying = self.copying
        theirs = remark_series(copying.source, self._folder, number)
        target = remark_series(copying.target, self._folder, to, single_writer=self.single_writer)
        held = Held(target, copying, writer_key)
        ref = f"{self.name}:{number}"
        for one in read_series(theirs, copying).values():
            path = theirs.path(one.number)
            with copying.naming(path, ref):
                if Remark.from_document(path, one.fields).digest != digest:
                    raise Corrupt(f"{path} is about another version: it was moved or copied")
                _, new = held.add(one)
                if new:
                    copying.was_copied("remarks", len(one.data))
                else:
                    copying.was_there("remarks")

    @property
    def _folder(self) -> str:
        return f"{self.root}/{self.name}"

    def _copy_numbered(self, folder: str, kind: str, what: str) -> None:
        """Copy documents under their numbers, where those that are here are the source's newest.

        The newest move of an alias is copied first: it is what counts, so a copy that is killed
        never leaves an alias on what it meant long ago.
        """
        source = Series(self.copying.source, folder, kind)
        target = Series(self.copying.target, folder, kind, single_writer=self.single_writer)
        theirs, ours = source.numbers(), target.numbers()
        for number in ours:
            if number in theirs and target.storage.read(target.path(number)) == source.storage.read(
                source.path(number)
            ):
                self.copying.was_there(what)
            else:
                return
        lacking = [number for number in theirs if number not in ours]
        if kind == aliases_room.KIND and ours:  # what is newer would move the alias
            lacking = [number for number in lacking if number < ours[-1]]
        if kind == aliases_room.KIND:
            lacking.reverse()
        if lacking:
            target.require_writable()
        for number in lacking:
            data = source.storage.read(source.path(number))
            target.storage.create(target.path(number), data)
            self.copying.was_copied(what, len(data))


def writer_key(fields: Mapping[str, Any]) -> Key:
    """Give the writer of a document, whom no other document has."""
    return (str(fields.get("writer")),)  # of a hostile store it may be anything
