"""The entry point of the `mlkit` command."""

import sys
from collections.abc import Sequence

from mlkit._core.extras import require
from mlkit.cli.exits import code_of
from mlkit.errors import MissingExtra


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        arguments: What stands behind `mlkit`; that of this process by default.

    Returns:
        The exit code; `mlkit --help` says what each means.

    Raises:
        SystemExit: The same, once click is there to run the command.
    """
    try:
        require("click", extra="cli")
        require("rich", extra="cli")
    except MissingExtra as error:
        print(f"mlkit: {error}", file=sys.stderr)  # noqa: T201 - nothing else can print here
        return code_of(error)
    from mlkit.cli.commands import cli

    return int(cli.main(args=arguments, prog_name="mlkit"))  # it ends in SystemExit itself
