"""For those who write or use a storage: contract suites to subclass, and faults on order.

```python
from mlkit.testing import StorageContract

class TestMine(StorageContract):
    @pytest.fixture
    def storage(self, tmp_path):
        return MyStorage(tmp_path)
```
"""

import pytest

pytest.register_assert_rewrite(
    "mlkit.testing.reading_contract",
    "mlkit.testing.storage_contract",
    "mlkit.testing.storage_machine",
)

from mlkit.testing.faults import Fault, FaultyStorage, Kill  # noqa: E402 - the rewriting comes first
from mlkit.testing.reading_contract import ReadingContract, ReadOnlyContract  # noqa: E402 - as above
from mlkit.testing.storage_contract import StorageContract  # noqa: E402 - as above
from mlkit.testing.storage_machine import StorageMachine  # noqa: E402 - as above

__all__ = [
    "Fault",
    "FaultyStorage",
    "Kill",
    "ReadOnlyContract",
    "ReadingContract",
    "StorageContract",
    "StorageMachine",
]
