"""Promise: no bit of a table's files can turn without being found, unless nothing changes by it."""

import subprocess
import sys

import pytest

from mlkit.errors import Corrupt, MlkitError, NotFound, StorageFault
from mlkit.storage.memory import MemoryStorage
from mlkit.storage.wrapped import WrappedStorage
from mlkit.tables.checkpoint import decode_checkpoint
from mlkit.tables.delta_table import DeltaTable
from mlkit.tables.log import Log


def flips(data, sealed):
    """Give a file's bytes with one of its bits turned, each once; one a byte of what is sealed."""
    for position in range(len(data)):
        for bit in range(8) if position < len(data) - sealed else [position % 8]:
            turned = bytearray(data)
            turned[position] ^= 1 << bit
            yield position, bytes(turned)


def unnoticed(path, read, sealed=0):
    """Give where a bit can turn so that something else is read, or something else is raised."""
    data, right = path.read_bytes(), read()
    found = []
    for position, turned in flips(data, sealed):
        path.write_bytes(turned)
        try:
            if read() != right:
                found.append((position, "is read"))
        except Corrupt:
            continue
        except MlkitError as error:
            found.append((position, repr(error)))
    path.write_bytes(data)
    return found


def test_a_bit_of_a_data_file_cannot_turn_unnoticed(table, rows, tmp_path):
    add = table.write(rows)
    assert table.file(add).metadata.num_row_groups == 2

    def read():
        found = [table.file(add).read([name]) for name in rows.column_names]
        return repr([one.to_pylist() for one in found])

    path, tail = tmp_path / "tables/runs" / add.path, int(add.tags["tail_size"])
    assert unnoticed(path, read, sealed=tail) == []


@pytest.mark.parametrize("name", [f"{0:020d}.json", f"{1:020d}.json"])
def test_a_bit_of_a_commit_cannot_turn_unnoticed(name, table, rows, tmp_path):
    snapshot = table.commit(table.read(), schema=rows.schema, add=[table.write(rows)])
    files = list(snapshot.files.values())
    snapshot = table.commit(snapshot, schema=rows.schema, add=[table.write(rows)], remove=files)

    def read():
        read = table.read()
        return read.version, read.files, read.removed, read.metadata

    assert unnoticed(tmp_path / "tables/runs/_delta_log" / name, read) == []


def test_a_bit_of_a_checkpoint_cannot_turn_unnoticed(table, rows, tmp_path):
    add = table.write(rows)
    snapshot = table.commit(table.read(), schema=rows.schema, add=[add])
    snapshot = table.commit(snapshot, schema=rows.schema, remove=[add], add=[table.write(rows)])
    for _ in range(9):
        snapshot = table.commit(snapshot, schema=rows.schema)
    path = tmp_path / "tables/runs/_delta_log" / f"{10:020d}.checkpoint.parquet"
    assert table.read() == snapshot
    data = path.read_bytes()
    for _, turned in flips(data, len(data)):
        with pytest.raises(Corrupt):
            decode_checkpoint(turned, 10, "the checkpoint")


@pytest.mark.parametrize("length", [0, 1, 7, 100, -1])
@pytest.mark.parametrize("kind", ["commit", "checkpoint", "data"])
def test_what_was_cut_is_damage(kind, length, table, rows, tmp_path):
    add = table.write(rows)
    snapshot = table.commit(table.read(), schema=rows.schema, add=[add])
    for _ in range(10):
        snapshot = table.commit(snapshot, schema=rows.schema, add=[table.write(rows)])
    folder = tmp_path / "tables/runs"
    ends = {
        "commit": f"_delta_log/{10:020d}.json",
        "checkpoint": f"_delta_log/{10:020d}.checkpoint.parquet",
        "data": add.path,
    }
    path = folder / ends[kind]
    path.write_bytes(path.read_bytes()[:length])
    if kind == "commit":  # the checkpoint says what it said; who knows the table reads it again
        assert table.read().files == snapshot.files
        assert table.read(snapshot).files == snapshot.files
        (folder / ends["checkpoint"]).unlink()
    with pytest.raises(Corrupt, match=r"reindex"):
        [table.file(one).read(rows.column_names) for one in table.read().files.values()]


def test_a_data_file_that_is_gone_is_not_taken_for_an_empty_one(table, rows, tmp_path):
    add = table.write(rows)
    (tmp_path / "tables/runs" / add.path).unlink()
    with pytest.raises(NotFound):
        table.file(add).read(["run_id"])


def test_a_storage_that_fails_is_not_taken_for_damage(rows):
    class Failing(WrappedStorage):
        fails = False

        def read(self, path, start=0, end=None):
            if self.fails:
                raise StorageFault("the network is away")
            return super().read(path, start, end)

    storage = Failing(MemoryStorage("tables-failing"))
    table = DeltaTable(storage, "t", clock=lambda: 0)
    add = table.write(rows)
    table.commit(table.read(), schema=rows.schema, add=[add])
    file = table.file(add)
    assert file.metadata.num_rows == 6
    storage.fails = True
    for act in (lambda: file.read(["run_id"]), table.read, Log(storage, "t", lambda: 0).read):
        with pytest.raises(StorageFault, match="away"):
            act()


def test_no_column_has_its_rows_elsewhere_when_a_name_begins_with_another(table):
    import pyarrow as pa

    names = ["params.a", "params.a.b", "params.a.b.c", "params", "params."]
    rows = pa.table({name: [number] for number, name in enumerate(names)})
    file = table.file(table.write(rows))
    for number, name in enumerate(names):
        assert file.read([name]).to_pylist() == [{name: number}]
    assert file.read(names[::-1]).select(names).to_pylist() == rows.to_pylist()


def test_no_columns_and_no_groups_are_no_rows_of_nothing(table, rows):
    file = table.file(table.write(rows))
    assert file.read(["never"]).num_columns == 0
    assert file.read(["run_id"], groups=[]).num_rows == 0
    assert file.read([], groups=[]).num_rows == 0
    empty = table.file(table.write(rows.slice(0, 0)))
    assert empty.read(rows.column_names).num_rows == 0


READS = """
import sys
import pyarrow as pa
from mlkit.storage.local import LocalStorage
from mlkit.tables.delta_table import DeltaTable

table = DeltaTable(LocalStorage(sys.argv[1]), "t", clock=lambda: 0)
rows = pa.table({f"c{number}": ["x"] * 8 for number in range(1500)})
table.file(table.write(rows)).read(rows.column_names)
"""


def test_a_program_that_exits_right_after_reading_exits_cleanly(tmp_path):
    for _ in range(8):  # Arrow's threads may still be letting go of what was read
        done = subprocess.run(
            [sys.executable, "-c", READS, tmp_path], capture_output=True, text=True, check=False
        )
        assert (done.returncode, done.stderr) == (0, "")
