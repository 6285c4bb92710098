"""A small scikit-learn model, saved and loaded, beside joblib alone."""

import itertools

import joblib
import numpy as np
from sklearn.linear_model import LogisticRegression

from mlkit.store.store import Store


def test_a_small_model(bench, tmp_path):
    random = np.random.default_rng(0)
    X = random.normal(size=(500, 8))
    model = LogisticRegression().fit(X, X[:, 0] > 0)
    store = Store(tmp_path / "store")
    names = itertools.count()
    store.models.save("first", model, input_example=X[:5])  # what is imported once isn't counted
    store.load_model("first")

    saved = bench.side_by_side(
        {
            "mlkit": lambda: store.models.save(f"m{next(names)}", model, input_example=X[:5]),
            "joblib": lambda: joblib.dump(model, tmp_path / f"j{next(names)}"),
        },
        rounds=30,
    )
    joblib.dump(model, tmp_path / "model")
    loaded = bench.side_by_side(
        {
            "mlkit": lambda: store.load_model("first"),
            "joblib": lambda: joblib.load(tmp_path / "model"),
        },
        rounds=30,
    )
    for what, timings, budget in (("save with signature", saved, 30), ("load", loaded, 10)):
        milliseconds = {name: 1e3 * timing.median for name, timing in timings.items()}
        bench.at_most(
            f"a small model: {what}",
            milliseconds["mlkit"],
            "ms",
            budget=budget,
            joblib=milliseconds["joblib"],
        )
