"""What is known of fsspec's drivers: how a body gets its name at once, and who wins a new name.

A driver that isn't listed is taken at its least: it is never trusted with exclusive create.
"""

from enum import Enum
from typing import Any

from attrs import frozen


class Put(Enum):
    """How a driver gives a body its name."""

    OBJECT = "a body gets its name when its upload ends, as in object stores"
    MEMORY = "a body is set in memory, whole"
    RENAME = "a body is written under another name, then renamed"


class Exclusive(Enum):
    """How a driver makes a name that must be new."""

    NO = "it can't: of several writers, several may win"
    CREATE = 'by pipe_file(mode="create")'
    RENAME = "by a rename of SFTP, which refuses a name that is taken"
    OPEN = 'by open(mode="xb")'


@frozen
class Driver:
    """What is known of a driver.

    Attributes:
        put: How it gives a body its name.
        exclusive: How it makes a name that must be new.
        asks_size: Whether it asks for the size before it reads a whole object.
        one_at_a_time: Whether its connection mixes up the replies to threads that ask at once.
    """

    put: Put
    exclusive: Exclusive
    asks_size: bool = False
    one_at_a_time: bool = False


_KNOWN = {
    "s3fs": Driver(Put.OBJECT, Exclusive.CREATE, asks_size=True),
    "gcsfs": Driver(Put.OBJECT, Exclusive.CREATE),
    "adlfs": Driver(Put.OBJECT, Exclusive.CREATE),
    "fsspec.implementations.memory": Driver(Put.MEMORY, Exclusive.CREATE),
    "fsspec.implementations.sftp": Driver(Put.RENAME, Exclusive.RENAME, one_at_a_time=True),
    "fsspec.implementations.ftp": Driver(Put.RENAME, Exclusive.NO, one_at_a_time=True),
    "sshfs": Driver(Put.RENAME, Exclusive.OPEN),  # its rename, and its "create", overwrite
}

READERS = frozenset(
    {"data", "git", "github", "http", "https", "libarchive", "reference", "tar", "zip"}
)
"""Protocols that only read."""

EXTRAS = {
    "s3": "s3",
    "s3a": "s3",
    "gs": "gcs",
    "gcs": "gcs",
    "abfs": "azure",
    "abfss": "azure",
    "az": "azure",
    "adl": "azure",
    "sftp": "sftp",
    "ssh": "sftp",
    "http": "http",
    "https": "http",
}
"""The extra that installs the driver of a protocol."""


def driver_of(filesystem: Any) -> Driver:
    """Give what is known of a filesystem's driver.

    Args:
        filesystem: One of fsspec; of a folder in another (`dir://`), the other counts.
    """
    while type(filesystem).__module__ == "fsspec.implementations.dirfs":
        filesystem = filesystem.fs
    for parent in type(filesystem).__mro__:
        module = parent.__module__
        known = _KNOWN.get(module) or _KNOWN.get(module.partition(".")[0])
        if known is not None:
            return known
    moves = type(filesystem).mv is not _plain_move()
    return Driver(Put.RENAME if moves else Put.OBJECT, Exclusive.NO)


def _plain_move() -> object:
    """Give fsspec's own move, a copy and a deletion: no better than writing in place."""
    from fsspec import AbstractFileSystem

    return AbstractFileSystem.mv
