"""Files of versions as file objects: checked, seekable, and independent of each other."""

import io
import multiprocessing
import os
import threading
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlkit.data.reading.chunked_file import ChunkedFile
from mlkit.errors import Corrupt, InvalidInput
from mlkit.objects.pack_reading import PackReader
from mlkit.objects.pack_writer import PackWriter
from mlkit.objects.packs import PACK_SIZE, ChunkRef
from mlkit.storage.local import LocalStorage
from mlkit.storage.memory import MemoryStorage

BODY = bytes(range(256)) * 40
CUTS = [16, 4000, 1, 3000, 2500]  # and the rest


def stored(storage, body, cuts, pack_size=PACK_SIZE):
    """Store a file that is cut at some sizes, and give its chunks."""
    chunks, at = [], 0
    for size in [*cuts, len(body)]:
        chunks.append(body[at : at + size])
        at += size
    with PackWriter(storage, pack_size=pack_size) as writer:
        places = [writer.add(chunk) for chunk in chunks if chunk]
        packs = [f"sha256:{raw.hex()}" for raw in writer.finish()]
    return tuple(
        ChunkRef(f"sha256:{place.digest.hex()}", place.size, packs[place.pack], place.offset)
        for place in places
    )


@pytest.fixture
def chunks(memory):
    return stored(memory, BODY, CUTS, pack_size=4500)


@pytest.fixture
def opened(memory, chunks):
    return io.BufferedReader(ChunkedFile(PackReader(memory), chunks), 64)


moves = st.tuples(
    st.sampled_from([io.SEEK_SET, io.SEEK_CUR, io.SEEK_END]),
    st.integers(-12_000, 12_000),
    st.integers(-1, 6000),
    st.booleans(),
)


@given(st.lists(moves, max_size=15))
def test_it_reads_like_a_plain_file_wherever_one_goes(steps):
    storage = MemoryStorage("reading-like-a-file")
    ours = ChunkedFile(PackReader(storage), stored(storage, BODY, CUTS, pack_size=4500))
    plain = io.BytesIO(BODY)
    for whence, offset, size, fill in steps:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: plain.tell(), io.SEEK_END: len(BODY)}[whence]
        if base + offset < 0:
            with pytest.raises(ValueError, match="no position"):
                ours.seek(offset, whence)
            continue
        assert ours.seek(offset, whence) == plain.seek(base + offset)
        if fill and size >= 0:
            one, other = bytearray(size), bytearray(size)
            assert ours.readinto(one) == plain.readinto(other)
            assert one == other
        else:
            assert ours.read(size) == plain.read(size)
        assert ours.tell() == plain.tell()


def test_it_is_a_file_object_as_python_knows_it(opened):
    assert opened.readable()
    assert opened.seekable()
    assert not opened.writable()
    assert opened.peek(3)[:3] == BODY[:3]
    assert opened.read1(5) == BODY[:5]
    with pytest.raises(io.UnsupportedOperation):
        opened.write(b"x")
    with pytest.raises(io.UnsupportedOperation):
        opened.truncate()
    with pytest.raises(ValueError, match="whence"):
        opened.raw.seek(0, 7)
    with opened:
        assert opened.seek(-3, io.SEEK_END) == len(BODY) - 3
        assert opened.read() == BODY[-3:]
        assert opened.read() == b""
    assert opened.closed
    for act in (opened.read, opened.tell, lambda: opened.raw.seek(0), opened.raw.readall):
        with pytest.raises(ValueError, match="closed"):
            act()


def test_an_empty_file_is_empty(memory):
    file = ChunkedFile(PackReader(memory), ())
    assert file.read() == b""
    assert file.seek(5) == 5
    assert file.read(3) == b""


def test_a_chunk_is_read_when_it_is_landed_in_and_no_other(memory, remote, tmp_path):
    chunks = stored(memory, os.urandom(40 << 20), [1 << 20] * 39, pack_size=2 << 20)
    far = remote(memory)
    file = io.BufferedReader(ChunkedFile(PackReader(far), chunks))
    for number in (30, 3, 17):
        file.seek((number << 20) + 5)
        file.read(10)
    assert far.taken() == (3, 3 << 20)


