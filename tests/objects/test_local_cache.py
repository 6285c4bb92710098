"""Copies of remote objects: bounded, shared by processes, and never in a reader's way."""

import errno
import multiprocessing
import os
import threading
import time
from pathlib import Path

import pytest

from mlkit._core.clock import now_ns
from mlkit._core.ids import uuid7
from mlkit._core.settings import cache_dir, cache_size
from mlkit.errors import InvalidInput
from mlkit.objects.blobs import Blobs
from mlkit.objects.local_cache import LocalCache, local_cache
from mlkit.storage.memory import MemoryStorage

HOUR = 3600
BLOCK = 1000


def files(root):
    return sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())


def held(root):
    return sum(path.stat().st_size for path in root.rglob("*") if path.is_file())


def use_at(path, seconds):
    os.utime(path, (time.time() - seconds,) * 2)


@pytest.fixture
def cache(tmp_path):
    return LocalCache(tmp_path / "cache" / "store", 64 * BLOCK)


def test_what_was_put_is_given_again_whole_and_in_ranges(cache):
    cache.put("packs/aa/b/0", b"some bytes")
    assert cache.get("packs/aa/b/0") == b"some bytes"
    assert cache.get("packs/aa/b/0", 5, 7) == b"by"
    assert cache.get("packs/aa/b/0", 8, 99) == b"es"
    assert cache.get("packs/aa/b/1") is None
    assert cache.holds("packs/aa/b/0")
    cache.drop("packs/aa/b/0")
    assert not cache.holds("packs/aa/b/0")
    cache.drop("packs/aa/b/0")


def test_the_folder_is_the_users_alone(cache, tmp_path):
    old = os.umask(0)
    try:
        cache.put("packs/aa/b/0", b"secret")
    finally:
        os.umask(old)
    places = list((tmp_path / "cache").rglob("*"))
    assert {path.stat().st_mode & 0o777 for path in places if path.is_dir()} == {0o700}
    assert {path.stat().st_mode & 0o777 for path in places if path.is_file()} == {0o600}


def test_it_never_holds_more_than_its_limit(cache):
    for number in range(300):
        cache.put(f"packs/aa/b/{number}", bytes(BLOCK))
        assert held(cache.root) <= cache.limit
    assert held(cache.root) > cache.limit // 2


def test_what_was_used_longest_ago_goes_first(cache):
    for number in range(60):
        cache.put(f"packs/aa/b/{number}", bytes(BLOCK))
        use_at(cache.root / f"packs/aa/b/{number}", HOUR - number)
    assert cache.get("packs/aa/b/0") is not None
    for number in range(60, 70):
        cache.put(f"packs/aa/b/{number}", bytes(BLOCK))
    assert cache.holds("packs/aa/b/0")
    assert not cache.holds("packs/aa/b/1")
    assert cache.holds("packs/aa/b/59")


def test_the_limit_holds_for_all_stores_of_the_user_together(monkeypatch):
    monkeypatch.setenv("MLKIT_CACHE_SIZE", str(64 * BLOCK))
    one, other = (local_cache(cache_dir() / uuid7(now_ns())) for _ in range(2))
    for number in range(60):
        one.put(f"packs/aa/b/{number}", bytes(BLOCK))
        use_at(one.root / f"packs/aa/b/{number}", HOUR)
    for number in range(60):
        other.put(f"packs/aa/b/{number}", bytes(BLOCK))
    assert held(cache_dir()) <= 64 * BLOCK
    assert held(other.root) > held(one.root)


def test_stores_and_other_folders_beside_the_caches_are_left_alone(monkeypatch):
    monkeypatch.setenv("MLKIT_CACHE_SIZE", str(4 * BLOCK))
    mine = [cache_dir() / path for path in ("main/packs/aa/b", "photos/folders/2019/wedding.raw")]
    for place in mine:
        place.parent.mkdir(parents=True)
        place.write_bytes(bytes(8 * BLOCK))
        use_at(place, 100 * HOUR)
    cache = local_cache(cache_dir() / uuid7(now_ns()))
    for number in range(20):
        cache.put(f"packs/aa/b/{number}", bytes(BLOCK))
    assert held(cache.root) <= 4 * BLOCK
    assert all(place.exists() for place in mine)


def test_other_things_in_the_folder_of_a_store_are_left_alone(cache):
    (cache.root / "index").mkdir(parents=True)
    (cache.root / "index" / "runs").write_bytes(bytes(100 * BLOCK))
    use_at(cache.root / "index" / "runs", 10 * HOUR)
    for number in range(100):
        cache.put(f"packs/aa/b/{number}", bytes(BLOCK))
    assert (cache.root / "index" / "runs").exists()


def test_whole_files_that_were_used_just_now_stay_since_they_are_opened_by_name(cache):
    storage = MemoryStorage("cache-named")
    blobs = Blobs(storage)
    digests = [blobs.put(os.urandom(30 * BLOCK)) for _ in range(3)]
    paths = [
        cache.file(f"blobs/aa/{n}", Path.is_file, lambda stream, d=d: blobs.write_to(stream, d))
        for n, d in enumerate(digests)
    ]
    cache.sweep()
    assert all(path.exists() for path in paths)
    for path in paths:
        use_at(path, 2 * HOUR)
    cache.sweep()
    assert [path.exists() for path in paths] != [True] * 3


