"""What the tests of models share: the registry of a local store, data, and a gate."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from mlkit.models.registry import Models
from mlkit.objects.blobs import Blobs
from mlkit.storage.local import LocalStorage


@pytest.fixture
def storage(tmp_path):
    return LocalStorage(tmp_path / "store")


@pytest.fixture
def registry_of(tmp_path):
    """Gives the registry over a storage, with a clock that ticks a second a call."""

    def make(storage, **options):
        seconds = iter(range(1, 10_000))
        given = {"cache": tmp_path / "cache", "trusted": True, "user": "ann", **options}
        return Models(storage, Blobs(storage), clock=lambda: next(seconds) * 1_000_000_000, **given)

    return make


@pytest.fixture
def models(storage, registry_of):
    return registry_of(storage)


@pytest.fixture
def flights():
    """Gives features and labels that a model can learn from."""
    random = np.random.default_rng(0)
    features = pd.DataFrame(
        {
            "distance": random.uniform(100, 2500, 200),
            "hour": random.integers(0, 24, 200),
            "carrier": random.choice(["AA", "UA", "B6"], 200),
        }
    )
    return features, (features.hour > 12).to_numpy()


class Gate:
    """A gate that passes those versions whose auc is no worse than the holder's."""

    def __init__(self):
        self.asked = []

    def evaluate(self, candidate, holder, load):
        self.asked.append((candidate.number, None if holder is None else holder.number))
        best = 0.0 if holder is None else holder.metrics["auc"]
        passed = candidate.metrics["auc"] >= best
        figures = {"candidate": candidate.metrics["auc"], "holder": best}
        return SimpleNamespace(
            passed=passed,
            failures=[] if passed else ["auc: worse than the holder's"],
            to_json=lambda: {"passed": passed, **figures},
            loaded=load,
        )


@pytest.fixture
def gate():
    return Gate()
