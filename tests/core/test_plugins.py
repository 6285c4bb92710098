import pytest

from mlkit._core.extras import require
from mlkit._core.plugins import Registry
from mlkit.errors import InvalidInput, MissingExtra, NotFound


@pytest.fixture
def registry():
    return Registry("mlkit.nothing", {"json": "json:dumps", "broken": "no_such_module:x"})


def test_a_plugin_is_imported_when_it_is_asked_for(registry):
    assert registry.get("json")([1]) == "[1]"
    assert registry.names() == ["broken", "json"]


def test_a_plugin_that_cant_be_imported_names_its_source(registry):
    with pytest.raises(MissingExtra, match=r"'broken' of mlkit can't be loaded"):
        registry.get("broken")


def test_an_unknown_plugin_suggests_a_near_one(registry):
    with pytest.raises(NotFound, match="Did you mean 'json'"):
        registry.get("jsn")


def test_two_plugins_of_a_name_are_an_error_that_names_both(registry):
    with pytest.raises(InvalidInput, match=r"json:dumps of mlkit, and other:dumps of acme"):
        registry.register("json", "other:dumps", source="acme")


def test_the_same_plugin_twice_is_fine(registry):
    registry.register("json", "json:dumps", source="mlkit")


def test_plugins_of_other_packages_are_found_by_their_entry_points(monkeypatch):
    from importlib.metadata import EntryPoint

    point = EntryPoint("loads", "json:loads", "mlkit.nothing")
    monkeypatch.setattr("mlkit._core.plugins.entry_points", lambda group: [point])
    registry = Registry("mlkit.nothing", {})
    assert registry.get("loads")("[1]") == [1]


def test_a_missing_package_names_the_extra():
    with pytest.raises(MissingExtra, match=r"pip install 'mlkit-lifecycle\[s3\]'"):
        require("no_such_module", extra="s3")


def test_a_missing_package_that_users_bring_is_named_itself():
    with pytest.raises(MissingExtra, match=r"pip install 'no_such_module'"):
        require("no_such_module.inner")
