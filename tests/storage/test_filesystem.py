"""What drivers of fsspec do wrong, and what becomes of it."""

import errno
import io
import os
import threading
import uuid
import zipfile
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import fsspec
import pytest
from fsspec.implementations.local import LocalFileSystem
from fsspec.implementations.memory import MemoryFileSystem
from fsspec.implementations.zip import ZipFileSystem

from mlkit.errors import AlreadyExists, InvalidInput, NotFound, ReadOnly, StorageFault
from mlkit.storage import filesystem
from mlkit.storage.drivers import Exclusive, Put, driver_of
from mlkit.storage.filesystem import FilesystemStorage
from mlkit.storage.probing import probe
from mlkit.testing import StorageContract


class FakeSftp(LocalFileSystem):
    """A local disk that has what the driver of SFTP has: a rename that refuses a taken name."""

    protocol = "fakesftp"
    cachable = False

    @property
    def ftp(self):
        def rename(old, new):
            try:
                os.link(old, new)
            except FileExistsError:
                raise OSError("Failure") from None
            os.unlink(old)  # noqa: PTH108 - as the line before

        return SimpleNamespace(rename=rename)


FakeSftp.__module__ = "fsspec.implementations.sftp"


class FakeSsh(LocalFileSystem):
    """A local disk that passes for the driver `sshfs`, whose exclusive open is right."""

    protocol = "fakessh"
    cachable = False


FakeSsh.__module__ = "sshfs.spec"


class TestSftp(StorageContract):
    @pytest.fixture
    def storage(self, tmp_path):
        return FilesystemStorage(FakeSftp(), str(tmp_path), sleep=lambda _seconds: None)


class TestSsh(StorageContract):
    @pytest.fixture
    def storage(self, tmp_path):
        return FilesystemStorage(FakeSsh(), str(tmp_path), sleep=lambda _seconds: None)


class Odd(MemoryFileSystem):
    """Memory whose creates go as a test orders."""

    cachable = False
    orders = ()

    def pipe_file(self, path, value, mode="overwrite", **options):
        if mode == "create" and self.orders:
            before, do, after = self.orders.pop(0)
            if before:
                raise before
            if do == "do":
                super().pipe_file(path, value, mode=mode, **options)
            elif do:
                super().pipe_file(path, do)
            if after:
                raise after
            return
        super().pipe_file(path, value, mode=mode, **options)


class Dropped(Exception):
    """What a driver may raise that is no OSError."""


@pytest.fixture
def pauses():
    return []


@pytest.fixture
def odd(pauses):
    def make(*orders):
        filesystem = Odd()
        filesystem.orders = list(orders)
        return FilesystemStorage(
            filesystem, f"/test-{uuid.uuid4()}", "odd://test", sleep=pauses.append
        )

    return make


DOUBTS = [
    FileExistsError("taken"),
    OSError(errno.EINVAL, "condition not met"),
    TimeoutError("no answer"),
    Dropped("the server has gone"),
]


class TestDoubts:
    """A create whose answer is an error is settled by reading back."""

    @pytest.mark.parametrize("error", DOUBTS)
    def test_a_lost_reply_is_a_success(self, odd, pauses, error):
        storage = odd((None, "do", error))
        storage.create("a", b"mine")
        assert storage.read("a") == b"mine"
        assert pauses == []

    @pytest.mark.parametrize("error", DOUBTS)
    def test_a_name_that_another_took_is_a_conflict(self, odd, error):
        storage = odd((None, b"theirs", error))
        with pytest.raises(AlreadyExists):
            storage.create("a", b"mine")
        assert storage.read("a") == b"theirs"

    @pytest.mark.parametrize("error", DOUBTS)
    def test_a_name_that_is_absent_is_tried_again(self, odd, pauses, error):
        storage = odd((error, "", None), (error, "", None))
        storage.create("a", b"mine")
        assert storage.read("a") == b"mine"
        assert pauses == [0.05, 0.1]

    def test_a_retry_that_finds_its_first_try_has_won(self, odd):
        dropped = Dropped("gone")
        storage = odd((dropped, "", None), (None, "do", FileExistsError("taken")))
        storage.create("a", b"mine")
        assert storage.read("a") == b"mine"

    def test_it_gives_up_in_the_end(self, odd, pauses):
        storage = odd(*[(Dropped("gone"), "", None)] * 20)
        with pytest.raises(StorageFault, match="'a' can't be written to odd://test: gone"):
            storage.create("a", b"mine")
        assert len(pauses) == 6
        with pytest.raises(NotFound):
            storage.read("a")

    def test_a_network_that_is_down_for_reading_too_is_a_fault_soon(self, odd, monkeypatch, pauses):
        storage = odd(*[(Dropped("gone"), "", None)] * 20)

        def fail(*_args, **_options):
            raise Dropped("gone")

        monkeypatch.setattr(Odd, "cat_file", fail)
        monkeypatch.setattr(Odd, "info", fail)
        with pytest.raises(StorageFault, match="gone"):
            storage.create("a", b"mine")
        assert pauses == [0.05]

    def test_a_refusal_is_final(self, odd, pauses):
        storage = odd((PermissionError("Access Denied"), "", None))
        with pytest.raises(ReadOnly, match="Access Denied"):
            storage.create("a", b"mine")
        assert pauses == []

    def test_a_bucket_that_isnt_there_is_a_fault(self, odd):
        storage = odd((FileNotFoundError("The specified bucket does not exist"), "", None))
        with pytest.raises(StorageFault, match="bucket does not exist"):
            storage.create("a", b"mine")

    def test_a_message_of_a_driver_is_shown_without_secrets(self, odd):
        secret = "https://host/a?X-Amz-Signature=0123456789abcdef"
        storage = odd(*[(Dropped(secret), "", None)] * 20)
        with pytest.raises(StorageFault) as caught:
            storage.create("a", b"mine")
        assert "0123456789abcdef" not in str(caught.value)


