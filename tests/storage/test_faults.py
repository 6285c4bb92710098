"""Faults come when they are ordered, and as they are ordered."""

import errno

import pytest

from mlkit.errors import ReadOnly, StorageFault
from mlkit.storage.local import LocalStorage
from mlkit.storage.protocol import Capabilities
from mlkit.testing import Fault, FaultyStorage, Kill


def test_without_orders_nothing_fails_and_all_is_counted(memory):
    storage = FaultyStorage(memory)
    storage.write("a", b"x")
    with storage.open_append("b") as file:
        file.write(b"y")
    storage.children()
    assert storage.operations == [
        ("write", "a"),
        ("open_append", "b"),
        ("append", "b"),
        ("children", ""),
    ]
    assert repr(storage) == f"FaultyStorage({memory!r})"
    assert storage.url == memory.url


def test_a_fault_before_an_operation_leaves_it_undone(memory):
    storage = FaultyStorage(memory, Fault(1, "before"))
    with pytest.raises(StorageFault, match="before operation 1, write of 'a'"):
        storage.write("a", b"x")
    assert memory.children() == []
    storage.write("a", b"x")


def test_a_fault_after_an_operation_leaves_it_done(memory):
    storage = FaultyStorage(memory, Fault(1, "after"))
    with pytest.raises(StorageFault, match="after operation 1"):
        storage.create("a", b"x")
    assert memory.read("a") == b"x"
    storage.create("a", b"x")


@pytest.mark.parametrize(("how", "names"), [("kill before", []), ("kill after", ["a"])])
def test_after_a_kill_nothing_works(memory, how, names):
    storage = FaultyStorage(memory, Fault(1, how))
    with pytest.raises(Kill):
        storage.write("a", b"x")
    for act in (lambda: storage.read("a"), lambda: storage.write("b", b"x")):
        with pytest.raises(Kill, match="before"):
            act()
    assert memory.children() == names
    assert not issubclass(Kill, Exception)


def test_a_storage_that_is_down_stays_so(memory):
    storage = FaultyStorage(memory, Fault(2, "down"))
    storage.write("a", b"x")
    for _ in range(2):
        with pytest.raises(StorageFault):
            storage.read("a")


def test_a_full_storage_reads_and_deletes(memory):
    storage = FaultyStorage(memory, Fault(2, "full"))
    storage.write("a", b"x")
    for act in (
        lambda: storage.write("b", b"x"),
        lambda: storage.create("b", b"x"),
        lambda: storage.open_append("b"),
    ):
        with pytest.raises(StorageFault, match=r"No space left.*Free some space"):
            act()
    assert storage.read("a") == b"x"
    assert storage.stat("a").size == 1
    assert len(list(storage.list())) == 1
    storage.delete("a")
    assert storage.children() == []


def test_a_storage_that_became_read_only_reads(memory):
    memory.write("a", b"x")
    storage = FaultyStorage(memory, Fault(1, "read only"))
    assert storage.read("a") == b"x"
    for act in (lambda: storage.write("b", b"x"), lambda: storage.delete("a")):
        with pytest.raises(ReadOnly):
            act()


@pytest.mark.parametrize(("how", "number"), [("full", errno.ENOSPC), ("before", errno.EIO)])
def test_a_file_that_was_opened_fails_as_files_do(memory, how, number):
    storage = FaultyStorage(memory, Fault(3, how))
    with storage.open_append("a") as file:
        file.write(b"x")
        with pytest.raises(OSError, match=r"No space|Ordered") as caught:
            file.write(b"y")
        assert type(caught.value) is OSError
        assert caught.value.errno == number
    assert memory.read("a") == b"x"


def test_what_isnt_declared_is_refused(memory):
    none = Capabilities(exclusive_create=False, append=False)
    storage = FaultyStorage(memory, capabilities=none)
    assert storage.capabilities == none
    with pytest.raises(StorageFault, match="append"):
        storage.open_append("a")


def test_a_file_has_the_number_of_the_one_inside(tmp_path):
    storage = FaultyStorage(LocalStorage(tmp_path))
    with storage.open_append("a") as file:
        assert file.fileno() > 0
    assert storage.local_path("a") == tmp_path / "a"
