import pyarrow as pa
import pytest

from mlkit.storage.local import LocalStorage
from mlkit.tables.delta_table import DeltaTable

NOW = 1_700_000_000_000_000_000


@pytest.fixture
def table(tmp_path):
    """A table in a folder, small row groups, and encodings as the index has them."""
    return DeltaTable(
        LocalStorage(tmp_path),
        "tables/runs",
        clock=lambda: NOW,
        group_rows=4,
        encodings={"number": "DELTA_BINARY_PACKED", "value": "PLAIN"},
    )


@pytest.fixture
def rows():
    """Rows with every type that tables of the index have."""
    texts = pa.map_(pa.string(), pa.string())
    return pa.table(
        {
            "run_id": ["a", "b", "c", "d", "e", "f"],
            "number": [1, 5, None, 7, 100_000, 3],
            "value": [1.5, 2.0, None, 4.0, float("nan"), 6.0],
            "flag": [True, None, False, True, True, False],
            "goals": pa.array([[("k", "v")], None, [], [("a", "b"), ("c", "d")], None, []], texts),
        }
    )
