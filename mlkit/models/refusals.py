"""Refusals: promotions that a gate said no to, kept with its reports."""

from collections.abc import Iterator, Mapping
from typing import Any

from attrs import field, frozen

from mlkit._core import shapes
from mlkit._core.ids import token
from mlkit.errors import Corrupt, InvalidInput, MlkitError, NewerFormat, NotFound
from mlkit.objects.aliases import Aliases, incomplete, named_version, signature, signed_fields
from mlkit.objects.series import Series

KIND = "gate_refusal"


@frozen(kw_only=True)
class Refusal:
    """A promotion that a gate refused; the alias stayed where it was.

    Attributes:
        number: Its place among the refusals of the model, from 1.
        alias: The alias.
        version: The version that was to hold it.
        holder: The version that held it, and still does; None where none did.
        at: When, in nanoseconds since 1970, UTC.
        user: Who tried.
        reason: Why it was tried.
        gate_report: What the gate said.
        run_id: The run that tried.
        name: The model, where it is known.
    """

    number: int
    alias: str
    version: int
    holder: int | None
    at: int
    user: str
    reason: str
    gate_report: Mapping[str, Any]
    run_id: str | None = None
    name: str = field(default="", eq=False)

    def __repr__(self) -> str:
        held = "nobody" if self.holder is None else named_version(self.name, self.holder)
        what = f"{named_version(self.name, self.version)} as {self.alias}, still {held},"
        return f"<Refusal of {what} {signature(self.at, self.user, self.reason)}>"


@frozen
class Refusals:
    """What gates refused of one model.

    Args:
        aliases: The aliases of the model.
    """

    aliases: Aliases

    @property
    def series(self) -> Series:
        """The documents."""
        of = self.aliases
        folder = f"{of.root}/{of.name}/gates"
        return Series(of.storage, folder, KIND, single_writer=of.single_writer)

    def add(
        self,
        alias: str,
        version: int,
        holder: int | None,
        report: Mapping[str, Any],
        *,
        reason: str,
        run_id: str | None,
    ) -> None:
        """Keep the report of a gate that refused a version."""
        body = {
            "alias": alias,
            "version": version,
            "holder": holder,
            **self.aliases.signed(reason, run_id),
            "gate_report": report,
        }
        self.series.append(lambda _: body, token=token())

    def all(self) -> list[Refusal]:
        """Give them, the oldest first."""
        return [self._read(number) for number in self.series.numbers()]

    def faults(self) -> Iterator[tuple[str, MlkitError]]:
        """Give the documents that can't be understood: the path of each, and why."""
        for number in self.series.numbers():
            try:
                self._read(number)
            except (Corrupt, NewerFormat, NotFound) as error:
                yield self.series.path(number), error

    def _read(self, number: int) -> Refusal:
        document = self.series.read(number)
        try:
            return Refusal(
                **signed_fields(document),
                holder=shapes.optional(document, "holder", int),
                gate_report=shapes.required(document, "gate_report", dict),
                name=self.aliases.name,
            )
        except (shapes.Misshapen, InvalidInput) as error:
            raise incomplete(self.series.path(number), error) from error
