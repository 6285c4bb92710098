"""All that a run kept."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any, Self

from mlkit._core.names import unknown
from mlkit.display.formats import show_bytes
from mlkit.errors import InvalidInput
from mlkit.objects.blobs import Blobs
from mlkit.tracking.artifact import Artifact

_SHOWN = 20
_COLUMNS = ("name", "type", "size")


class Artifacts(Mapping[str, Artifact]):
    """What a run kept: name to artifact, sorted by name; it can't be changed.

    Args:
        artifacts: The artifacts, each of another name.
        run_id: The run that kept them, for messages.

    Example:
        >>> import tempfile
        >>> import mlkit
        >>> store = mlkit.Store("memory://artifacts-example")
        >>> with store.start_run("flights") as active:
        ...     active.log_text("late", "notes/a.txt")
        ...     active.log_dict({"depth": 6}, "config")
        >>> kept = store.run(active.id).artifacts()
        >>> list(kept)
        ['config.json', 'notes/a.txt']
        >>> kept["notes/a.txt"].text()
        'late'
        >>> kept["config.json"].download(tempfile.mkdtemp()).name
        'config.json'
    """

    def __init__(self, artifacts: Iterable[Artifact], *, run_id: str = "") -> None:
        ordered = sorted(artifacts, key=lambda artifact: artifact.name)
        self._by_name = {artifact.name: artifact for artifact in ordered}
        self._what = f"of run {run_id}" if run_id else ""

    @classmethod
    def of(cls, kept: Mapping[str, Mapping[str, Any]], *, run_id: str, blobs: Blobs) -> Self:
        """Give what the events of a run add up to: name to `digest`, `size` and `type`."""
        return cls(
            (
                Artifact(
                    name=name,
                    digest=fields["digest"],
                    size=fields["size"],
                    type=fields["type"],
                    blobs=blobs,
                )
                for name, fields in kept.items()
            ),
            run_id=run_id,
        )

    def __getitem__(self, name: str) -> Artifact:
        try:
            return self._by_name[name]
        except KeyError:
            raise unknown(f"artifact {self._what}".strip(), str(name), self._by_name) from None

    def __contains__(self, name: object) -> bool:
        return name in self._by_name

    def __iter__(self) -> Iterator[str]:
        return iter(self._by_name)

    def __len__(self) -> int:
        return len(self._by_name)

    def download(self, folder: str | Path, *, under: str = "") -> list[Path]:
        """Write them below a folder, each under its whole name, each whole or not at all.

        Args:
            folder: Where to; it is made if it doesn't exist. Files of the same names are replaced,
                others stay.
            under: Only those below this folder of names, such as `plots`; all by default.

        Returns:
            The files, sorted by name.

        Raises:
            NotFound: No name lies below `under`, or the content of one isn't in the store.
            InvalidInput: A name leads out of the folder; or a name is that of a file and that of a
                folder, of which a disk can hold only one. Nothing is written then.
            Corrupt: The content of one was damaged; those before it were written.
            StorageFault: The disk failed.
        """
        chosen = self._below(under.rstrip("/")) if under else list(self._by_name.values())
        names = {artifact.name for artifact in chosen}
        for name in sorted(names):
            folders = (above for above in _folders_of(name) if above in names)
            for above in folders:
                message = f"{above!r} is an artifact, and the folder of {name!r}"
                raise InvalidInput(message, hint="Download one of the two by itself")
        return [artifact.download(folder) for artifact in chosen]

    def _below(self, under: str) -> list[Artifact]:
        chosen = [item for name, item in self._by_name.items() if name.startswith(f"{under}/")]
        if not chosen:
            folders = {folder for name in self._by_name for folder in _folders_of(name)}
            raise unknown(f"folder of artifacts {self._what}".strip(), under, folders)
        return chosen

    def __repr__(self) -> str:
        from mlkit.display.text import text_table

        if not self._by_name:
            return "No artifacts"
        return f"{text_table(_COLUMNS, self._rows(), limit=_SHOWN)}\n{self._total()}"

    def _repr_html_(self) -> str:
        from mlkit.display.page import fragment
        from mlkit.display.table import html_table

        return fragment(html_table(_COLUMNS, self._rows(), limit=_SHOWN, caption=self._total()))

    def _rows(self) -> list[tuple[str, str, str]]:
        return [(item.name, item.type, show_bytes(item.size)) for item in self._by_name.values()]

    def _total(self) -> str:
        count = len(self._by_name)
        size = show_bytes(sum(artifact.size for artifact in self._by_name.values()))
        return f"{count:,} artifact{'' if count == 1 else 's'}, {size}"


def _folders_of(name: str) -> list[str]:
    """Give the folders that a name lies in, without the top."""
    return [str(folder) for folder in PurePosixPath(name).parents][:-1]
