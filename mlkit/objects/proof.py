"""Whether the bytes of an object are those that its name stands for, told while they go by."""

import hashlib
from collections import deque
from typing import TYPE_CHECKING, Protocol

from mlkit._core.hashing import Bytes
from mlkit.objects.pack_seal import END, SealedChunk, seal_size, sealed_chunks
from mlkit.objects.packs import ROOT

if TYPE_CHECKING:
    from mlkit.storage.protocol import Storage


class Proof(Protocol):
    """Takes the bytes of an object in order, and tells at the end whether they are right."""

    def update(self, data: Bytes, /) -> None:
        """Take the next bytes."""
        ...

    def holds(self) -> bool:
        """Tell whether all bytes were taken, and are right."""
        ...


def proof_of(storage: "Storage", path: str, digits: str) -> Proof:
    """Give what proves an object: the digest of all its bytes, or the seal of a pack.

    Args:
        storage: Where it lies.
        path: The object.
        digits: The SHA-256 in its name.

    Raises:
        NotFound: There is no such object.
    """
    if path.startswith(f"{ROOT}/"):
        size = storage.stat(path).size
        length = seal_size(storage.read(path, max(0, size - END), size))
        if length is not None and length <= size:
            seal = storage.read(path, size - length, size)
            if hashlib.sha256(seal).hexdigest() == digits:
                return _SealProof(seal)
    return _WholeProof(digits)


class _WholeProof:
    """An object that is named by the digest of all its bytes."""

    def __init__(self, digits: str) -> None:
        self._digits = digits
        self._hasher = hashlib.sha256()

    def update(self, data: Bytes, /) -> None:
        self._hasher.update(data)

    def holds(self) -> bool:
        return self._hasher.hexdigest() == self._digits


class _SealProof:
    """A pack that is named by the digest of its seal, which names its chunks and is right."""

    def __init__(self, seal: bytes) -> None:
        self._parts = deque(sealed_chunks(seal))
        end = self._parts[-1].offset + self._parts[-1].size if self._parts else 0
        self._parts.append(SealedChunk(hashlib.sha256(seal).digest(), end, len(seal)))
        self._hasher, self._taken = hashlib.sha256(), 0
        self._right = True

    def update(self, data: Bytes, /) -> None:
        view = memoryview(data)
        while view and self._right:
            if not self._parts:
                self._right = False
                break
            piece = view[: self._parts[0].size - self._taken]
            self._hasher.update(piece)
            self._taken += len(piece)
            view = view[len(piece) :]
            self._close_parts()

    def holds(self) -> bool:
        self._close_parts()
        return self._right and not self._parts

    def _close_parts(self) -> None:
        """Hold what was taken against the parts that it fills."""
        while self._parts and self._taken == self._parts[0].size:
            self._right &= self._hasher.digest() == self._parts.popleft().digest
            self._hasher, self._taken = hashlib.sha256(), 0
