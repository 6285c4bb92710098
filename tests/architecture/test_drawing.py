import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_architecture_page_draws_the_rooms_that_the_linter_knows():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    contracts = project["tool"]["importlinter"]["contracts"]
    layers = next(contract["layers"] for contract in contracts if contract["type"] == "layers")
    page = (ROOT / "docs/explanation/architecture.md").read_text()
    drawn = re.findall(r"^ │ (\S.*?)  +", page, re.MULTILINE)
    assert drawn == layers


def test_every_room_that_stands_is_drawn():
    rooms = {
        path.stem
        for path in (ROOT / "mlkit").iterdir()
        if (path / "__init__.py").exists() or path.suffix == ".py"
    } - {"__init__"}
    page = (ROOT / "docs/explanation/architecture.md").read_text()
    assert all(re.search(rf"^ │ .*\b{room}\b", page, re.MULTILINE) for room in rooms)
