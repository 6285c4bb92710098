"""SQL over tables that are made when a query names them."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import count
from typing import TYPE_CHECKING, Any

from mlkit._core.extras import require
from mlkit.errors import InvalidInput
from mlkit.query.frame import Frame

if TYPE_CHECKING:
    import duckdb

_NAME = re.compile(
    r"""--[^\n]* | /\*.*?\*/                             # comments
    | \b[eE]'(?:[^'\\]|''|\\.)*' | '(?:[^']|'')*'      # texts
    | \$(?P<tag>(?:[^\W\d]\w*)?)\$.*?\$(?P=tag)\$
    | "(?P<quoted>(?:[^"]|"")*)" | (?P<bare>\w+)""",
    re.VERBOSE | re.DOTALL,
)

_NO_TABLE = re.compile(r"Table with name .* does not exist")
_NO_QUOTES = re.compile(r'Referenced table "(?:params|metrics|tags)" not found')

Source = Callable[["duckdb.DuckDBPyConnection"], None]
"""Makes a table or view in a database in memory."""


def run_sql(
    query: str, sources: Mapping[str, Source], values: Sequence[Any] | Mapping[str, Any] | None
) -> Frame:
    """Give what a query finds.

    Args:
        query: The query, in DuckDB's SQL.
        sources: Table to what makes it; only those that the query names are made.
        values: What stands for `?`, or for `$name`, in the query.

    Raises:
        InvalidInput: The query can't be run; the message says where and why.
        MissingExtra: DuckDB isn't installed.
    """
    if not isinstance(query, str):
        message = f"A query is text, not {type(query).__name__}"
        raise InvalidInput(message, hint="Write store.sql('select * from runs')")
    duckdb = require("duckdb", "sql")
    with duckdb.connect(":memory:") as database:
        database.execute("SET python_enable_replacements = false")  # no variable is a table
        database.execute("SET TimeZone = 'UTC'")
        try:
            named = _names(query)
            for name, make in sources.items():
                if name in named:
                    make(database)
            answer = database.execute(query, values)
            table = None if answer is None else answer.to_arrow_table()
        except (duckdb.Error, UnicodeEncodeError) as error:
            message = f"The query can't be run: {error}"
            raise InvalidInput(message, hint=_hint(str(error), sources)) from error
        except RuntimeError as error:
            if isinstance(error.__cause__, KeyboardInterrupt):  # DuckDB makes one of the other
                raise KeyboardInterrupt from error
            raise
    if table is None:
        message = f"There is no query in {query!r}"
        raise InvalidInput(message, hint="Write store.sql('select * from runs')")
    return Frame(table.rename_columns(_unlike(table.column_names)))


def _hint(said: str, tables: Iterable[str]) -> str:
    """Give the next step after what DuckDB said."""
    if _NO_TABLE.search(said):
        return f"There are the tables {', '.join(tables)}"
    if _NO_QUOTES.search(said):
        return 'Names with dots stand in double quotes: "metrics.auc"'
    return ""


def told_apart(names: Sequence[str]) -> list[str]:
    """Give names of columns such as SQL can tell apart; it doesn't see the case of letters.

    Those that differ by case only are all numbered, so that none is taken for another.

    Example:
        >>> told_apart(["params.lr", "params.LR", "params.depth"])
        ['params.lr_1', 'params.LR_2', 'params.depth']
    """
    counts = Counter(map(_lowered, names))
    taken = set(counts)
    found = []
    for name in names:
        if counts[_lowered(name)] > 1:
            free = (f"{name}_{number}" for number in count(1))
            name = next(one for one in free if _lowered(one) not in taken)  # noqa: PLW2901 - numbered
            taken.add(_lowered(name))
        found.append(name)
    return found


def _unlike(names: Sequence[str]) -> list[str]:
    """Give names of which none is twice: a later one that is like another is numbered."""
    found: dict[str, None] = {}
    for name in names:
        free = (f"{name}_{number}" for number in count(1))
        new = next(one for one in free if one not in names and one not in found)
        found[new if name in found else name] = None
    return list(found)


def _lowered(name: str) -> bytes:
    """Give a name as DuckDB compares it: of other letters than those of ASCII it sees the case."""
    return name.encode("utf-8", "surrogatepass").lower()


def _names(query: str) -> set[str]:
    """Give the words of a query, those in double quotes as one; a table is one of them."""
    return {(found["quoted"] or found["bare"] or "").lower() for found in _NAME.finditer(query)}
