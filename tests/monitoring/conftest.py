import itertools
from types import SimpleNamespace

import pyarrow as pa
import pytest

from mlkit._core.clock import parse_iso
from mlkit.monitoring.monitor import Monitor
from mlkit.storage.local import LocalStorage

SECOND = 1_000_000_000


@pytest.fixture
def storage(tmp_path):
    return LocalStorage(tmp_path)


@pytest.fixture
def clock():
    """A clock that moves on by a second each time it is looked at."""
    seconds = itertools.count(parse_iso("2013-04-01"), SECOND)
    return lambda: next(seconds)


@pytest.fixture
def version():
    """Makes a deployed version."""

    def make(number=1, *, inputs=None, **metrics):
        signature = None
        if inputs is not None:
            signature = SimpleNamespace(inputs=pa.schema([(name, pa.float64()) for name in inputs]))
        return SimpleNamespace(name="delay", number=number, metrics=metrics, signature=signature)

    return make


@pytest.fixture
def monitor(storage, clock, version):
    return Monitor(storage, version(auc=0.8), clock=clock)