def test_creates_in_memory_come_one_after_the_other(odd, monkeypatch):
    held = []

    def pipe(self, path, value, mode="overwrite", **options):
        held.append((mode, filesystem._MEMORY_LOCK.locked()))
        MemoryFileSystem.pipe_file(self, path, value, mode=mode, **options)

    monkeypatch.setattr(Odd, "pipe_file", pipe)
    odd().create("a", b"mine")
    assert held == [("create", True)]


class TestSilentServers:
    """A server that takes a second create without a word is found by the probe."""

    def test_the_probe_finds_it(self, monkeypatch):
        def overwrite(self, path, value, mode="overwrite", **options):
            del mode
            MemoryFileSystem.pipe_file(self, path, value, **options)

        monkeypatch.setattr(Odd, "pipe_file", overwrite)
        storage = FilesystemStorage(Odd(), f"/test-{uuid.uuid4()}")
        assert storage.capabilities.exclusive_create
        assert not probe(storage).exclusive_create
        assert list(storage.list()) == []


class TestDriversThatCant:
    """A driver that isn't known for exclusive create is good for one writer."""

    @pytest.fixture
    def storage(self, tmp_path):
        return FilesystemStorage(LocalFileSystem(), str(tmp_path))

    def test_it_declares_so(self, storage):
        assert not storage.capabilities.exclusive_create
        assert not probe(storage).exclusive_create

    def test_it_still_creates_and_refuses_one_after_the_other(self, storage):
        storage.create("a", b"mine")
        storage.create("a", b"mine")
        with pytest.raises(AlreadyExists):
            storage.create("a", b"theirs")


@pytest.mark.parametrize(
    ("module", "put", "exclusive"),
    [
        ("s3fs.core", Put.OBJECT, Exclusive.CREATE),
        ("gcsfs.core", Put.OBJECT, Exclusive.CREATE),
        ("adlfs.spec", Put.OBJECT, Exclusive.CREATE),
        ("fsspec.implementations.memory", Put.MEMORY, Exclusive.CREATE),
        ("fsspec.implementations.sftp", Put.RENAME, Exclusive.RENAME),
        ("fsspec.implementations.ftp", Put.RENAME, Exclusive.NO),
        ("sshfs.spec", Put.RENAME, Exclusive.OPEN),
        ("webdav4.fsspec", Put.OBJECT, Exclusive.NO),
        ("somebody.else", Put.OBJECT, Exclusive.NO),
    ],
)
def test_a_driver_is_known_by_its_module_and_a_subclass_by_its_parent(module, put, exclusive):
    class Driver(fsspec.AbstractFileSystem):
        cachable = False

    class Sub(Driver):
        pass

    Driver.__module__ = module
    for opened in (Driver(), Sub()):
        assert driver_of(opened).put is put
        assert driver_of(opened).exclusive is exclusive


def test_a_driver_that_moves_by_itself_writes_elsewhere_first():
    assert driver_of(LocalFileSystem()).put is Put.RENAME
    assert driver_of(LocalFileSystem()).exclusive is Exclusive.NO


