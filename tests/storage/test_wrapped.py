"""What wraps a storage passes on what it doesn't change."""

import pytest

from mlkit.errors import StorageFault
from mlkit.storage.protocol import Capabilities, Storage
from mlkit.storage.readonly import ReadOnlyStorage
from mlkit.storage.wrapped import LimitedStorage, WrappedStorage


def test_a_wrapped_storage_does_what_the_other_does(memory):
    storage = WrappedStorage(memory)
    assert isinstance(storage, Storage)
    assert storage.capabilities == memory.capabilities
    with storage.open_append("a/b") as file:
        file.write(b"x")
        assert file.writable()
        assert file.tell() == 1
    assert memory.read("a/b") == b"x"
    assert repr(storage) == f"WrappedStorage({memory!r})"


@pytest.mark.parametrize("append", [True, False])
def test_a_limited_storage_does_what_it_says(memory, append):
    storage = LimitedStorage(memory, Capabilities(exclusive_create=False, append=append))
    assert storage.capabilities == Capabilities(exclusive_create=False, append=append)
    if append:
        storage.open_append("a").close()
        assert memory.read("a") == b""
    else:
        with pytest.raises(StorageFault, match="can't append"):
            storage.open_append("a")


def test_a_local_file_is_read_in_place_through_any_wrapping(tmp_path):
    from mlkit.storage.local import LocalStorage

    inner = LocalStorage(tmp_path)
    inner.write("a", b"x")
    assert ReadOnlyStorage(WrappedStorage(inner)).local_path("a") == tmp_path / "a"
