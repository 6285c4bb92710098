"""Optional packages, imported on use; a missing one names the extra that brings it."""

import importlib
from types import ModuleType

from mlkit.errors import MissingExtra

DISTRIBUTION = "mlkit-lifecycle"


def require(module: str, extra: str | None = None) -> ModuleType:
    """Import an optional package.

    Args:
        module: The module's name.
        extra: The extra of this distribution that installs it; none for a library that users
            bring themselves, such as pandas.

    Returns:
        The module.

    Raises:
        MissingExtra: It isn't installed, or a package that it needs isn't.

    Example:
        >>> require("json", extra="all").dumps([1])
        '[1]'
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        message = f"This needs the package {module!r}, which can't be imported ({error})"
        package = f"{DISTRIBUTION}[{extra}]" if extra else module.partition(".")[0]
        hint = f"Install it with: pip install '{package}'"
        raise MissingExtra(message, hint=hint) from error
