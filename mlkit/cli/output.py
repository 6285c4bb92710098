"""What commands print: tables and fields for people, JSON for scripts."""

import json
import math
import os
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import click
from attrs import frozen
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

Form = Callable[[Any], str]
"""Makes a value the text that a table shows."""

Part = Callable[[Any], Any]
"""Makes the value of a field what is shown of it: text, or texts in a mapping or list."""

_WIDE = 10_000
_SIGNIFICANT = 6


@frozen
class Output:
    """Prints results in the form that was asked for.

    Attributes:
        as_json: JSON instead of tables.
    """

    as_json: bool

    def table(
        self,
        rows: Sequence[Mapping[str, Any]],
        columns: Mapping[str, Form],
        *,
        empty: str,
    ) -> None:
        """Print rows.

        Args:
            rows: Plain values by name; JSON shows all of them.
            columns: What a table shows, in order, and how a value is made text; a column that no
                row fills is left out.
            empty: What to say where there are no rows.
        """
        if self.as_json:
            self.document([dict(row) for row in rows])
            return
        if not rows:
            click.echo(empty, err=True)
            return
        shown = [name for name in columns if any(_filled(row.get(name)) for row in rows)]
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
        for name in shown:
            numeric = all(isinstance(row.get(name), (int, float, type(None))) for row in rows)
            table.add_column(
                Text(printable(name.replace("_", " "))),
                justify="right" if numeric else "left",
                overflow="fold",
            )
        for row in rows:
            values = ((columns[name], row.get(name)) for name in shown)
            table.add_row(*(Text("" if value is None else form(value)) for form, value in values))
        self._print(table)

    def fields(
        self, values: Mapping[str, Any], forms: Mapping[str, Part] = MappingProxyType({})
    ) -> None:
        """Print the fields of one thing.

        Args:
            values: Plain values by name; those that are empty are left out, but not of JSON.
            forms: What people are shown of the value of a name, where that isn't the value itself.
        """
        if self.as_json:
            self.document(dict(values))
            return
        table = Table(box=None, show_header=False, pad_edge=False)
        table.add_column(style="bold")
        table.add_column(overflow="fold")
        for name, value in values.items():
            if _filled(value):
                shown = _lines(forms[name](value) if name in forms else value)
                table.add_row(Text(printable(name.replace("_", " "))), Text(shown))
        self._print(table)

    def document(self, value: Any) -> None:
        """Print JSON; ASCII only, so that no value reaches the terminal as anything but text."""
        click.echo(json.dumps(_strict(value), indent=1, allow_nan=False))

    @property
    def width(self) -> int | None:
        """How wide a table may be; None in a file or a pipe, where nothing is cut off.

        `$COLUMNS` says it for both.
        """
        console = Console()
        return console.width if console.is_terminal or os.environ.get("COLUMNS") else None

    def lines(self, text: str) -> None:
        """Print text that is made for people, each of its lines as it is."""
        click.echo("\n".join(printable(line) for line in text.split("\n")))

    def note(self, sentence: str) -> None:
        """Say on stderr what people should know of the answer; JSON leaves it out."""
        if not self.as_json:
            click.echo(printable(sentence), err=True)

    def say(self, sentence: str) -> None:
        """Print a sentence for people; JSON leaves it out."""
        if not self.as_json:
            click.echo(printable(sentence))

    def _print(self, table: Table) -> None:
        console = Console(highlight=False, width=self.width or _WIDE)
        with console.capture() as capture:
            console.print(table)
        lines = (line.rstrip() for line in capture.get().splitlines())
        click.echo("\n".join(lines))


def printable(text: str) -> str:
    r"""Give text in which control characters are spelled out, so none reaches the terminal.

    Example:
        >>> print(printable("red \x1b[31m"))
        red \x1b[31m
    """
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode()
        for character in text
    )


def text_of(value: Any) -> str:
    """Give a value as a table shows it: numbers short, everything on one line.

    Example:
        >>> text_of(0.123456789)
        '0.123457'
    """
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.{_SIGNIFICANT}g}"
    if isinstance(value, Mapping):
        return ", ".join(f"{printable(str(key))}={text_of(one)}" for key, one in value.items())
    if isinstance(value, (list, tuple)):
        return ", ".join(text_of(one) for one in value)
    return printable(str(value))


def moment(iso: str) -> str:
    """Give a time to the second.

    Example:
        >>> moment("2026-11-23T21:06:26.123456Z")
        '2026-11-23 21:06:26'
    """
    return printable(iso[:19].replace("T", " "))


def _lines(value: Any) -> str:
    """Give the entries of a mapping or list below each other, and anything else as in a table."""
    if isinstance(value, Mapping):
        return "\n".join(f"{printable(str(key))} = {text_of(one)}" for key, one in value.items())
    if isinstance(value, (list, tuple)):
        return "\n".join(text_of(one) for one in value)
    if isinstance(value, str):
        return "\n".join(printable(line) for line in value.splitlines())
    return text_of(value)


def _filled(value: Any) -> bool:
    return value is not None and value not in ("", (), [], {})


def _strict(value: Any) -> Any:
    """Give a value that strict JSON can hold: NaN and infinities as text."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, Mapping):
        return {str(key): _strict(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_strict(one) for one in value]
    return value
