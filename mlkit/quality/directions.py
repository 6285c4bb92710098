"""Which way a metric is better, as its name says."""

import re
from typing import Literal

from mlkit.errors import InvalidInput

Better = Literal["higher", "lower"]

_LOWER = {
    "loss", "logloss", "error", "err", "rmse", "mse", "mae", "mape", "rmsle", "brier", "perplexity",
    "wer", "cer", "ece", "fpr", "fnr", "latency", "seconds", "deviance", "regret",
}  # fmt: skip
_HIGHER = {
    "auc", "auroc", "auprc", "accuracy", "acc", "precision", "recall", "f1", "fbeta", "r2", "ap",
    "map", "ndcg", "mrr", "bleu", "rouge", "iou", "dice", "kappa", "mcc", "score", "tpr", "tnr",
    "sensitivity", "specificity", "gini", "lift", "hit", "reward", "correlation",
}  # fmt: skip
_WORD = re.compile(r"[a-z]+[0-9]?")
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


def direction(metric: str, given: Better | None = None) -> Better:
    """Tell whether a higher or a lower value of a metric is better.

    Args:
        metric: Its name; a known word in it decides, such as `loss` in `val_loss`.
        given: What the caller says, which always holds.

    Raises:
        InvalidInput: Nobody says, and the name doesn't either. To guess could let a worse model by.

    Example:
        >>> direction("val_auc"), direction("log_loss"), direction("profit", "higher")
        ('higher', 'lower', 'higher')
    """
    if given is not None:
        if given not in {"higher", "lower"}:
            message = f"better={given!r} is unknown"
            raise InvalidInput(message, hint="Use 'higher' or 'lower'")
        return given
    words = set(_WORD.findall(_CAMEL.sub("_", metric).lower()))
    if bool(words & _LOWER) == bool(words & _HIGHER):
        message = f"The name {metric!r} doesn't tell whether higher or lower is better"
        raise InvalidInput(message, hint="Say it: better='higher' or better='lower'")
    return "lower" if words & _LOWER else "higher"
