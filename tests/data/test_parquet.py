"""Tables as Parquet: whole chunks on their way out, clear errors for what can't be kept."""

import io

import pyarrow as pa
import pytest

from mlkit.data.parquet import ChunkSink, storable, write_parquet
from mlkit.errors import InvalidInput
from mlkit.objects.packs import CHUNK_SIZE


def test_chunks_have_one_size_but_the_last():
    got = []
    sink = ChunkSink(got.append)
    assert sink.writable()
    for _ in range(5):
        sink.write(bytes(CHUNK_SIZE // 2 + 1))
    sink.finish()
    assert [len(chunk) for chunk in got] == [CHUNK_SIZE, CHUNK_SIZE, CHUNK_SIZE // 2 + 5]


def test_full_chunks_leave_no_empty_one():
    got = []
    sink = ChunkSink(got.append)
    sink.write(bytes(CHUNK_SIZE))
    sink.finish()
    assert len(got) == 1


def test_a_schema_that_parquet_cannot_hold_is_refused():
    schema = pa.schema({"odd": pa.month_day_nano_interval()})
    with pytest.raises(InvalidInput, match="can't be kept as Parquet"):
        write_parquet([], schema, io.BytesIO())


def test_a_value_that_parquet_cannot_hold_is_refused():
    batch = pa.record_batch({"t": pa.array([2**62], pa.timestamp("s"))})
    with pytest.raises(InvalidInput, match="can't be kept as Parquet"):
        write_parquet([batch], batch.schema, io.BytesIO())


def test_columns_of_one_name_are_refused():
    with pytest.raises(InvalidInput, match="the name 'a'"):
        storable(pa.schema([("a", pa.int8()), ("a", pa.int8())]))
