import uuid

import pytest

from mlkit.storage.memory import MemoryStorage


@pytest.fixture
def memory():
    return MemoryStorage(f"test-{uuid.uuid4()}")
