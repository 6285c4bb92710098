"""A stream that is much larger than memory becomes a version: what that takes of memory.

The 20 GB are slow, and take as much of the disk: BENCH_SLOW=1 asks for them.
"""

import json
import shutil
import subprocess
import sys

import pytest

from tests.benchmarks.contents import SCALE, SLOW, budget, scaled

GB = 10**9
STREAM = """
import json, re, sys, time
import numpy as np, pyarrow as pa
import mlkit
root, size = sys.argv[1], int(sys.argv[2])
rows, columns = 1 << 16, 8
chance = np.random.Generator(np.random.SFC64(0))
schema = pa.schema([(f"c{number}", pa.int64()) for number in range(columns)])
made = 0
def batches():
    global made
    left = size // (8 * columns)
    while left:
        began = time.perf_counter()
        count = min(rows, left)
        data = [pa.py_buffer(chance.bytes(8 * count)) for _ in range(columns)]
        arrays = [pa.Array.from_buffers(pa.int64(), count, [None, one]) for one in data]
        made += time.perf_counter() - began
        yield pa.RecordBatch.from_arrays(arrays, schema=schema)
        left -= count
def peak():
    # Of this program alone: ru_maxrss begins with what the process had that started it.
    with open("/proc/self/status") as status:
        return int(re.search(r"VmHWM:\\s+(\\d+) kB", status.read())[1]) / 1024
began = time.perf_counter()
stream = pa.RecordBatchReader.from_batches(schema, batches())
version = mlkit.Store(root).log_dataset("stream", stream)
seconds = time.perf_counter() - began
print(json.dumps({"seconds": seconds, "made": made, "peak": peak(), "rows": version.rows}))
"""
SIZES = [2, pytest.param(20, marks=pytest.mark.skipif(not SLOW, reason="NOT MEASURED HERE: slow"))]


@pytest.mark.parametrize("size", SIZES)
def test_a_stream_of_bytes_that_do_not_compress(bench, hermetic_root, tmp_path, size):
    total = scaled(size * GB)
    free = shutil.disk_usage(tmp_path).free
    if free < 2.2 * total:
        pytest.skip(f"NOT MEASURED HERE: {size} GB; the disk has {free / GB:.0f} GB left")
    try:
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", STREAM, tmp_path / "store", str(total)],
            check=True,
            capture_output=True,
            text=True,
        )
        stored = sum(
            file.stat().st_size for file in (tmp_path / "store").rglob("*") if file.is_file()
        )
    finally:
        shutil.rmtree(tmp_path / "store", ignore_errors=True)
    answer = json.loads(done.stdout)
    assert answer["rows"] == total // 64
    what = f"a stream of {size * SCALE:g} GB"
    bench.at_most(
        f"memory of the process that adds {what}", answer["peak"], "MiB", budget=budget(500)
    )
    bench.at_most(
        f"seconds for {what}",
        answer["seconds"],
        "s",
        of_that_making_it=answer["made"],
        stored_GB=stored / GB,
    )
