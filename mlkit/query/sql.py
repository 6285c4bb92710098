"""SQL over tables that are made when a query names them."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mlkit._core.extras import require
from mlkit.errors import InvalidInput
from mlkit.query.frame import Frame

if TYPE_CHECKING:
    import duckdb

_NAME = re.compile(r"""'(?:[^']|'')*'|"((?:[^"]|"")*)"|(\w+)""")

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
    duckdb = require("duckdb", "sql")
    with duckdb.connect(":memory:") as database:
        database.execute("SET python_enable_replacements = false")  # no variable is a table
        database.execute("SET TimeZone = 'UTC'")
        try:
            named = _names(query)
            for name, make in sources.items():
                if name in named:
                    make(database)
            return Frame(database.execute(query, values).to_arrow_table())
        except duckdb.Error as error:
            message = f"The query can't be run: {error}"
            hint = f"There are the tables {', '.join(sources)}"
            raise InvalidInput(message, hint=hint) from error


def _names(query: str) -> set[str]:
    """Give the words of a query, those in double quotes as one; a table is one of them."""
    return {(quoted or bare).lower() for quoted, bare in _NAME.findall(query)}
