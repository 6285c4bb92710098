"""A folder whose writers are killed, race, or run out of disk."""

import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from mlkit.errors import ReadOnly, StorageFault
from mlkit.storage.local import LocalStorage


def start(code, *arguments):
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


@pytest.fixture
def children():
    """The processes of a test; what is left of them is killed at its end."""
    started = []
    yield started
    for process in started:
        process.kill()
        process.communicate()


def kill_when_ready(process):
    assert process.stdout.readline() == "ready\n"
    process.kill()
    process.wait()


ENDLESS = """
import sys
from mlkit.storage.local import LocalStorage

class Stream:
    left = 64
    def read(self, size):
        self.left -= 1
        if self.left:
            return bytes(1 << 20)
        print("ready", flush=True)
        sys.stdin.read()

LocalStorage(sys.argv[1]).write(sys.argv[2], Stream())
"""


@pytest.mark.parametrize("path", ["new", "taken"])
def test_a_kill_during_a_large_write_leaves_nothing_under_the_name(tmp_path, children, path):
    storage = LocalStorage(tmp_path)
    storage.write("taken", b"before")
    children.append(start(ENDLESS, tmp_path, path))
    kill_when_ready(children[0])
    assert storage.children() == ["taken"]
    assert storage.read("taken") == b"before"
    assert len(list((tmp_path / ".tmp").iterdir())) == 1
    storage.create("new", b"x")
    assert storage.read("new") == b"x"


BEFORE_THE_NAME = """
import os, sys
from mlkit.storage.local import LocalStorage

def wait(*names):
    print("ready", flush=True)
    sys.stdin.read()

os.link = os.replace = wait
getattr(LocalStorage(sys.argv[1]), sys.argv[2])("folder/name", b"x" * 100)
"""


@pytest.mark.parametrize("verb", ["create", "write"])
def test_a_kill_before_the_name_is_given_leaves_no_name(tmp_path, children, verb):
    children.append(start(BEFORE_THE_NAME, tmp_path, verb))
    kill_when_ready(children[0])
    storage = LocalStorage(tmp_path)
    assert list(storage.list()) == []
    storage.create("folder/name", b"y")
    assert storage.read("folder/name") == b"y"


AFTER_THE_NAME = """
import os, sys
from mlkit.storage.local import LocalStorage
link = os.link

def link_and_wait(*names):
    link(*names)
    print("ready", flush=True)
    sys.stdin.read()

os.link = link_and_wait
LocalStorage(sys.argv[1]).create("name", b"mine")
"""


def test_a_kill_after_the_name_was_given_leaves_the_whole(tmp_path, children):
    children.append(start(AFTER_THE_NAME, tmp_path))
    kill_when_ready(children[0])
    storage = LocalStorage(tmp_path)
    assert storage.read("name") == b"mine"
    storage.create("name", b"mine")


APPENDER = """
import sys
from mlkit.storage.local import LocalStorage
file = LocalStorage(sys.argv[1]).open_append("segment")
for number in range(1000):
    file.write(b"%03d\\n" % number)
print("ready", flush=True)
sys.stdin.read()
"""


def test_what_was_appended_survives_a_kill(tmp_path, children):
    children.append(start(APPENDER, tmp_path))
    kill_when_ready(children[0])
    lines = LocalStorage(tmp_path).read("segment").split()
    assert lines == [b"%03d" % number for number in range(1000)]


RACER = """
import sys
from mlkit.errors import AlreadyExists
from mlkit.storage.local import LocalStorage
storage = LocalStorage(sys.argv[1])
print("ready", flush=True)
sys.stdin.readline()
for number in range(100):
    try:
        storage.create(f"race/{number}", sys.argv[2].encode())
        print(number)
    except AlreadyExists:
        pass
"""


def test_of_many_processes_that_create_one_name_one_wins(tmp_path, children):
    children += [start(RACER, tmp_path, f"writer {number}") for number in range(6)]
    for process in children:
        assert process.stdout.readline() == "ready\n"
    for process in children:
        process.stdin.write("go\n")
        process.stdin.flush()
    won = Counter()
    storage = LocalStorage(tmp_path)
    for number, process in enumerate(children):
        output, _ = process.communicate()
        for line in output.split():
            won[line] += 1
            assert storage.read(f"race/{line}") == f"writer {number}".encode()
    assert won == {str(number): 1 for number in range(100)}


@pytest.fixture
def small_disk(tmp_path):
    """A disk of one megabyte."""
    place = tmp_path / "disk"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", place]
    try:
        mounted = subprocess.run(command, check=False, capture_output=True).returncode == 0
    except FileNotFoundError:
        mounted = False
    if not mounted:
        pytest.skip("NOT TESTED HERE: a full disk; mounting a tmpfs needs root")
    yield place
    subprocess.run(["umount", "-l", place], check=True)


@pytest.mark.parametrize("verb", ["create", "write"])
def test_a_full_disk_is_said_and_leaves_nothing_half_written(small_disk, verb):
    storage = LocalStorage(small_disk)
    storage.write("kept", b"x" * 500_000)
    for path in ("new", "folder/new"):
        with pytest.raises(StorageFault, match=r"No space left on device\. Free some space"):
            getattr(storage, verb)(path, b"y" * 900_000)
    assert [entry.path for entry in storage.list()] == ["kept"]
    assert list(Path(small_disk, ".tmp").iterdir()) == []
    getattr(storage, verb)("small", b"y" * 10_000)
    assert storage.stat("small").size == 10_000


def test_appending_to_a_full_disk_takes_what_fits(small_disk):
    storage = LocalStorage(small_disk)
    taken = []
    with storage.open_append("segment") as file:

        def fill():
            while True:
                taken.append(file.write(b"x" * 100_000))

        with pytest.raises(OSError, match="No space left"):
            fill()
    assert 0 < storage.stat("segment").size == sum(taken)


def test_a_disk_that_is_mounted_to_read_only_is_read_only(small_disk):
    storage = LocalStorage(small_disk)
    storage.write("kept", b"x")
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    for act in (
        lambda: storage.write("new", b"y"),
        lambda: storage.create("new", b"y"),
        lambda: storage.open_append("new"),
        lambda: storage.delete("kept"),
    ):
        with pytest.raises(ReadOnly, match="Read-only file system"):
            act()
    assert storage.read("kept") == b"x"
