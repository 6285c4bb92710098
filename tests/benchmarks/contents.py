"""What becomes versions in the benchmarks: folders, large files and tables, made in a moment.

The bytes of files are random, so nothing compresses, but the same on every machine.
"""

import itertools
import os
import random
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
from attrs import frozen

SCALE = float(os.environ.get("BENCH_SCALE", "1"))
"""What part of the full size everything has; for tries, in which no budget counts."""

SLOW = os.environ.get("BENCH_SLOW") == "1"
"""Whether to measure, too, what takes many minutes or tens of gigabytes."""

DOUBTED = 2.5  # seconds
PIECE = 8 << 20
PLACES = 5


def scaled(number):
    """Give a number at the size that is asked for."""
    return max(1, round(number * SCALE))


def budget(value):
    """Give a budget, none where things don't have their full size."""
    return value if SCALE == 1 else None


def settle():
    """Let the disk come to rest, and files become as old as those that nobody doubts.

    A file that changed in this very moment could change again without another time, so who wants
    to be sure of it reads it once more.
    """
    os.sync()
    time.sleep(DOUBTED)


@frozen
class FolderShape:
    """A folder of many small files.

    Attributes:
        files: How many.
        size: The bytes of each.
        width: How many lie side by side in one folder.
    """

    files: int
    size: int
    width: int = 1000

    def __str__(self):
        size = f"{self.size // 1024} KB" if self.size >= 1024 else f"{self.size} bytes"
        return f"{self.files:,} files of {size}"

    def path(self, number):
        """Give the path of a file in the folder."""
        return f"{number // self.width:04}/{number:07}.bin"

    def make(self, folder):
        """Write all files into a folder that isn't there yet."""
        chance = random.Random(0)
        for first in range(0, self.files, self.width):
            parent = Path(folder, self.path(first)).parent
            parent.mkdir(parents=True)
            data = chance.randbytes(self.size * self.width)
            for number in range(first, min(first + self.width, self.files)):
                start = (number - first) * self.size
                place = parent / f"{number:07}.bin"
                place.write_bytes(data[start : start + self.size])

    def change_one(self, folder):
        """Write one file anew."""
        place = Path(folder, self.path(self.files // 2))
        place.write_bytes(random.Random(1).randbytes(self.size))

    def rename_a_tenth(self, folder):
        """Give every tenth file another name, beside the old one."""
        for number in range(0, self.files, 10):
            place = Path(folder, self.path(number))
            place.rename(place.with_suffix(".renamed"))


@frozen
class FileShape:
    """One large file.

    Attributes:
        size: Its bytes.
    """

    size: int

    def __str__(self):
        return f"{self.size / (1 << 20):,.4g} MiB" if self.size < 1 << 30 else "1 GiB"

    def make(self, path):
        """Write the file."""
        chance = random.Random(0)
        with Path(path).open("xb") as file:
            starts = range(0, self.size, PIECE)
            file.writelines(chance.randbytes(min(PIECE, self.size - at)) for at in starts)

    def positions(self):
        """Give places that are spread over the file."""
        return [self.size * number // PLACES + 12_345 % self.size for number in range(PLACES)]

    def change(self, path):
        """Change a byte at each of five places."""
        with Path(path).open("r+b") as file:
            for position in self.positions():
                file.seek(position)
                (old,) = file.read(1)
                file.seek(position)
                file.write(bytes([old ^ 0xFF]))

    def insert(self, path):
        """Insert a byte at each of five places, so that all behind it moves."""
        new = Path(f"{path}.new")
        ends = [*self.positions(), self.size]
        with Path(path).open("rb") as old, new.open("xb") as file:
            for start, end in itertools.pairwise([0, *ends]):
                if start:
                    file.write(b"!")
                for at in range(start, end, PIECE):
                    file.write(old.read(min(PIECE, end - at)))
        new.replace(path)


@frozen
class TableShape:
    """Rows as those of a log: moments, numbers, categories and texts, in ten columns.

    Attributes:
        rows: How many.
    """

    rows: int

    def __str__(self):
        return f"{self.rows:,} rows x 10 columns"

    def table(self, rows=None, seed=0):
        """Give the table."""
        rows = self.rows if rows is None else rows
        chance = np.random.default_rng(seed)
        carriers = np.array(["UA", "AA", "DL", "B6", "EV", "MQ", "US", "WN"])
        start = np.datetime64("2026-01-01", "us")
        return pa.table(
            {
                "id": pa.array(chance.integers(0, 1 << 40, rows)),
                "at": pa.array(start + np.sort(chance.integers(0, 10**13, rows))),
                "carrier": pa.array(carriers[chance.integers(0, len(carriers), rows)]),
                "tail": pa.array(chance.integers(0, 4_000, rows).astype(str)),
                "origin": pa.array(chance.integers(0, 300, rows).astype(np.int16)),
                "delay": pa.array(chance.normal(5, 20, rows).round()),
                "distance": pa.array(chance.gamma(2, 500, rows).round(1)),
                "score": pa.array(chance.random(rows)),
                "late": pa.array(chance.random(rows) < 0.2),
                "stops": pa.array(chance.poisson(0.3, rows)),
            }
        )

    def with_rows(self, table):
        """Give a table with ten more rows in its middle."""
        middle = self.rows // 2
        return pa.concat_tables([table[:middle], self.table(10, seed=1), table[middle:]])

    def with_column(self, table):
        """Give a table with one more column, of numbers that hardly compress."""
        values = np.random.default_rng(2).random(table.num_rows)
        return table.append_column("prediction", pa.array(values))