def test_who_reads_on_has_the_next_chunks_read_ahead_each_once(memory, remote):
    body = os.urandom(30 << 20)
    chunks = stored(memory, body, [1 << 20] * 29)
    far = remote(memory)
    with io.BufferedReader(ChunkedFile(PackReader(far), chunks)) as file:
        pieces = [file.read(300_000) for _ in range(1 + len(body) // 300_000)]
    assert b"".join(pieces) == body
    assert far.taken()[1] == len(body)


def test_closing_and_jumping_end_the_threads_that_read_ahead(memory):
    chunks = stored(memory, os.urandom(40 << 20), [1 << 20] * 39)
    before = threading.active_count()
    file = io.BufferedReader(ChunkedFile(PackReader(memory), chunks))
    file.read(3 << 20)
    file.seek(30 << 20)
    file.read(2 << 20)
    file.close()
    assert threading.active_count() == before


def test_damage_is_found_where_it_is_and_only_there(memory, chunks):
    [first, *_] = {chunk.pack: None for chunk in chunks}
    path = f"packs/{first[7:9]}/{first[7:]}"
    data = bytearray(memory.read(path))
    data[20] ^= 1
    memory.write(path, bytes(data))
    file = io.BufferedReader(ChunkedFile(PackReader(memory), chunks), 4)
    assert file.read(16) == BODY[:16]
    file.seek(20)
    with pytest.raises(Corrupt):
        file.read(1)
    file.seek(9000)
    assert file.read(5) == BODY[9000:9005]


def test_handles_in_many_threads_share_nothing(memory):
    body = os.urandom(12 << 20)
    chunks = stored(memory, body, [1 << 20] * 11)
    wrong = []

    def read(seed):
        with io.BufferedReader(ChunkedFile(PackReader(memory), chunks)) as file:
            for step in range(40):
                at = (seed * 7_919_999 + step * 3_571_117) % len(body)
                file.seek(at)
                if file.read(50_000) != body[at : at + 50_000]:
                    wrong.append(at)

    threads = [threading.Thread(target=read, args=(seed,)) for seed in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def _digest(file):
    import hashlib

    return hashlib.sha256(file.read()).hexdigest()


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork.*:DeprecationWarning")
def test_a_handle_that_reads_ahead_can_be_read_on_in_a_forked_child_and_in_its_parent(tmp_path):
    storage = LocalStorage(tmp_path / "store")
    body = os.urandom(40 << 20)
    chunks = stored(storage, body, [1 << 20] * 39)
    file = io.BufferedReader(ChunkedFile(PackReader(storage), chunks))
    assert file.read(3 << 20) == body[: 3 << 20]
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        try:
            os.write(writing, _digest(file).encode())
        finally:
            os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    os.close(writing)
    with os.fdopen(reading) as pipe:
        assert pipe.read() == _digest(io.BytesIO(body[3 << 20 :]))
    assert _digest(file) == _digest(io.BytesIO(body[3 << 20 :]))
    file.close()


def _load(url, reference, paths, results):
    import mlkit

    version = mlkit.Store(url).dataset(reference)
    results.put([version.open(path).read() for path in paths])


def test_workers_of_a_loader_read_a_version_at_once(tmp_path, folder):
    import mlkit

    store = mlkit.Store(tmp_path / "store")
    version = store.log_dataset("images", folder)
    context = multiprocessing.get_context("spawn")
    results = context.Queue()
    paths = [file.path for file in version.files()]
    workers = [
        context.Process(target=_load, args=(store.url, "images:1", paths, results))
        for _ in range(3)
    ]
    for worker in workers:
        worker.start()
    found = [results.get() for _ in workers]
    for worker in workers:
        worker.join()
    assert found == [[(folder / path).read_bytes() for path in paths]] * 3


def test_libraries_read_it_as_a_file(tmp_path, open_datasets, memory):
    import pandas as pd
    import pyarrow.parquet as pq
    from PIL import Image

    root = tmp_path / "things"
    root.mkdir()
    frame = pd.DataFrame({"x": range(1000), "y": ["a", "b"] * 500})
    frame.to_parquet(root / "frame.parquet")
    frame.to_csv(root / "frame.csv", index=False)
    Image.new("RGB", (20, 30), "red").save(root / "red.png")
    with zipfile.ZipFile(root / "both.zip", "w") as archive:
        archive.writestr("one.txt", "one")
        archive.writestr("two.txt", "two" * 1000)
    version = open_datasets(memory).log("things", root)
    with version.open("frame.parquet") as file:
        assert pd.read_parquet(file).equals(frame)
    with version.open("frame.parquet") as file:
        assert pq.read_table(file, columns=["x"]).num_rows == 1000
    with version.open("frame.csv") as file:
        assert pd.read_csv(file).equals(frame)
    with version.open("red.png") as file:
        assert Image.open(file).convert("RGB").getpixel((3, 4)) == (255, 0, 0)
    with version.open("both.zip") as file, zipfile.ZipFile(file) as archive:
        assert archive.read("two.txt") == b"two" * 1000
        assert archive.testzip() is None
    with version.open("frame.csv") as file, io.TextIOWrapper(file) as text:
        assert text.readline() == "x,y\n"


def test_a_file_is_opened_by_a_text_or_a_path(datasets, folder):
    version = datasets.log("files", folder)
    inner = version.files()[0].path
    with version.open(Path(inner)) as by_path, version.open(inner) as by_text:
        assert by_path.read() == by_text.read()
    for path in (5, None, b"x"):
        with pytest.raises(InvalidInput, match="no path of a file"):
            version.open(path)
