"""Tables as Parquet: the schemas that can be kept, and those that can't."""

import pyarrow as pa
import pytest

from mlkit.data.parquet import storable
from mlkit.errors import InvalidInput


def test_columns_of_one_name_are_refused():
    with pytest.raises(InvalidInput, match="the name 'a'"):
        storable(pa.schema([("a", pa.int8()), ("a", pa.int8())]))


def test_views_and_runs_are_stored_as_their_plain_types():
    schema = pa.schema(
        {"s": pa.string_view(), "r": pa.run_end_encoded(pa.int32(), pa.int8()), "n": pa.int64()}
    )
    assert storable(schema).types == [pa.large_string(), pa.int8(), pa.int64()]
