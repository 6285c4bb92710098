"""How good predictions are, once the truth is known; equal to scikit-learn's figures."""

import math
from typing import TYPE_CHECKING, Any, Literal

from mlkit._core.extras import require
from mlkit.errors import InvalidInput

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Array = npt.NDArray[np.float64]

Task = Literal["binary", "labels", "regression"]
"""What is predicted: the probability of one of two outcomes, a label, or a number."""

_CLIP = 2.220446049250313e-16


def auc(truth: Any, score: Any) -> float:
    """Give the area under the ROC curve: how often a positive scores above a negative.

    By ranks (Mann and Whitney), a tie counting half.

    Args:
        truth: 0 or 1, or bools.
        score: Any number that is higher where 1 is likelier.

    Returns:
        0 to 1; NaN where only one outcome occurs.

    Example:
        >>> auc([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])
        0.75
    """
    np = require("numpy", extra="stats")
    y, s = _outcomes(truth, score)
    positives = int(y.sum())
    negatives = len(y) - positives
    if not (positives and negatives):
        return math.nan
    _, place, counts = np.unique(s, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    ranks = (ends - (counts - 1) / 2)[place]
    won = float(ranks[y == 1].sum()) - positives * (positives + 1) / 2
    return won / (positives * negatives)


def average_precision(truth: Any, score: Any) -> float:
    """Give the average precision: the precision at each threshold, weighted by recall gained.

    Args:
        truth: 0 or 1, or bools.
        score: Any number that is higher where 1 is likelier.

    Returns:
        0 to 1; NaN where nothing is positive.

    Example:
        >>> round(average_precision([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8]), 4)
        0.8333
    """
    np = require("numpy", extra="stats")
    y, s = _outcomes(truth, score)
    if not y.any():
        return math.nan
    order = np.argsort(-s, kind="stable")
    y, s = y[order], s[order]
    last = np.append(
        np.flatnonzero(np.diff(s)), len(s) - 1
    )  # where a threshold has passed all ties
    hits = np.cumsum(y)[last]
    precision = hits / (last + 1)
    recall = hits / y.sum()
    return float(np.sum(np.diff(recall, prepend=0.0) * precision))


def log_loss(truth: Any, probability: Any) -> float:
    """Give the mean negative logarithm of the probability given to what happened.

    Args:
        truth: 0 or 1, or bools.
        probability: The probability of 1; clipped a hair off 0 and 1.

    Example:
        >>> round(log_loss([0, 1], [0.1, 0.8]), 4)
        0.1643
    """
    np = require("numpy", extra="stats")
    y, p = _outcomes(truth, probability)
    _check_probabilities(p)
    p = np.clip(p, _CLIP, 1 - _CLIP)
    return float(-np.mean(np.where(y == 1, np.log(p), np.log(1 - p))))


def brier(truth: Any, probability: Any) -> float:
    """Give the mean squared distance of the probability of 1 from what happened.

    Example:
        >>> round(brier([0, 1], [0.1, 0.8]), 3)
        0.025
    """
    np = require("numpy", extra="stats")
    y, p = _outcomes(truth, probability)
    _check_probabilities(p)
    return float(np.mean((p - y) ** 2))


def accuracy(truth: Any, predicted: Any) -> float:
    """Give the share of predictions that are equal to the truth.

    Example:
        >>> accuracy(["a", "b"], ["a", "c"])
        0.5
    """
    np = require("numpy", extra="stats")
    left, right = _vector(truth, "truth"), _vector(predicted, "predicted")
    _check_lengths(left, right)
    if (left.dtype.kind in "biuf") != (right.dtype.kind in "biuf"):
        message = f"Truths are {left.dtype} and predictions {right.dtype}, so none can be equal"
        raise InvalidInput(message, hint="Give both as numbers, or both as texts")
    return float(np.mean(left == right))


def rmse(truth: Any, predicted: Any) -> float:
    """Give the root of the mean squared error.

    Example:
        >>> rmse([1.0, 2.0], [1.0, 4.0])
        1.4142135623730951
    """
    np = require("numpy", extra="stats")
    left, right = _numbers(truth, predicted)
    return float(np.sqrt(np.mean((left - right) ** 2)))


def mae(truth: Any, predicted: Any) -> float:
    """Give the mean absolute error.

    Example:
        >>> mae([1.0, 2.0], [1.0, 4.0])
        1.0
    """
    np = require("numpy", extra="stats")
    left, right = _numbers(truth, predicted)
    return float(np.mean(np.abs(left - right)))


def r2(truth: Any, predicted: Any) -> float:
    """Give the coefficient of determination: the share of the variance that is explained.

    Returns:
        At most 1; NaN where the truth doesn't vary.

    Example:
        >>> r2([1.0, 2.0, 3.0], [1.0, 2.0, 4.0])
        0.5
    """
    np = require("numpy", extra="stats")
    left, right = _numbers(truth, predicted)
    total = float(np.sum((left - left.mean()) ** 2))
    return 1 - float(np.sum((left - right) ** 2)) / total if total else math.nan


def task_of(truth: Any, predicted: Any) -> Task:
    """Tell what is predicted from what truths and predictions look like.

    Truths of 0 and 1 with predictions between are probabilities; other numbers are numbers, unless
    both are whole 0 and 1 only; texts and bools are labels.

    Example:
        >>> task_of([0, 1], [0.2, 0.7]), task_of([0, 1], [0, 1]), task_of([3.5], [3.1])
        ('binary', 'labels', 'regression')
    """
    np = require("numpy", extra="stats")
    y, p = _vector(truth, "truth"), _vector(predicted, "predicted")
    if y.dtype.kind not in "biuf" or p.dtype.kind not in "iuf":
        return "labels"
    if not np.isin(y, (0, 1)).all():
        return "regression"
    if np.isin(p, (0, 1)).all():
        return "labels"
    return "binary" if ((p >= 0) & (p <= 1)).all() else "regression"


def measure(truth: Any, predicted: Any, task: Task | None = None) -> dict[str, float]:
    """Give the customary figures for a task.

    Args:
        truth: What happened.
        predicted: What was predicted.
        task: What is predicted; told by `task_of` by default.

    Returns:
        For `binary` auc, average_precision, log_loss, brier and accuracy (at 0.5); for `labels`
        accuracy; for `regression` rmse, mae and r2. A figure that isn't defined is NaN.

    Raises:
        InvalidInput: The two have different lengths or no values, or values of the wrong kind.

    Example:
        >>> measure([1.0, 2.0, 3.0], [1.0, 2.0, 4.0])["r2"]
        0.5
    """
    np = require("numpy", extra="stats")
    task = task or task_of(truth, predicted)
    if task == "labels":
        return {"accuracy": accuracy(truth, predicted)}
    if task == "regression":
        return {
            "rmse": rmse(truth, predicted),
            "mae": mae(truth, predicted),
            "r2": r2(truth, predicted),
        }
    truth, score = _outcomes(truth, predicted)
    return {
        "auc": auc(truth, score),
        "average_precision": average_precision(truth, score),
        "log_loss": log_loss(truth, score),
        "brier": brier(truth, score),
        "accuracy": float(np.mean((score >= 0.5) == (truth == 1))),  # noqa: PLR2004 - the even chance
    }


def _outcomes(truth: Any, score: Any) -> tuple["Array", "Array"]:
    np = require("numpy", extra="stats")
    y, s = _numbers(truth, score)
    if not np.isin(y, (0.0, 1.0)).all():
        raise InvalidInput("A truth is neither 0 nor 1", hint="Give bools, or 0 and 1")
    return y, s


def _numbers(truth: Any, predicted: Any) -> tuple["Array", "Array"]:
    np = require("numpy", extra="stats")
    sides = []
    for values, what in ((truth, "truth"), (predicted, "predicted")):
        array = _vector(values, what)
        if array.dtype.kind not in "biuf":
            raise InvalidInput(f"The values of {what} aren't numbers, but {array.dtype}")
        array = array.astype(np.float64)
        if not np.isfinite(array).all():
            raise InvalidInput(f"A value of {what} is missing or infinite", hint="Drop it first")
        sides.append(array)
    _check_lengths(sides[0], sides[1])
    return sides[0], sides[1]


def _vector(values: Any, what: str) -> Any:
    np = require("numpy", extra="stats")
    array = np.asarray(values)
    if array.ndim != 1:
        message = f"{what} has {array.ndim} dimensions"
        raise InvalidInput(message, hint="Of probabilities, give one column: proba[:, 1]")
    return array


def _check_lengths(left: Any, right: Any) -> None:
    if len(left) != len(right):
        raise InvalidInput(f"There are {len(left)} truths and {len(right)} predictions")
    if not len(left):
        raise InvalidInput("There is nothing to measure: no truths")


def _check_probabilities(p: "Array") -> None:
    if ((p < 0) | (p > 1)).any():
        raise InvalidInput("A prediction is no probability: it is below 0 or above 1")
