"""One immutable version of a model: what it is, what it takes and needs, and where it came from."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from attrs import field, frozen

from mlkit._core import shapes
from mlkit._core.clock import iso, parse_iso
from mlkit._core.codec import encode_value
from mlkit._core.hashing import digest_bytes, hex_of
from mlkit.display.formats import show_bytes, show_float
from mlkit.errors import Corrupt, InvalidInput
from mlkit.schema.signature import Signature

ROOT = "models"
KIND = "model_version"
_SHOWN = 3
_ID = 13


@frozen
class ModelFile:
    """A file of a version.

    Attributes:
        digest: The digest of its bytes, under which it is a blob.
        size: Its length in bytes.
    """

    digest: str
    size: int


@frozen(kw_only=True)
class ModelVersion:
    """One immutable version of a model.

    Attributes:
        name: The model.
        number: The version, from 1.
        digest: The digest of its files and of the serializer that reads them.
        created_at: When it was saved, in nanoseconds since 1970, UTC.
        user: Who saved it.
        serializer: The id of what reads its files.
        serializer_version: The version of the files' format.
        files: Its files by their names.
        signature: What it takes and gives; None where no example was given.
        example: The digest of the input example, a Parquet file; None where there is none.
        environment: The packages that it needs, with the versions it was saved with.
        python: The version of Python it was saved with.
        metrics: What is known of its quality.
        run_id: The run that made it.
        datasets: What it was trained on: mappings with `kind`, `ref` and `digest`.
        tags: Labels.
        note: What to say of it.
    """

    name: str
    number: int
    digest: str
    created_at: int
    user: str
    serializer: str
    serializer_version: int
    files: Mapping[str, ModelFile] = field(repr=False)
    signature: Signature | None = field(default=None, repr=False)
    example: str | None = field(default=None, repr=False)
    environment: Mapping[str, str] = field(factory=dict, repr=False)
    python: str = field(default="", repr=False)
    metrics: Mapping[str, float] = field(factory=dict)
    run_id: str | None = None
    datasets: Sequence[Mapping[str, Any]] = ()
    tags: Mapping[str, str] = field(factory=dict)
    note: str = ""

    @property
    def ref(self) -> str:
        """The reference, such as `delay:3`."""
        return f"{self.name}:{self.number}"

    def __repr__(self) -> str:
        run = f" of run {self.run_id[:_ID]}…" if self.run_id else ""
        figures = [f"{name}={show_float(value)}" for name, value in self.metrics.items()]
        figures[_SHOWN:] = ["…"] if len(figures) > _SHOWN else []
        facts = ", ".join([*figures, show_bytes(self.size)])
        return f"<ModelVersion {self.ref}{run}: {facts}>"

    @property
    def size(self) -> int:
        """The length of all files together, in bytes."""
        return sum(file.size for file in self.files.values())

    def blobs(self) -> Iterator[str]:
        """Give the digests of all blobs that the version needs."""
        yield from (file.digest for file in self.files.values())
        if self.example is not None:
            yield self.example

    def to_document(self) -> dict[str, Any]:
        """Give the fields of its document; the series adds the number and the writer."""
        return {
            "digest": self.digest,
            "created_at": iso(self.created_at),
            "user": self.user,
            "serializer": {"id": self.serializer, "version": self.serializer_version},
            "files": {
                name: {"digest": file.digest, "size": file.size}
                for name, file in self.files.items()
            },
            "signature": None if self.signature is None else self.signature.to_json(),
            "example": self.example,
            "environment": dict(self.environment),
            "python": self.python,
            "metrics": dict(self.metrics),
            "run_id": self.run_id,
            "datasets": [dict(link) for link in self.datasets],
            "tags": dict(self.tags),
            "note": self.note,
        }

    @classmethod
    def from_document(cls, name: str, document: Mapping[str, Any]) -> "ModelVersion":
        """Give the version of a document.

        Raises:
            Corrupt: A field is missing or isn't what it must be.
        """
        try:
            serializer = shapes.required(document, "serializer", dict)
            signature = shapes.optional(document, "signature", dict)
            datasets = shapes.items(document, "datasets", dict)
            version = cls(
                name=name,
                number=shapes.required(document, "number", int),
                digest=shapes.required(document, "digest", str),
                created_at=parse_iso(shapes.required(document, "created_at", str)),
                user=shapes.required(document, "user", str),
                serializer=shapes.required(serializer, "id", str),
                serializer_version=shapes.required(serializer, "version", int),
                files={
                    path: ModelFile(
                        shapes.required(file, "digest", str), shapes.required(file, "size", int)
                    )
                    for path, file in shapes.mapping(document, "files", dict).items()
                },
                signature=None if signature is None else Signature.from_json(signature),
                example=shapes.optional(document, "example", str),
                environment=shapes.mapping(document, "environment", str),
                python=shapes.required(document, "python", str),
                metrics=shapes.mapping(document, "metrics", float),
                run_id=shapes.optional(document, "run_id", str),
                datasets=datasets,
                tags=shapes.mapping(document, "tags", str),
                note=shapes.required(document, "note", str),
            )
            for link in datasets:
                shapes.required(link, "ref", str)
            for digest in (version.digest, *version.blobs()):
                hex_of(digest)
        except (shapes.Misshapen, InvalidInput) as error:
            raise Corrupt(
                f"The document of a version of model {name!r} lacks what it must hold: {error}"
            ) from error
        return version


def digest_of(serializer: str, version: int, files: Mapping[str, ModelFile]) -> str:
    """Give the digest that stands for the files of a version and how they are read."""
    content = {name: files[name].digest for name in sorted(files)}
    return digest_bytes(encode_value([serializer, version, content]).encode())