def test_what_a_killed_process_had_begun_to_write_is_removed_when_it_is_old(cache):
    cache.put("packs/aa/b/0", b"whole")
    young, old = (cache.root / "packs/aa/b" / name for name in (".1.young", ".1.old"))
    for path in (young, old):
        path.write_bytes(b"ha")
    use_at(old, 2 * HOUR)
    cache.sweep()
    assert files(cache.root) == ["packs/aa/b/.1.young", "packs/aa/b/0"]


def test_what_fails_in_the_middle_leaves_nothing(cache):
    def fill(stream):
        stream.write(b"half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cache.file("blobs/aa/b", Path.is_file, fill)
    assert files(cache.root) == []


@pytest.mark.parametrize("what", ["a file", "read only", "full"])
def test_a_folder_that_cannot_be_used_is_as_none(tmp_path, monkeypatch, what):
    root = tmp_path / "cache"
    if what == "a file":
        root.write_bytes(b"")
    else:
        number = errno.ENOSPC if what == "full" else errno.EROFS

        def refuse(*_, **__):
            raise OSError(number, os.strerror(number))

        monkeypatch.setattr("os.replace" if what == "full" else "os.utime", refuse)
        if what == "read only":
            monkeypatch.setattr("mlkit.objects.local_cache._make_private", refuse)
    cache = LocalCache(root, 1 << 20)
    cache.put("packs/aa/b/0", b"some bytes")
    assert cache.get("packs/aa/b/0") is None
    blobs = Blobs(MemoryStorage(f"cache-{what}"))
    assert blobs.read_cached(blobs.put(b"body"), root) == b"body"
    if root.is_dir():
        assert files(root) == []


def test_a_copy_whose_use_cannot_be_noted_is_still_given(cache, monkeypatch):
    cache.put("packs/aa/b/0", b"some bytes")

    def refuse(*_, **__):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr("os.utime", refuse)
    assert cache.get("packs/aa/b/0") == b"some bytes"


def test_a_link_in_the_folder_is_not_followed(cache, tmp_path):
    (tmp_path / "secret").write_bytes(b"secret")
    cache.put("packs/aa/b/0", b"whole")
    (cache.root / "packs/aa/b/1").symlink_to(tmp_path / "secret")
    assert cache.get("packs/aa/b/1") is None


def test_no_size_keeps_nothing(tmp_path):
    cache = LocalCache(tmp_path / "cache", 0)
    cache.put("packs/aa/b/0", b"some bytes")
    assert cache.get("packs/aa/b/0") is None


def _hammer(root, limit, seed, bad):
    cache = LocalCache(root, limit)
    for step in range(400):
        number = (step * 7 + seed * 13) % 97
        body = bytes([number]) * BLOCK
        got = cache.get(f"packs/aa/{number % 5}/{number}")
        if got is not None and got != body:
            bad.put((number, len(got)))
        cache.put(f"packs/aa/{number % 5}/{number}", body)
        if step % 50 == seed:
            cache.sweep()


def test_processes_that_write_and_remove_at_once_never_see_half_of_anything(tmp_path):
    context = multiprocessing.get_context("spawn")
    bad = context.Queue()
    root = tmp_path / "cache"
    processes = [
        context.Process(target=_hammer, args=(root, 40 * BLOCK, seed, bad)) for seed in range(4)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0] * 4
    assert bad.empty()
    LocalCache(root, 40 * BLOCK).sweep()
    assert held(root) <= 40 * BLOCK
    assert not [name for name in files(root) if "/." in name]


def test_threads_that_write_and_clear_at_once_do_no_harm(cache):
    stop = threading.Event()

    def clear():
        while not stop.is_set():
            for path in cache.root.rglob("[0-9]*"):
                if path.is_file():
                    path.unlink(missing_ok=True)

    clearer = threading.Thread(target=clear)
    clearer.start()
    try:
        for number in range(500):
            cache.put(f"packs/aa/b/{number % 7}", bytes([number % 7]) * BLOCK)
            assert cache.get(f"packs/aa/b/{number % 7}") in {None, bytes([number % 7]) * BLOCK}
    finally:
        stop.set()
        clearer.join()


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("20GB", 20 * 10**9),
        ("20 GiB", 20 << 30),
        ("1.5m", 1_500_000),
        ("512", 512),
        ("0", 0),
        ("2kib", 2048),
        ("1TB", 10**12),
    ],
)
def test_its_size_can_be_set(monkeypatch, text, size):
    monkeypatch.setenv("MLKIT_CACHE_SIZE", text)
    assert cache_size() == size


def test_its_size_is_10_gib_unless_set():
    assert cache_size() == 10 << 30


@pytest.mark.parametrize("text", ["much", "-1", "10XB", "GB", "1e9", "nan"])
def test_what_is_no_size_is_named(monkeypatch, text):
    monkeypatch.setenv("MLKIT_CACHE_SIZE", text)
    with pytest.raises(InvalidInput, match="no size") as error:
        cache_size()
    assert "20GB" in error.value.hint