class Objects(fsspec.AbstractFileSystem):
    """A little object store nobody knows: a body appears when its upload is closed."""

    protocol = "objects"
    cachable = False

    def __init__(self):
        super().__init__()
        self.inner = MemoryFileSystem(global_store=False, skip_instance_cache=True)
        self.discarded = 0

    def _open(self, path, mode="rb", **_options):
        if "r" in mode:
            return self.inner.open(path, "rb")
        store = self

        class Upload:
            closed = False

            def __init__(self):
                self.pieces = []

            def write(self, piece):
                self.pieces.append(piece)

            def close(self):
                store.inner.pipe_file(path, b"".join(self.pieces))

            def discard(self):
                store.discarded += 1

            def __del__(self):
                if not self.closed:
                    self.close()

        return Upload()

    def pipe_file(self, path, value, mode="overwrite", **_options):
        del mode
        self.inner.pipe_file(path, value)

    def info(self, path, **_options):
        return self.inner.info(path)

    def ls(self, path, detail=True, **_options):
        return self.inner.ls(path, detail=detail)

    def rm_file(self, path):
        self.inner.rm_file(path)


class TestUploads:
    """Large streams go up in pieces, and appear when they have ended."""

    @pytest.fixture
    def objects(self):
        return Objects()

    @pytest.fixture
    def storage(self, objects):
        return FilesystemStorage(objects, "/bucket", "objects://bucket")

    @pytest.mark.parametrize("size", [0, 1, (16 << 20) - 1, 16 << 20, (40 << 20) + 1])
    def test_a_stream_of_any_size_arrives(self, storage, size):
        storage.write("a", io.BytesIO(b"x" * size))
        assert storage.stat("a").size == size

    def test_an_upload_that_breaks_is_discarded(self, storage, objects):
        pieces = [b"x" * (16 << 20), b"x" * (16 << 20)]

        def read(_size):
            if pieces:
                return pieces.pop()
            raise Dropped("the stream broke")

        with pytest.raises(StorageFault, match="the stream broke"):
            storage.write("a", SimpleNamespace(read=read))
        assert objects.discarded == 1
        assert list(storage.list()) == []


class TestListings:
    """Names that a driver gives are believed only if they are paths below the root."""

    def listing(self, monkeypatch, names):
        def entry(name):
            return {"name": name, "size": 1, "type": "file"}

        filesystem = Odd()
        monkeypatch.setattr(
            filesystem, "find", lambda *_args, **_options: {name: entry(name) for name in names}
        )
        monkeypatch.setattr(
            filesystem, "ls", lambda *_args, **_options: [entry(name) for name in names]
        )
        return FilesystemStorage(filesystem, "/bucket/folder")

    def test_names_outside_the_root_arent_shown(self, monkeypatch):
        names = [
            "/bucket/folder/a",
            "bucket/folder/b",
            "/bucket/folder/../secret",
            "/bucket/folder",
            "/bucket/folder/",
            "/bucket/folder/.tmp/x",
            "/bucket/other/a",
            "/etc/passwd",
        ]
        storage = self.listing(monkeypatch, names)
        assert [entry.path for entry in storage.list()] == ["a", "b"]
        assert storage.children() == ["a", "b"]

    def test_the_root_of_a_filesystem_is_a_root_too(self):
        filesystem = MemoryFileSystem(global_store=False, skip_instance_cache=True)
        storage = FilesystemStorage(filesystem, "")
        storage.write("a/b", b"x")
        assert storage.read("a/b") == b"x"
        assert [entry.path for entry in storage.list()] == ["a/b"]
        assert storage.children() == ["a/"]

    def test_a_folder_that_the_driver_finds_missing_is_empty(self, monkeypatch):
        def fail(*_args, **_options):
            raise FileNotFoundError("/bucket")

        monkeypatch.setattr(Odd, "find", fail)
        monkeypatch.setattr(Odd, "ls", fail)
        storage = FilesystemStorage(Odd(), "/bucket")
        assert list(storage.list()) == []
        assert storage.children() == []

    def test_a_listing_that_fails_is_a_fault(self, monkeypatch):
        def fail(*_args, **_options):
            raise Dropped("gone")

        monkeypatch.setattr(Odd, "find", fail)
        monkeypatch.setattr(Odd, "ls", fail)
        storage = FilesystemStorage(Odd(), "/bucket")
        with pytest.raises(StorageFault, match="gone"):
            storage.list()
        with pytest.raises(StorageFault, match="gone"):
            storage.children()


class TestReading:
    """Ranges are what they are, whatever the server does with them."""

    def test_a_server_that_refuses_a_range_at_the_end_gives_nothing(self, odd, monkeypatch):
        storage = odd()
        storage.write("a", b"0123456789")

        def refuse(_self, _path, start=None, end=None, **_options):
            del end
            raise OSError(errno.EINVAL, f"Requested range {start} not satisfiable")

        monkeypatch.setattr(Odd, "cat_file", refuse)
        assert storage.read("a", 10) == b""
        assert storage.read("a", 11, 20) == b""
        with pytest.raises(StorageFault, match="not satisfiable"):
            storage.read("a", 3)
        with pytest.raises(NotFound):
            storage.read("b", 3)

    def test_a_server_that_gives_too_much_is_cut(self, odd, monkeypatch):
        storage = odd()
        storage.write("a", b"0123456789")
        cat = MemoryFileSystem.cat_file
        monkeypatch.setattr(
            Odd, "cat_file", lambda self, path, start=None, **_options: cat(self, path, start=start)
        )
        assert storage.read("a", 2, 5) == b"234"

    def test_what_is_refused_is_a_fault(self, odd, monkeypatch):
        def refuse(*_args, **_options):
            raise PermissionError("Access Denied")

        storage = odd()
        storage.write("a", b"x")
        monkeypatch.setattr(Odd, "cat_file", refuse)
        with pytest.raises(StorageFault, match=r"Access Denied\. Check the permissions or"):
            storage.read("a")


