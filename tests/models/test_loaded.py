"""A loaded model checks its input, takes every form of it, and predicts as the saved one did."""

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from mlkit.errors import InvalidInput, SchemaMismatch


@pytest.fixture
def delay(models, flights):
    """Gives a loaded pipeline that took a frame, the pipeline itself, and its features."""
    features, late = flights
    coded = ColumnTransformer([("one", OneHotEncoder(), ["carrier"])], remainder="passthrough")
    fitted = make_pipeline(coded, LogisticRegression(max_iter=1000)).fit(features, late)
    models.save("delay", fitted, input_example=features.head())
    return models.load("delay"), fitted, features


def test_it_predicts_what_the_saved_one_did(delay):
    loaded, fitted, features = delay
    np.testing.assert_array_equal(loaded.predict(features), fitted.predict(features))
    np.testing.assert_array_equal(loaded.predict_proba(features), fitted.predict_proba(features))


@pytest.mark.parametrize(
    "form",
    [
        lambda frame: frame[["carrier", "hour", "distance"]],
        pl.from_pandas,
        lambda frame: pa.Table.from_pandas(frame, preserve_index=False),
        lambda frame: frame.to_dict("list"),
        lambda frame: frame.to_dict("records"),
    ],
)
def test_it_takes_every_form_of_the_same_columns(delay, form):
    loaded, fitted, features = delay
    np.testing.assert_array_equal(loaded.predict(form(features)), fitted.predict(features))


def test_it_refuses_what_does_not_fit_before_the_model_sees_it(delay):
    loaded, _, features = delay
    for method in (loaded.predict, loaded.predict_proba, loaded.check, loaded):
        with pytest.raises(SchemaMismatch, match="'hour' is missing"):
            method(features.drop(columns="hour"))


def test_its_signature_says_what_it_takes(delay):
    loaded, _, _ = delay
    assert str(loaded.signature) == "distance: float64, hour: int64, carrier: string -> bool"


def test_a_model_that_took_arrays_takes_arrays(models):
    features = np.random.default_rng(0).normal(size=(50, 3))
    fitted = LogisticRegression().fit(features, features[:, 0] > 0)
    models.save("plain", fitted, input_example=features[:5])
    loaded = models.load("plain")
    np.testing.assert_array_equal(loaded.predict(features), fitted.predict(features))
    with pytest.raises(SchemaMismatch, match=r"X\.to_numpy\(\)"):
        loaded.predict(pd.DataFrame(features, columns=["a", "b", "c"]))


def test_without_a_signature_nothing_is_checked(models):
    models.save("sum", sum)
    assert models.load("sum").predict([1, 2]) == 3
    assert models.load("sum").signature is None


def test_probabilities_are_there_if_the_model_has_them(models):
    models.save("sum", sum)
    loaded = models.load("sum")
    assert not hasattr(loaded, "predict_proba")
    with pytest.raises(AttributeError, match="sum:1 has no predict_proba"):
        _ = loaded.predict_proba


def test_an_object_that_cannot_predict_says_so(models):
    models.save("table", {"AA": 3.5})
    loaded = models.load("table")
    assert loaded.model == {"AA": 3.5}
    with pytest.raises(InvalidInput, match="table:1 is a dict, which has no predict"):
        loaded.predict([1])
