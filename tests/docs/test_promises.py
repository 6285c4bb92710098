"""Each promise of a page names the test that holds it, and that test is there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/explanation/runs.md"
NAMED = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", PAGE.read_text())


def test_every_part_of_the_page_names_tests():
    for part in PAGE.read_text().split("\n## ")[1:]:
        assert "`tests/" in part, part.splitlines()[0]


@pytest.mark.parametrize(("file", "test"), NAMED)
def test_a_test_that_is_named_is_there(file, test):
    assert re.search(rf"^(?:    )?def {test}\(", (ROOT / file).read_text(), re.MULTILINE)
