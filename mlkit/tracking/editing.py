"""The verbs that change a run after the fact."""

from collections.abc import Mapping
from typing import Any

from attrs import evolve

from mlkit._core.clock import Clock
from mlkit._core.tags import edited_tags, plain_note
from mlkit.errors import NotFound, ReadOnly
from mlkit.provenance.environment import user
from mlkit.storage.protocol import Storage
from mlkit.tracking.changes import Changes
from mlkit.tracking.documents import BEGINNING
from mlkit.tracking.edits import Edit, next_edit, plain_name


class EditVerbs:
    """What can be changed of a run that is read; a part of `Run`.

    What a run has logged stays as it is. Each change is a document of its own beside that, with
    who made it and when.
    """

    id: str
    _storage: Storage
    _clock: Clock
    _folder: str

    def set_tags(self, tags: Mapping[str, Any] | None = None, /, **more: Any) -> None:
        """Label the run anew; values are kept as text, and None takes a tag away.

        Args:
            tags: Name to value.
            more: The same as keywords.

        Raises:
            InvalidInput: A name is no text.
            NotFound: The run was removed meanwhile.
            ReadOnly: The store only reads.

        Example:
            >>> import mlkit
            >>> store = mlkit.Store("memory://set-tags-example")
            >>> with store.start_run("flights", tags={"team": "ml"}) as active:
            ...     pass
            >>> run = store.run(active.id)
            >>> run.set_tags(reviewed="yes", team=None)
            >>> run.tags
            {'reviewed': 'yes'}
        """
        given = edited_tags(tags, more)
        if given:
            self._edit(Edit(self.id, 0, "", tags=given))

    def note(self, text: str) -> None:
        """Add a note to the run.

        Raises:
            InvalidInput: It is no text.
            NotFound: The run was removed meanwhile.
            ReadOnly: The store only reads.
        """
        self._edit(Edit(self.id, 0, "", note=plain_note(text)))

    def rename(self, name: str) -> None:
        """Give the run another name.

        Raises:
            InvalidInput: It is no text, or empty.
            NotFound: The run was removed meanwhile.
            ReadOnly: The store only reads.
        """
        self._edit(Edit(self.id, 0, "", name=plain_name(name, "a run")))

    def delete(self) -> None:
        """Have searches leave the run out; nothing of it is removed, so `restore` undoes it.

        A run that is deleted while it runs goes on. What was deleted long ago is removed when the
        store is cleaned up.

        Raises:
            NotFound: The run was removed meanwhile.
            ReadOnly: The store only reads.

        Example:
            >>> import mlkit
            >>> store = mlkit.Store("memory://delete-example")
            >>> with store.start_run("flights") as active:
            ...     pass
            >>> store.run(active.id).delete()
            >>> len(store.search_runs())
            0
            >>> store.run(active.id).restore()
            >>> len(store.search_runs())
            1
        """
        self._edit(Edit(self.id, 0, "", deleted=True))

    def restore(self) -> None:
        """Take back that the run was deleted.

        Raises:
            NotFound: The run was removed meanwhile.
            ReadOnly: The store only reads.
        """
        self._edit(Edit(self.id, 0, "", deleted=False))

    def _edit(self, edit: Edit) -> None:
        """Keep an edit; the marks around it tell an index of runs."""
        now = self._clock()
        edit = evolve(edit, at=now // 1000 * 1000, user=user())  # as exact as it is written
        listed = self._storage.list(self._folder)
        names = [entry.path.rpartition("/")[2] for entry in listed]
        if BEGINNING not in names:
            raise self._removed()
        name, data = next_edit(names, now), edit.encode()
        try:
            with Changes(self._storage, self._clock).announced(self.id):
                self._storage.write(f"{self._folder}/{name}", data)
                self._require_not_removed(name)
        except ReadOnly as error:
            message = f"Run {self.id} can't be changed, since {self._storage.url} only reads"
            raise ReadOnly(message, hint="Open it with the right to write") from error
        self._edited(name, len(data), edit)

    def _require_not_removed(self, name: str) -> None:
        """Take an edit back when the run was removed as garbage in this moment.

        Who removes a run removes its beginning first, and what has come since afterwards; so
        nothing is left, whoever is quicker.
        """
        try:
            self._storage.stat(f"{self._folder}/{BEGINNING}")
        except NotFound:
            self._storage.delete(f"{self._folder}/{name}")
            raise self._removed() from None

    def _removed(self) -> NotFound:
        message = f"Run {self.id} can't be changed, since it was removed"
        return NotFound(message, hint="store.search_runs() lists those that are there")

    def _edited(self, name: str, size: int, edit: Edit) -> None:
        """Take note of an edit that was kept."""
        raise NotImplementedError
