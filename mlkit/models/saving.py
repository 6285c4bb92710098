"""From an object to the parts of a version: files, signature, example, environment."""

import math
import platform
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attrs import field, frozen

from mlkit._core.masking import mask_text, mask_value
from mlkit.errors import InvalidInput, MlkitError
from mlkit.models.environment import packages_of
from mlkit.models.loaded import can_predict, predictor
from mlkit.models.package import ModelFile
from mlkit.models.serializers import Serializer, save_model
from mlkit.objects.blobs import Blobs
from mlkit.schema.frames import to_arrow
from mlkit.schema.signature import Signature

if TYPE_CHECKING:
    import pyarrow as pa

_EXAMPLE_ROWS = 100
_LIBRARIES = {"pandas": "pandas", "polars": "polars", "array": "numpy", "vector": "numpy"}


@frozen
class Prepared:
    """An object that is written to local files, before anything goes to the store.

    Attributes:
        serializer: What wrote the files.
        files: The files by their names.
        signature: What the object takes and gives.
        example: The input example as a Parquet file.
        environment: The packages that it needs, with their versions.
        python: The version of Python.
    """

    serializer: Serializer
    files: Mapping[str, Path] = field(repr=False)
    signature: Signature | None
    example: bytes | None = field(repr=False)
    environment: Mapping[str, str]
    python: str

    def stored(self, blobs: Blobs) -> tuple[dict[str, ModelFile], str | None]:
        """Put everything into a store, and give the files' digests and the example's."""
        files = {
            name: ModelFile(blobs.put(path, durable=True), path.stat().st_size)
            for name, path in self.files.items()
        }
        example = None if self.example is None else blobs.put(self.example, durable=True)
        return files, example


@contextmanager
def prepared(model: Any, input_example: Any, serializer: str | None) -> Iterator[Prepared]:
    """Write an object to a temporary folder, and find out what a version says of it.

    Args:
        model: The object.
        input_example: A few rows of input, on which it is tried; None for no signature.
        serializer: The id of the serializer; the first that can, by default.

    Raises:
        InvalidInput: The object can't be kept, the example is no table, or the object can't
            predict on it.
        NotFound: There is no serializer of this id.
    """
    signature, example = _signature(model, input_example)
    with tempfile.TemporaryDirectory(prefix="mlkit-model-") as name:
        folder = Path(name)
        used = save_model(model, folder, serializer)
        files = {
            path.relative_to(folder).as_posix(): path
            for path in sorted(folder.rglob("*"))
            if path.is_file()
        }
        modules = [*used.imports(files).imports, type(model).__module__, used.id]
        if signature is not None:
            modules.append(_LIBRARIES.get(signature.form, ""))
        yield Prepared(
            serializer=used,
            files=files,
            signature=signature,
            example=example,
            environment=packages_of(modules),
            python=platform.python_version(),
        )


def _signature(model: Any, input_example: Any) -> tuple[Signature | None, bytes | None]:
    if input_example is None:
        return None, None
    if hasattr(input_example, "read_all"):  # a reader gives its rows once
        input_example = input_example.read_all()
    table = to_arrow(input_example)
    output = None
    if can_predict(model):
        try:
            output = predictor(model, "The model")(input_example)
        except MlkitError:
            raise
        except Exception as error:
            raise InvalidInput(
                f"The model can't predict on its input example: {type(error).__name__}: {error}",
                hint="Give an example as the model takes it, such as X.head()",
            ) from error
    return Signature.infer(input_example, output), _parquet(table.slice(0, _EXAMPLE_ROWS))


def _parquet(table: "pa.Table") -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    sink = pa.BufferOutputStream()
    try:
        pq.write_table(table, sink)
    except NotImplementedError as error:
        raise InvalidInput(f"The input example can't be kept: {error}") from error
    data: bytes = sink.getvalue().to_pybytes()
    return data


def checked_metrics(metrics: Mapping[str, Any] | None) -> dict[str, float]:
    """Give metrics as plain floats.

    Raises:
        InvalidInput: A name is no text, or a value no number.

    Example:
        >>> checked_metrics({"auc": 1})
        {'auc': 1.0}
    """
    found = {}
    for name, value in (metrics or {}).items():
        number = None if isinstance(value, str | bytes | bool) else _number(value)
        if not isinstance(name, str) or number is None:
            raise InvalidInput(
                f"The metric {name!r} is {value!r}, not a number", hint="Give it as a float"
            )
        found[name] = number
    return found


def _number(value: Any) -> float | None:
    try:
        return math.fsum([value])
    except (TypeError, ValueError, OverflowError):
        return None


def checked_tags(tags: Mapping[str, Any] | None) -> dict[str, str]:
    """Give tags as texts, with secrets masked.

    Raises:
        InvalidInput: A name is no text.
    """
    for name in tags or {}:
        if not isinstance(name, str):
            raise InvalidInput(f"The tag {name!r} has a name that is no text")
    return {
        mask_text(name): str(mask_value(name, str(value))) for name, value in (tags or {}).items()
    }


def links_of(datasets: Iterable[Any]) -> tuple[dict[str, Any], ...]:
    """Give what ties a version to the datasets it was trained on.

    Args:
        datasets: Versions of datasets, mappings with `ref` and `digest`, or references.

    Raises:
        InvalidInput: One is none of these.

    Example:
        >>> links_of(["flights:3"])
        ({'kind': 'dataset', 'ref': 'flights:3', 'digest': ''},)
    """
    if isinstance(datasets, str | Mapping) or not isinstance(datasets, Iterable):
        datasets = [datasets]
    return tuple(_link(dataset) for dataset in datasets)


def _link(dataset: Any) -> dict[str, Any]:
    if isinstance(dataset, str):
        return {"kind": "dataset", "ref": dataset, "digest": ""}
    if isinstance(dataset, Mapping) and isinstance(dataset.get("ref"), str):
        return {"kind": "dataset", "digest": "", **dataset}
    ref, digest = getattr(dataset, "ref", None), getattr(dataset, "digest", None)
    if isinstance(ref, str) and isinstance(digest, str):
        return {"kind": "dataset", "ref": ref, "digest": digest}
    raise InvalidInput(
        f"{dataset!r} is no version of a dataset",
        hint="Give what store.dataset(…) gives, or a reference such as 'flights:3'",
    )
