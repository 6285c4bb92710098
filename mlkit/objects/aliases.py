"""Aliases: moving names of versions, whose every move is kept for ever."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from attrs import field, frozen

from mlkit._core import shapes
from mlkit._core.clock import Clock, iso, now_ns, parse_iso
from mlkit._core.ids import token
from mlkit._core.masking import mask_text
from mlkit._core.names import check_alias, near
from mlkit.display.formats import show_time
from mlkit.errors import Corrupt, InvalidInput, InvalidName, MlkitError, NewerFormat, NotFound
from mlkit.objects.series import Series

if TYPE_CHECKING:
    from mlkit.storage.protocol import Storage

KIND = "alias_entry"

Decide = Callable[[int | None], "Mapping[str, Any] | None"]
"""Gives the report of a gate on the version that holds the alias, or raises to refuse."""


def _no_gate(_holder: int | None) -> None:
    """Let every version pass."""


@frozen(kw_only=True)
class AliasEntry:
    """One move of an alias.

    Attributes:
        number: Its place in the history, from 1.
        alias: The alias.
        version: The version that holds it from then on.
        replaced: The version that held it until then; None for the first.
        at: When, in nanoseconds since 1970, UTC.
        user: Who moved it.
        reason: Why.
        action: `promote`, or `rollback`.
        gate_report: What the gate said; None where there was no gate.
        run_id: The run that moved it.
        name: The dataset or model, where it is known.
    """

    number: int
    alias: str
    version: int
    replaced: int | None
    at: int
    user: str
    reason: str = ""
    action: str = "promote"
    gate_report: Mapping[str, Any] | None = None
    run_id: str | None = None
    name: str = field(default="", eq=False)

    def __repr__(self) -> str:
        move = f"{self.alias} -> {named_version(self.name, self.version)} ({self.action})"
        return f"<AliasEntry {move} {signature(self.at, self.user, self.reason)}>"


@frozen
class Aliases:
    """The aliases of one dataset or model.

    Any number of threads, processes and machines may move them at once. A move is a new document,
    created exclusively; who loses a race looks again at what holds the alias, and decides anew.

    Args:
        storage: The store's storage.
        root: The folder of the dataset or model: `datasets` or `models`.
        name: The dataset or model.
        clock: Gives the present time.
        user: Who moves them.
        single_writer: The caller promises to be the only writer.
    """

    storage: "Storage"
    root: str
    name: str
    clock: Clock = field(default=now_ns, kw_only=True, repr=False)
    user: str = field(default="", kw_only=True)
    single_writer: bool = field(default=False, kw_only=True)

    @property
    def what(self) -> str:
        """What has the aliases: `dataset` or `model`."""
        return self.root.removesuffix("s")

    def names(self) -> list[str]:
        """Give the aliases, sorted."""
        return [name for name in self._folders() if _can_be_alias(name)]

    def _folders(self) -> list[str]:
        names = self.storage.children(f"{self.root}/{self.name}/aliases")
        return [name[:-1] for name in names if name.endswith("/")]

    def holder(self, alias: str) -> int | None:
        """Give the version that holds an alias; None where there is no such alias."""
        series = self._series(check_alias(alias))
        latest = series.latest()
        return None if latest is None else self._entry(alias, series, latest).version

    def require(self, alias: str) -> int:
        """Give the version that holds an alias.

        Raises:
            NotFound: There is no such alias.
        """
        version = self.holder(alias)
        if version is None:
            raise self._unknown(alias)
        return version

    def history(self, alias: str) -> list[AliasEntry]:
        """Give all moves of an alias, the oldest first.

        Raises:
            NotFound: There is no such alias.
        """
        series = self._series(check_alias(alias))
        entries = [self._entry(alias, series, number) for number in series.numbers()]
        if not entries:
            raise self._unknown(alias)
        return entries

    def promote(
        self,
        alias: str,
        version: int,
        decide: Decide = _no_gate,
        *,
        reason: str = "",
        run_id: str | None = None,
    ) -> AliasEntry:
        """Let a version hold an alias.

        Args:
            alias: The alias; it is made if there is none.
            version: The version, which must exist.
            decide: Gives the report of a gate for the holder that is replaced. It is asked again
                if another writer moved the alias meanwhile.
            reason: Why.
            run_id: The run that does it.

        Returns:
            The entry that was added to the history.
        """
        self.check_case(alias)
        decided: dict[int | None, Mapping[str, Any] | None] = {}

        def make(number: int) -> dict[str, Any]:
            holder = self._before(alias, series, number)
            if holder not in decided:
                decided[holder] = decide(holder)
            return {
                "alias": alias,
                "version": version,
                "replaced": holder,
                "action": "promote",
                **self.signed(reason, run_id),
                "gate_report": decided[holder],
            }

        series = self._series(alias)
        return self._entry(alias, series, series.append(make, token=token()))

    def rollback(self, alias: str, *, reason: str, run_id: str | None) -> AliasEntry:
        """Let the version hold an alias that held it before the present one.

        It is a new entry, and works like undo: doing it again goes further back, never forth to a
        version that was rolled back.

        Returns:
            The entry that was added to the history.

        Raises:
            NotFound: There is no such alias.
            InvalidInput: There is nothing to go back to.
        """

        def make(number: int) -> dict[str, Any]:
            entries = [self._entry(alias, series, before) for before in range(1, number)]
            if not entries:
                raise self._unknown(alias)
            held = undo_stack(entries)
            if len(held) < 2:  # noqa: PLR2004 - the present one, and one to go back to
                raise InvalidInput(
                    f"There is no version before {self.name}:{held[-1]} that {alias!r} could go "
                    "back to",
                    hint="Promote another version instead",
                )
            return {
                "alias": alias,
                "version": held[-2],
                "replaced": held[-1],
                "action": "rollback",
                **self.signed(reason, run_id),
                "gate_report": None,
            }

        series = self._series(check_alias(alias))
        return self._entry(alias, series, series.append(make, token=token()))

    def faults(self) -> Iterator[tuple[str, MlkitError]]:
        """Give the documents that can't be understood: the path of each, and why."""
        for alias in self._folders():
            series = self._series(alias)
            for number in series.numbers():
                try:
                    self._entry(check_alias(alias), series, number)
                except (Corrupt, NewerFormat, NotFound, InvalidName) as error:
                    yield series.path(number), error

    def _series(self, alias: str) -> Series:
        folder = f"{self.root}/{self.name}/aliases/{alias}"
        return Series(self.storage, folder, KIND, single_writer=self.single_writer)

    def _entry(self, alias: str, series: Series, number: int) -> AliasEntry:
        document = series.read(number)
        try:
            entry = AliasEntry(
                **signed_fields(document),
                replaced=shapes.optional(document, "replaced", int),
                action=shapes.required(document, "action", str),
                gate_report=shapes.optional(document, "gate_report", dict),
                name=self.name,
            )
        except (shapes.Misshapen, InvalidInput) as error:
            raise incomplete(series.path(number), error) from error
        if entry.alias != alias:
            raise Corrupt(
                f"{series.path(number)} belongs to the alias {entry.alias!r}: it was moved or "
                "copied"
            )
        return entry

    def _before(self, alias: str, series: Series, number: int) -> int | None:
        return None if number == 1 else self._entry(alias, series, number - 1).version

    def signed(self, reason: str, run_id: str | None) -> dict[str, Any]:
        """Give the fields that say when, by whom and why something was done.

        Raises:
            InvalidInput: The reason is no text.
        """
        if not isinstance(reason, str):
            raise InvalidInput(f"reason={reason!r} is no text", hint="Leave it out where none is")
        return {
            "at": iso(self.clock()),
            "user": self.user,
            "reason": mask_text(reason),
            "run_id": run_id,
        }

    def check_case(self, alias: str) -> None:
        """Raise unless an alias can be one here.

        Raises:
            InvalidName: It can't, or differs from another one by case only.
        """
        check_alias(alias)
        for other in self.names():
            if other != alias and other.casefold() == alias.casefold():
                raise InvalidName(
                    f"The alias {alias!r} differs from {other!r} by case only",
                    hint=f"Use {other!r}, or another name",
                )

    def _unknown(self, alias: str) -> NotFound:
        names = self.names()
        known = f"It has {', '.join(names)}" if names else "It has none yet"
        return NotFound(
            f"The {self.what} {self.name!r} has no alias {alias!r}",
            hint=near(alias, names) or known,
        )


