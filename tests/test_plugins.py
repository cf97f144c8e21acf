"""Every name in every table loads; unknown names say what is known."""

from __future__ import annotations

from importlib.metadata import EntryPoint

import pytest

from bianlian import plugins
from bianlian.errors import PluginError


@pytest.mark.parametrize(("kind", "name"), [(kind, name) for kind, table in plugins.TABLES.items() for name in table])
def test_every_plugin_of_the_tables_loads(kind: str, name: str) -> None:
    assert callable(plugins.load(kind, name))


def test_unknown_names_list_the_known_ones() -> None:
    with pytest.raises(PluginError, match="blazeface, mtcnn, hog"):
        plugins.load("detector", "haar")
    with pytest.raises(PluginError, match="detector, landmarker"):
        plugins.names("detectors")


def test_outsiders_add_a_plugin_by_entry_point(monkeypatch: pytest.MonkeyPatch) -> None:
    mine = EntryPoint("mine", "collections:OrderedDict", "bianlian.detector")
    broken = EntryPoint("broken", "no_such_module:Thing", "bianlian.detector")
    monkeypatch.setattr(plugins, "entry_points", lambda group: [mine, broken] if group == "bianlian.detector" else [])
    assert plugins.names("detector")[-2:] == ["broken", "mine"]
    assert plugins.load("detector", "mine").__name__ == "OrderedDict"
    with pytest.raises(PluginError, match="no_such_module"):
        plugins.load("detector", "broken")
