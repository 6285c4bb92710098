"""Runs as plain records, so that queries are tested without a store."""

from typing import Any

import pytest
from attrs import field, frozen

SECOND = 1_000_000_000
NOON = 1_767_268_800 * SECOND  # 2026-01-01T12:00:00Z


@frozen
class PlainRun:
    id: str = "run-0"
    experiment: str = "flights"
    name: str | None = None
    status: str = "FINISHED"
    started_at: int = NOON
    ended_at: int | None = NOON + 60 * SECOND
    parent_id: str | None = None
    params: dict[str, Any] = field(factory=dict)
    tags: dict[str, Any] = field(factory=dict)
    summary: dict[str, float] = field(factory=dict)
    inputs: list[Any] = field(factory=list)
    outputs: list[Any] = field(factory=list)


@pytest.fixture
def make_run():
    return PlainRun
