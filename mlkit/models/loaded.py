"""A model that is loaded: its input is checked against its signature before it predicts."""

from collections.abc import Callable
from typing import Any

from attrs import frozen

from mlkit.errors import InvalidInput
from mlkit.models.package import ModelVersion
from mlkit.schema.signature import Signature


@frozen
class LoadedModel:
    """A version's object, ready to predict.

    Attributes:
        version: What it is.
        model: The object itself, which checks nothing.

    Example:
        >>> from mlkit.models.registry import Models
        >>> from mlkit.objects.blobs import Blobs
        >>> from mlkit.storage.memory import MemoryStorage
        >>> storage = MemoryStorage("loaded-example")
        >>> models = Models(storage, Blobs(storage), trusted=True)
        >>> _ = models.save("sum", lambda rows: [sum(row) for row in rows], input_example=[[1, 2]])
        >>> models.load("sum").predict([[3, 4]])
        [7]
    """

    version: ModelVersion
    model: Any

    def __repr__(self) -> str:
        return f"<LoadedModel {self.version.ref}: {type(self.model).__name__}>"

    @property
    def signature(self) -> Signature | None:
        """What the model takes and gives."""
        return self.version.signature

    def check(self, X: Any) -> Any:
        """Give input in the form, order and types that the model took.

        Args:
            X: Rows of features, in whatever form.

        Raises:
            SchemaMismatch: They don't fit the signature; the message has the fix.
        """
        return X if self.signature is None else self.signature.check(X)

    def predict(self, X: Any) -> Any:
        """Predict; the model's own `predict`, or a call where the model is a function.

        Args:
            X: Rows of features: what the model took, or any other frame with the same columns.

        Returns:
            What the model gives.

        Raises:
            SchemaMismatch: The input doesn't fit the signature; the message has the fix.
            InvalidInput: The model has no `predict` and can't be called.
        """
        return predictor(self.model, self.version.ref)(self.check(X))

    def __call__(self, X: Any) -> Any:
        """Predict, for code that takes a function."""
        return self.predict(X)

    @property
    def predict_proba(self) -> Callable[[Any], Any]:
        """Predicts probabilities, checked alike; it is there if the model has it.

        Raises:
            AttributeError: The model has none.
        """
        method = getattr(self.model, "predict_proba", None)
        if method is None:
            raise AttributeError(f"The model {self.version.ref} has no predict_proba")

        def predict_proba(X: Any) -> Any:
            return method(self.check(X))

        return predict_proba


def can_predict(model: Any) -> bool:
    """Tell whether an object has `predict`, or is a function or alike."""
    return callable(getattr(model, "predict", None)) or callable(model)


def predictor(model: Any, what: str) -> Callable[[Any], Any]:
    """Give what predicts: the object's `predict`, or the object itself.

    Args:
        model: The object.
        what: What it is, for the message.

    Raises:
        InvalidInput: It can't predict.
    """
    if not can_predict(model):
        raise InvalidInput(
            f"{what} is a {type(model).__name__}, which has no predict and can't be called",
            hint="Its object is in .model",
        )
    found: Callable[[Any], Any] = getattr(model, "predict", model)
    return found