def undo_stack(entries: Iterable[AliasEntry]) -> Sequence[int]:
    """Give the versions that an alias can go back through, the present one last.

    A promotion puts a version on top, a rollback takes away all above the version it went to.

    Args:
        entries: The history, the oldest first.
    """
    held: list[int] = []
    for entry in entries:
        if entry.action == "rollback":
            while held and held[-1] != entry.version:
                held.pop()
        if not held or held[-1] != entry.version:
            held.append(entry.version)
    return held


def signed_fields(document: Mapping[str, Any]) -> dict[str, Any]:
    """Give the fields that all records of what was done have, out of a document."""
    return {
        "number": shapes.required(document, "number", int),
        "alias": shapes.required(document, "alias", str),
        "version": shapes.required(document, "version", int),
        "at": parse_iso(shapes.required(document, "at", str)),
        "user": shapes.required(document, "user", str),
        "reason": shapes.required(document, "reason", str),
        "run_id": shapes.optional(document, "run_id", str),
    }


def _can_be_alias(name: str) -> bool:
    try:
        check_alias(name)
    except InvalidName:
        return False
    return True


def named_version(name: str, number: int) -> str:
    """Give a version as a reference, or in words where nobody knows of what it is one."""
    return f"{name}:{number}" if name else f"version {number}"


def signature(at: int, user: str, reason: str) -> str:
    """Say when, by whom and why something was done, as far as it is known."""
    by = f" by {user}" if user else ""
    return f"{show_time(at)}{by}" + (f": {reason}" if reason else "")


def incomplete(path: str, error: Exception) -> Corrupt:
    """Give the error for a document that isn't what it must be."""
    return Corrupt(f"{path} lacks what it must hold: {error!r}")
