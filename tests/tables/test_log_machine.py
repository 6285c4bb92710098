"""The log against a model: whatever is added, removed, summed up and cleaned, both say the same."""

import itertools

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, multiple, rule

from mlkit.errors import AlreadyExists
from mlkit.storage.memory import MemoryStorage
from mlkit.tables.actions import Add, Metadata, Remove
from mlkit.tables.log import Log

_numbers = itertools.count()
_PATHS = st.text(
    st.characters(codec="utf-8", exclude_characters="/\\\x00", exclude_categories=("Cc", "Cs")),
    min_size=1,
    max_size=8,
).map(lambda text: f"part-{text}")


class LogMachine(RuleBasedStateMachine):
    """Two writers of one log, of whom one may know an old state, and what must be there."""

    paths = Bundle("paths")

    def __init__(self):
        super().__init__()
        self.storage = MemoryStorage(f"log-machine-{next(_numbers)}")
        self.log = Log(self.storage, "t", clock=lambda: 10**18)
        self.known = self.log.read()
        self.lagging = self.known
        self.model = {}
        self.version = -1

    def commit(self, actions):
        if self.version < 0:
            actions = [Metadata("id", '{"type": "struct", "fields": []}', 0), *actions]
        self.known = self.log.commit(self.known, actions, "WRITE")
        self.version += 1

    @rule(
        target=paths,
        names=st.lists(_PATHS, max_size=4, unique=True),
        rows=st.integers(0, 2**40),
    )
    def add(self, names, rows):
        fresh = [name for name in names if name not in self.model]
        stats = {"numRecords": rows, "minValues": {"a": "é"}, "maxValues": {}, "nullCount": {}}
        tags = {"tail": "0" * 64, "tail_size": "8"}
        adds = [Add(name, rows, 7, stats, tags) for name in fresh]
        self.commit(adds)
        self.model.update({one.path: one for one in adds})
        return multiple(*fresh)

    @rule(name=consumes(paths))
    def remove(self, name):
        if name in self.model:
            self.commit([Remove(name, 10**12)])
            del self.model[name]

    @rule(count=st.integers(1, 11))
    def go_on(self, count):
        for _ in range(count):
            self.commit([])

    @rule()
    def reopen(self):
        self.known = Log(self.storage, "t", clock=lambda: 10**18).read()

    @rule()
    def clean(self):
        for path in self.log.stale(self.known):
            self.storage.delete(path)

    @rule()
    def catch_up(self):
        if self.lagging.exists:
            self.lagging = self.log.refresh(self.lagging)
            assert self.lagging.files == self.model
        else:
            self.lagging = self.log.read()

    @rule()
    def commit_late(self):
        if self.lagging.version < self.version and self._has(self.lagging.version + 1):
            late = [Metadata("late", '{"type": "struct", "fields": []}', 0)]
            try:
                self.log.commit(self.lagging, late, "WRITE")
            except AlreadyExists:
                return
            raise AssertionError("two commits of one number")

    @invariant()
    def the_log_says_what_the_model_says(self):
        read = self.log.read()
        assert read.version == self.version
        assert read.files == self.model
        assert read == self.known or read.removed.keys() <= self.known.removed.keys()

    def _has(self, version):
        return f"{version:020d}.json" in self.storage.children("t/_delta_log")


TestLogMachine = LogMachine.TestCase
TestLogMachine.settings = settings(max_examples=40, stateful_step_count=30)
