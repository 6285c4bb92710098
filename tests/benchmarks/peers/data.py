"""The command line that the scripts have which version data, and what it measures.

    add HOW FOLDER PATH         make what is at the path a version
    checkout HOW FOLDER PATH    put what was added last back to the path, where nothing is now

The folder is there, and the path is in it; all that the tool keeps, its caches too, goes there as
well. HOW is `warm` or `whole`. Warm: the libraries are loaded, since the same was done with a tiny
file before; what is measured is opening the tool's repository and the work, after the system has
written to the disk all that it had to. Whole: nothing was loaded; who runs the script measures it
from its start to its end, so it does nothing else.

It prints one line of JSON; when it is warm, that has the seconds of the work, the bytes that the
tool holds afterwards (sizes of its files; caches that can be thrown away apart), and the most
memory that the process had. A tool is a class with

    DISTRIBUTION         the package that has its version
    STORED, CACHES       folders that it keeps
    Tool(folder)         imports it, and opens what is in the folder, or makes it
    add(path)            makes a version
    checkout(path)       brings it back
    facts()              what else there is to know of it

Nothing is tuned.
"""

import json
import os
import re
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

import command

ENVIRONMENT = {"MLKIT_CACHE": "cache", "DVC_SITE_CACHE_DIR": "site"}


def held(folder, names):
    """Give the bytes of all files in some folders of a folder."""
    return sum(
        file.lstat().st_size
        for name in names
        for file in Path(folder, name).rglob("*")
        if file.is_file()
    )


def peak():
    """Give the most memory that this program had, in MiB."""
    # Of this program alone: ru_maxrss begins with what the process had that started it.
    status = Path("/proc/self/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) / 1024


def go_to(folder):
    """Make a folder the one where all is kept."""
    os.chdir(folder)
    for name, inner in ENVIRONMENT.items():
        os.environ[name] = str(Path(folder, inner).resolve())


def load(tool_class):
    """Do everything once with a tiny file."""
    with tempfile.TemporaryDirectory(dir=".") as made:
        folder = Path(made).resolve()
        before = Path.cwd()
        go_to(folder)
        for name in ("folder/file", "file"):
            path = folder / name
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(b"tiny")
        tool_class(folder).add(folder / "folder")
        tool_class(folder).add(folder / "file")
        (folder / "file").unlink()
        tool_class(folder).checkout(folder / "file")
        go_to(before)


def warm(tool_class, verb, folder, path):
    """Do what is to be measured, and measure it."""
    go_to(folder)
    load(tool_class)
    os.sync()
    began = time.perf_counter()
    tool = tool_class(folder)
    getattr(tool, verb)(path)
    seconds = time.perf_counter() - began
    return {
        "seconds": seconds,
        "stored": held(folder, tool.STORED),
        "caches": held(folder, [*tool.CACHES, *ENVIRONMENT.values()]),
        "peak": peak(),
        "version": version(tool_class.DISTRIBUTION),
        **tool.facts(),
    }


def whole(tool_class, verb, folder, path):
    """Do what is to be measured, and nothing else."""
    go_to(folder)
    getattr(tool_class(folder), verb)(path)
    return {}


def main(tool_class):
    """Do what the command line says."""
    told = os.dup(1)
    os.dup2(2, 1)
    os.environ.update(command.OFFLINE)
    match sys.argv[1:]:
        case [("add" | "checkout") as verb, "warm", folder, path]:
            answer = warm(tool_class, verb, Path(folder), Path(path))
        case [("add" | "checkout") as verb, "whole", folder, path]:
            answer = whole(tool_class, verb, Path(folder), Path(path))
        case _:
            sys.exit(__doc__)
    os.write(told, json.dumps(answer).encode() + b"\n")