class TestFolders:
    """A folder is no object, whatever a driver says when it is taken for one."""

    @pytest.fixture
    def storage(self, tmp_path, monkeypatch):
        def fail(*_args, **_options):
            raise OSError("Failure")

        storage = FilesystemStorage(LocalFileSystem(), str(tmp_path))
        storage.write("folder/name", b"x")
        for verb in ("cat_file", "rm_file"):
            monkeypatch.setattr(LocalFileSystem, verb, fail)
        return storage

    def test_it_isnt_found_by_reading(self, storage):
        for start in (0, 1):
            with pytest.raises(NotFound):
                storage.read("folder", start)
            with pytest.raises(StorageFault, match="Failure"):
                storage.read("folder/name", 0)

    def test_it_isnt_deleted(self, storage):
        storage.delete("folder")
        with pytest.raises(StorageFault, match="Failure"):
            storage.delete("folder/name")
        assert [entry.path for entry in storage.list()] == ["folder/name"]

    def test_a_server_that_is_away_is_told_by_its_first_error(self, storage, monkeypatch):
        def fail(*_args, **_options):
            raise TimeoutError("no answer")

        monkeypatch.setattr(LocalFileSystem, "info", fail)
        for act in (storage.read, storage.delete):
            with pytest.raises(StorageFault, match="Failure"):
                act("folder/name")


class Mixing(FakeSftp):
    """A connection that breaks when a second thread asks before the first has its reply."""

    cachable = False
    asking = None

    def makedirs(self, path, exist_ok=False):
        me = threading.get_ident()
        assert self.asking in {None, me}, "two threads at once"
        self.asking = me
        try:
            threading.Event().wait(0.001)  # lets the others have a go
            super().makedirs(path, exist_ok=exist_ok)
        finally:
            self.asking = None


def test_a_connection_that_serves_one_thread_is_asked_by_one(tmp_path):
    storage = FilesystemStorage(Mixing(), str(tmp_path))
    paths = [f"folder/{number}" for number in range(20)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda path: storage.write(path, b"x"), paths))
    assert len(list(storage.list())) == 20


def test_links_on_a_disk_behind_fsspec_arent_listed(tmp_path):
    storage = FilesystemStorage(LocalFileSystem(), str(tmp_path / "store"))
    storage.write("kept", b"x")
    (tmp_path / "secret").write_bytes(b"secret")
    (tmp_path / "store" / "link").symlink_to(tmp_path / "secret")
    assert [entry.path for entry in storage.list()] == ["kept"]
    assert storage.children() == ["kept"]


def test_a_rename_that_fails_leaves_nothing(tmp_path, monkeypatch):
    def fail(*_args, **_options):
        raise Dropped("gone")

    storage = FilesystemStorage(LocalFileSystem(), str(tmp_path))
    monkeypatch.setattr(LocalFileSystem, "mv", fail)
    with pytest.raises(StorageFault, match="gone"):
        storage.write("a", b"x")
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_its_url_is_the_filesystems_by_default(tmp_path):
    storage = FilesystemStorage(LocalFileSystem(), str(tmp_path))
    assert storage.url == f"file://{tmp_path}"
    assert repr(storage) == f"FilesystemStorage('file://{tmp_path}')"


def test_a_filesystem_that_was_handed_over_isnt_pickled(tmp_path):
    import pickle

    with pytest.raises(InvalidInput, match="aren't pickled"):
        pickle.dumps(FilesystemStorage(LocalFileSystem(), str(tmp_path)))


def test_after_a_fork_a_plain_filesystem_is_kept(tmp_path, monkeypatch):
    storage = FilesystemStorage(LocalFileSystem(), str(tmp_path))
    storage.write("a", b"x")
    monkeypatch.setattr(os, "getpid", lambda: -1)
    assert storage.read("a") == b"x"


def test_an_archive_is_read_by_the_generic_way():
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w") as archive:
        archive.writestr("a/b", b"x")
    storage = FilesystemStorage(ZipFileSystem(body), "", "zip://")
    assert storage.read("a/b") == b"x"
    assert not storage.capabilities.exclusive_create
