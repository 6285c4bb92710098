"""A probe believes what works, and leaves nothing."""

import io

import pytest

from mlkit.errors import StorageFault
from mlkit.storage.probing import probe
from mlkit.storage.protocol import Capabilities
from mlkit.storage.readonly import ReadOnlyStorage
from mlkit.testing import Fault, FaultyStorage

BOTH = Capabilities(exclusive_create=True, append=True)
NONE = Capabilities(exclusive_create=False, append=False)


def test_a_storage_that_does_both_is_found_to(memory):
    assert probe(memory) == BOTH
    assert list(memory.list()) == []


def test_what_isnt_declared_isnt_tried(memory):
    storage = FaultyStorage(memory, capabilities=NONE)
    assert probe(storage) == NONE
    assert storage.operations == []


def test_a_storage_that_only_reads_can_neither(memory):
    assert probe(ReadOnlyStorage(memory)) == NONE
    assert probe(FaultyStorage(memory, Fault(1, "read only"))) == NONE


def test_a_second_create_that_wins_is_found(memory, monkeypatch):
    monkeypatch.setattr(type(memory), "create", lambda self, path, data: self.write(path, data))
    assert probe(memory) == Capabilities(exclusive_create=False, append=True)
    assert list(memory.list()) == []


def test_appending_that_replaces_is_found(memory, monkeypatch):
    class Replacing(io.BytesIO):
        def write(self, data):
            memory.write(self.path, data)
            return len(data)

    def open_append(_self, path):
        file = Replacing()
        file.path = path
        return file

    monkeypatch.setattr(type(memory), "open_append", open_append)
    assert probe(memory) == Capabilities(exclusive_create=True, append=False)
    assert list(memory.list()) == []


@pytest.mark.parametrize("at", range(1, 10))
def test_a_storage_that_fails_is_a_fault_not_an_answer(memory, at):
    count = FaultyStorage(memory)
    probe(count)
    verbs = [verb for verb, _ in count.operations]
    storage = FaultyStorage(memory, Fault(at, "before"))
    if at > len(verbs) or verbs[at - 1] == "delete":
        assert probe(storage) == BOTH
        return
    with pytest.raises(StorageFault):
        probe(storage)
    assert list(memory.list()) == []
