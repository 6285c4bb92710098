"""Registries of plugins: named by a string, imported on use, found by entry points.

A package offers a plugin by an entry point in one of mlkit's groups; mlkit's own pieces are
registered by the same strings. Nothing is imported before it is used.
"""

import importlib
from collections.abc import Mapping
from importlib.metadata import entry_points

from attrs import frozen

from mlkit._core.names import unknown
from mlkit.errors import InvalidInput, MissingExtra

BUILTIN = "mlkit"


@frozen
class Plugin:
    """Where a plugin is and who offers it.

    Attributes:
        name: What it is asked for by.
        target: `module:attribute`.
        source: The distribution that offers it.
    """

    name: str
    target: str
    source: str


class Registry:
    """The plugins of one group.

    Args:
        group: The entry-point group, such as `mlkit.serializers`.
        builtins: Name to `module:attribute` of mlkit's own.

    Example:
        >>> registry = Registry("mlkit.example", {"json": "json:dumps"})
        >>> registry.get("json")([1])
        '[1]'
    """

    def __init__(self, group: str, builtins: Mapping[str, str]) -> None:
        self.group = group
        self._plugins: dict[str, Plugin] = {}
        self._searched = False
        for name, target in builtins.items():
            self.register(name, target, source=BUILTIN)

    def register(self, name: str, target: str, *, source: str) -> None:
        """Add a plugin.

        Args:
            name: What it will be asked for by.
            target: `module:attribute`.
            source: Who offers it; the same source may say the same thing twice.

        Raises:
            InvalidInput: Another source, or another target, holds the name.
        """
        plugin = Plugin(name, target, source)
        held = self._plugins.setdefault(name, plugin)
        if held != plugin:
            message = (
                f"Two plugins of {self.group} are called {name!r}: "
                f"{held.target} of {held.source}, and {target} of {source}"
            )
            raise InvalidInput(message, hint="Uninstall one of the two")

    def names(self) -> list[str]:
        """Give the names of all plugins, sorted."""
        self._search()
        return sorted(self._plugins)

    def get(self, name: str) -> object:
        """Import a plugin.

        Raises:
            NotFound: There is none of this name; near names are suggested.
            MissingExtra: Its module can't be imported.
        """
        self._search()
        plugin = self._plugins.get(name)
        if plugin is None:
            raise unknown(f"plugin of {self.group}", name, self._plugins)
        module, _, attribute = plugin.target.partition(":")
        try:
            return getattr(importlib.import_module(module), attribute)
        except (ImportError, AttributeError) as error:
            message = f"The plugin {name!r} of {plugin.source} can't be loaded: {error}"
            raise MissingExtra(message, hint=f"Reinstall {plugin.source}") from error

    def _search(self) -> None:
        if self._searched:
            return
        for point in entry_points(group=self.group):
            source = point.dist.name if point.dist is not None else "an unknown package"
            self.register(point.name, point.value, source=source)
        self._searched = True
