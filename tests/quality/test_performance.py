import math
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn import metrics

from mlkit.errors import InvalidInput
from mlkit.quality import performance
from mlkit.quality.performance import measure, task_of

PROBABILITIES = st.integers(0, 20).map(lambda twentieth: twentieth / 20)
PAIRS = st.integers(2, 50).flatmap(
    lambda n: st.tuples(
        hnp.arrays(np.int64, n, elements=st.integers(0, 1)).filter(
            lambda truth: 0 < truth.sum() < len(truth)
        ),
        hnp.arrays(np.float64, n, elements=PROBABILITIES),
    )
)
NUMBERS = st.integers(2, 50).flatmap(
    lambda n: st.tuples(
        hnp.arrays(np.float64, n, elements=st.floats(-1e6, 1e6).map(lambda x: round(x, 2))),
        hnp.arrays(np.float64, n, elements=st.floats(-1e6, 1e6).map(lambda x: round(x, 2))),
    )
)


@given(PAIRS)
def test_figures_of_probabilities_equal_those_of_scikit_learn(pair):
    truth, score = pair
    found = measure(truth, score, "binary")
    expected = {
        "auc": metrics.roc_auc_score(truth, score),
        "average_precision": metrics.average_precision_score(truth, score),
        "log_loss": metrics.log_loss(truth, score),
        "brier": metrics.brier_score_loss(truth, score),
        "accuracy": metrics.accuracy_score(truth, score >= 0.5),
    }
    assert found == pytest.approx(expected, rel=1e-9, abs=1e-12)


@given(NUMBERS)
def test_figures_of_numbers_equal_those_of_scikit_learn(pair):
    truth, predicted = pair
    found = measure(truth, predicted, "regression")
    assert found["rmse"] == pytest.approx(metrics.root_mean_squared_error(truth, predicted))
    assert found["mae"] == pytest.approx(metrics.mean_absolute_error(truth, predicted))
    if len(set(truth)) > 1:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            assert found["r2"] == pytest.approx(metrics.r2_score(truth, predicted), rel=1e-6)


def test_accuracy_of_labels_equals_that_of_scikit_learn():
    truth, predicted = ["a", "b", "c", "a"], ["a", "b", "b", "a"]
    assert measure(truth, predicted) == {"accuracy": metrics.accuracy_score(truth, predicted)}


def test_figures_that_are_not_defined_are_nan():
    assert math.isnan(performance.auc([1, 1], [0.1, 0.2]))
    assert math.isnan(performance.average_precision([0, 0], [0.1, 0.2]))
    assert math.isnan(performance.r2([1.0, 1.0], [0.5, 1.5]))


@pytest.mark.parametrize(
    ("truth", "predicted", "task"),
    [
        ([True, False], [0.2, 0.9], "binary"),
        ([0.0, 1.0], [0.2, 0.9], "binary"),
        ([0, 1], [1.0, 0.0], "labels"),
        ([0, 1], [0.2, 1.9], "regression"),
        ([2, 1], [0.2, 0.9], "regression"),
        (["a"], ["b"], "labels"),
        ([True], [False], "labels"),
    ],
)
def test_the_task_is_told_from_the_values(truth, predicted, task):
    assert task_of(truth, predicted) == task


@pytest.mark.parametrize(
    ("call", "truth", "predicted", "message"),
    [
        (performance.auc, [0, 2], [0.1, 0.2], "neither 0 nor 1"),
        (performance.auc, [0, 1], [0.1], "2 truths and 1 predictions"),
        (performance.auc, [], [], "nothing to measure"),
        (performance.auc, [0, 1], [[0.1, 0.9], [0.2, 0.8]], "2 dimensions"),
        (performance.log_loss, [0, 1], [0.1, 1.2], "no probability"),
        (performance.brier, [0, 1], [-0.1, 0.2], "no probability"),
        (performance.rmse, [1.0, math.nan], [1.0, 1.0], "missing or infinite"),
        (performance.mae, ["a"], ["b"], "aren't numbers"),
        (performance.accuracy, ["a"], [1], "none can be equal"),
    ],
)
def test_what_can_not_be_measured_is_an_error(call, truth, predicted, message):
    with pytest.raises(InvalidInput, match=message):
        call(truth, predicted)
