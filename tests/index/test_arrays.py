"""Arrays of plain values."""

import subprocess
import sys

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlkit.index.arrays import array_of, certain, scalar_of
from mlkit.store.store import Store

VALUES = {
    pa.string(): st.text(),
    pa.int64(): st.integers(-(2**63), 2**63 - 1),
    pa.float64(): st.floats(),
    pa.bool_(): st.booleans(),
}


@pytest.mark.parametrize("kind", VALUES, ids=str)
@given(data=st.data())
def test_arrays_are_those_of_arrow(kind, data):
    values = data.draw(st.lists(VALUES[kind], max_size=20))
    found = array_of(values, kind)
    found.validate(full=True)
    assert repr(found.to_pylist()) == repr(pa.array(values, kind).to_pylist())
    for value in values:
        assert repr(scalar_of(value, kind)) == repr(pa.scalar(value, kind))
    assert scalar_of(None, kind).as_py() is None


def test_what_is_unknown_is_false():
    assert certain(pa.array([True, None, False])).to_pylist() == [True, False, False]


def test_a_search_in_folded_runs_loads_no_pandas(tmp_path):
    store = Store(tmp_path / "store")
    for depth in (2, 4, 6):
        with store.start_run("flights", name=f"depth {depth}") as run:
            run.log_params(depth=depth, lr=0.1, kind="tree")
            run.log_metrics({"auc": depth / 10})
    store.compact()
    program = f"""
import sys, mlkit
runs = mlkit.Store({str(tmp_path / "store")!r}).search_runs(
    "metrics.auc > 0.1 and params.depth in (4, 6) and params.lr = 0.1 and params.kind like 't%'",
    order_by=["-metrics.auc", "name"], limit=20)
assert runs.to_arrow().num_rows == 2
sys.exit("pandas" in sys.modules)
"""
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
