"""Pools of threads go on where no thread can be had any more."""

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from mlkit.storage.parallel import Pool, each

_LATE = """
import os, sys, threading
from pathlib import Path

import mlkit

folder = Path(sys.argv[1])
(folder / "files").mkdir()
(folder / "files" / "a").write_bytes(os.urandom(9 << 20))
store = mlkit.Store(folder / "s")


def work():
    threading.main_thread().join()
    version = store.log_dataset("d", folder / "files")
    with version.open("a") as stream:
        print(len(stream.read()))
    version.checkout(folder / "out")
    print(store.log_dataset("t", {"x": [1]}).ref)
    import pyarrow as pa

    rows = iter([pa.record_batch({"x": [1.0]})])
    print(store.log_dataset("t", rows).ref)
    print(list(store.verify()))


threading.Thread(target=work).start()
"""

_AT_EXIT = """
import atexit, sys

import mlkit

store = mlkit.Store(sys.argv[1] + "/s")
atexit.register(lambda: print(store.log_dataset("d", {"x": [1]}).ref))
"""


def _run(program: str, folder: Path) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", program, str(folder)], capture_output=True, text=True, check=False
    )
    assert not done.stderr
    return done.stdout.splitlines()


def test_a_thread_logs_reads_and_checks_out_when_the_main_thread_is_done(tmp_path: Path) -> None:
    assert _run(_LATE, tmp_path) == [str(9 << 20), "t:1", "t:2", "[]"]
    assert (tmp_path / "out" / "a").read_bytes() == (tmp_path / "files" / "a").read_bytes()


def test_what_is_called_at_exit_logs(tmp_path: Path) -> None:
    assert _run(_AT_EXIT, tmp_path) == ["d:1"]


def test_where_no_thread_can_be_had_all_is_done_once_and_in_order(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    done: list[int] = []
    with Pool(1) as pool:
        pool.submit(done.append, 0)
        pool.shutdown()
        pool.submit(done.append, 1)

    def refused(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refused)
    with Pool(1) as pool:
        for number in (2, 3):
            pool.submit(done.append, number)
    assert done == [0, 1, 2, 3]
    assert list(each(abs, [-1, -2, -3], threads=2)) == [1, 2, 3]


def test_what_fails_without_a_thread_fails_when_it_is_asked_for() -> None:
    pool = Pool(1)
    pool.shutdown()
    future = pool.submit(int, "no number")
    with pytest.raises(ValueError, match="no number"):
        future.result()
