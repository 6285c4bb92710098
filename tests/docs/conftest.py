"""The code blocks of the README and of the pages in docs/."""

import re
import textwrap
from pathlib import Path

import pytest
from attrs import frozen

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]

_FENCE = re.compile(
    r"^(?P<indent>[ \t]*)(?P<fence>`{3,}|~{3,})[ \t]*(?P<language>[^\s`{]*)(?P<rest>[^\n`]*)\n"
    r"(?P<body>.*?)"
    r"^[ \t]*(?P=fence)[ \t]*$",
    re.MULTILINE | re.DOTALL,
)
# On the line above a block that can't run here: <!-- not run: the reason -->
_NOT_RUN = re.compile(r"<!-- not run: (?P<reason>\S[^\n]*?) -->[ \t]*\n[ \t]*\Z")


@frozen
class Block:
    """One fenced block of a page."""

    page: Path
    line: int
    language: str
    source: str
    not_run: str

    def __str__(self):
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def blocks_of(text, page):
    """Give the fenced blocks of a page in their order."""
    for match in _FENCE.finditer(text):
        marker = _NOT_RUN.search(text, 0, match.start())
        yield Block(
            page=page,
            line=text.count("\n", 0, match.start("body")) + 1,
            language=match["language"],
            source=textwrap.dedent(match["body"]),
            not_run=marker["reason"] if marker else "",
        )


BLOCKS = [
    block
    for page in PAGES
    if page.exists()
    for block in blocks_of(page.read_text(encoding="utf-8"), page)
]


def pytest_generate_tests(metafunc):
    """Hand out pages and blocks to the tests that ask for them."""
    if "page" in metafunc.fixturenames:
        ids = [str(page.relative_to(ROOT)) for page in PAGES]
        metafunc.parametrize("page", PAGES, ids=ids)
    if "any_block" in metafunc.fixturenames:
        metafunc.parametrize("any_block", BLOCKS, ids=str)
    if "left_out" in metafunc.fixturenames:
        left_out = [block for block in BLOCKS if block.not_run]
        metafunc.parametrize("left_out", left_out, ids=str)
    if "shell_block" in metafunc.fixturenames:
        shell = [block for block in BLOCKS if block.language in ("bash", "console", "sh")]
        metafunc.parametrize("shell_block", shell, ids=str)


@pytest.fixture
def parse():
    """Give the function that finds the blocks of a text."""
    return lambda text: list(blocks_of(text, ROOT / "README.md"))


@pytest.fixture
def python_blocks():
    """Give the function that finds what must run of a page."""

    def of(page):
        return [
            block
            for block in BLOCKS
            if block.page == page and block.language == "python" and not block.not_run
        ]

    return of
