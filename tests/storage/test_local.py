"""What a folder promises beyond the contract: links, permissions, full disks, durability."""

import errno
import io
import os
import pickle
import shutil
import stat
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from mlkit.errors import AlreadyExists, InvalidInput, NotFound, ReadOnly, StorageFault
from mlkit.storage.local import LocalStorage
from mlkit.storage.protocol import Entry, Storage

NOBODY = 65534


@pytest.fixture
def storage(tmp_path):
    return LocalStorage(tmp_path / "store")


@pytest.fixture
def root(storage):
    return Path(storage.url)


@pytest.fixture
def outside(tmp_path):
    folder = tmp_path / "outside"
    folder.mkdir()
    (folder / "secret").write_bytes(b"secret")
    return folder


@pytest.fixture
def open_folder():
    """A folder that every user may reach, write to, and own files in."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o777)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def unprivileged():
    """The rest of the test runs as a user to whom permissions apply."""
    if os.geteuid() == 0:
        os.seteuid(NOBODY)
        yield
        os.seteuid(0)
    else:
        yield


def failing(number):
    def fail(*_args, **_options):
        raise OSError(number, os.strerror(number))

    return fail


def temporary_files(root):
    return [path for path in root.glob(".tmp*/*") if path.is_file()]


def test_it_is_a_storage(storage):
    assert isinstance(storage, Storage)


def test_opening_a_folder_writes_nothing(storage, root):
    assert storage.children() == []
    assert storage.local_path("a") is None
    with pytest.raises(NotFound):
        storage.read("a")
    assert not root.exists()


def test_its_url_stays_when_the_working_directory_changes(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    storage = LocalStorage("store")
    monkeypatch.chdir("/")
    storage.write("a", b"x")
    assert storage.url == str(tmp_path / "store")
    assert (tmp_path / "store" / "a").read_bytes() == b"x"
    assert repr(storage) == f"LocalStorage({storage.url!r})"


def test_a_tilde_is_the_home(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert LocalStorage("~/store").url == str(tmp_path / "store")


def test_it_pickles(storage):
    storage.write("a", b"x")
    assert pickle.loads(pickle.dumps(storage)).read("a") == b"x"


def test_it_needs_no_fsspec():
    code = (
        "import sys, mlkit.storage.local, mlkit.storage.opening\n"
        "mlkit.storage.opening.open_storage('here').create('a/b', b'x')\n"
        "heavy = {'fsspec', 'pyarrow', 'numpy', 'requests', 'joblib'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_an_object_is_a_plain_file_of_its_name(storage, root):
    storage.write("a/b.txt", b"hello")
    assert (root / "a" / "b.txt").read_bytes() == b"hello"
    assert storage.local_path("a/b.txt") == root / "a" / "b.txt"
    assert storage.local_path("a") is None


def test_temporary_files_are_private_and_gone_afterwards(storage, root, monkeypatch):
    seen = []
    link = os.link

    def watch(source, target):
        seen.append(stat.S_IMODE(Path(source).parent.stat().st_mode))
        assert temporary_files(root) == [Path(source)]
        assert all(".tmp" not in entry.path for entry in storage.list())
        assert all(".tmp" not in name for name in storage.children())
        link(source, target)

    monkeypatch.setattr(os, "link", watch)
    storage.create("a", b"x")
    storage.write("b", b"x")
    with pytest.raises(AlreadyExists):
        storage.create("a", b"y")
    assert seen == [0o700, 0o700]
    assert temporary_files(root) == []
    assert storage.children() == ["a", "b"]


def test_a_file_gets_the_permissions_that_the_user_wants(storage, root):
    before = os.umask(0o027)
    try:
        storage.create("a/b", b"x")
    finally:
        os.umask(before)
    assert stat.S_IMODE((root / "a" / "b").stat().st_mode) == 0o640
    assert stat.S_IMODE((root / "a").stat().st_mode) == 0o750


class TestLinks:
    """No name leads out of the store."""

    def test_a_link_to_a_folder_is_never_followed(self, storage, root, outside):
        storage.write("kept", b"x")
        (root / "link").symlink_to(outside)
        for act in (
            lambda: storage.read("link/secret"),
            lambda: storage.stat("link/secret"),
            lambda: storage.local_path("link/secret"),
            lambda: storage.write("link/secret", b"changed"),
            lambda: storage.create("link/new", b"x"),
            lambda: storage.create("link/deep/er/new", b"x"),
            lambda: storage.open_append("link/new"),
            lambda: storage.delete("link/secret"),
            lambda: list(storage.list("link")),
            lambda: storage.children("link"),
        ):
            with pytest.raises(StorageFault, match="links aren't followed"):
                act()
        assert list(storage.list()) == [Entry("kept", 1)]
        assert storage.children() == ["kept"]
        assert [path.name for path in outside.iterdir()] == ["secret"]
        assert (outside / "secret").read_bytes() == b"secret"

    def test_a_link_to_a_file_is_never_followed(self, storage, root, outside):
        storage.write("kept", b"x")
        (root / "link").symlink_to(outside / "secret")
        for act in (
            lambda: storage.read("link"),
            lambda: storage.stat("link"),
            lambda: storage.create("link", b"x"),
            lambda: storage.open_append("link"),
        ):
            with pytest.raises(StorageFault, match="links aren't followed"):
                act()
        assert storage.local_path("link") is None
        assert storage.children() == ["kept"]
        storage.write("link", b"a file instead")
        assert storage.read("link") == b"a file instead"
        (root / "other").symlink_to(outside / "secret")
        storage.delete("other")
        assert (outside / "secret").read_bytes() == b"secret"

    def test_a_link_in_place_of_the_temporary_folder_is_refused(self, storage, root, outside):
        root.mkdir()
        (root / ".tmp").symlink_to(outside)
        with pytest.raises(StorageFault, match="links aren't followed"):
            storage.write("a", b"x")
        assert [path.name for path in outside.iterdir()] == ["secret"]

    def test_a_link_that_goes_in_circles_ends(self, storage, root):
        storage.write("a/b", b"x")
        (root / "a" / "up").symlink_to(root)
        assert [entry.path for entry in storage.list()] == ["a/b"]

    def test_the_root_itself_may_be_a_link(self, storage, root, tmp_path):
        storage.write("a", b"x")
        (tmp_path / "link").symlink_to(root)
        assert LocalStorage(tmp_path / "link").read("a") == b"x"


class TestWhatOthersPutThere:
    """Other things than plain files under plain names are as good as absent."""

    def test_a_pipe_blocks_nobody(self, storage, root):
        root.mkdir()
        os.mkfifo(root / "pipe")
        with pytest.raises(NotFound):
            storage.read("pipe")
        with pytest.raises(NotFound):
            storage.stat("pipe")
        assert list(storage.list()) == []
        assert storage.children() == []

    def test_names_that_no_path_has_arent_shown(self, storage, root):
        root.mkdir()
        (root / "new\nline").write_bytes(b"x")
        (root / "back\\slash").write_bytes(b"x")
        Path(os.fsdecode(os.fsencode(root) + b"/\xff")).write_bytes(b"x")
        storage.write("a", b"x")
        assert storage.children() == ["a"]
        assert [entry.path for entry in storage.list()] == ["a"]

    def test_a_file_where_a_folder_should_be_is_a_fault(self, storage, root):
        storage.write("a", b"x")
        for act in (
            lambda: storage.write("a/b", b"y"),
            lambda: storage.create("a/b/c", b"y"),
            lambda: storage.open_append("a/b"),
        ):
            with pytest.raises(StorageFault, match="Not a directory"):
                act()
        assert storage.read("a") == b"x"
        assert temporary_files(root) == []

    def test_a_file_that_appears_where_a_folder_should_be_is_a_fault(
        self, storage, root, monkeypatch
    ):
        def take_the_place(_old, _new):
            (root / "a").write_bytes(b"x")
            raise FileNotFoundError

        monkeypatch.setattr(os, "replace", take_the_place)
        with pytest.raises(StorageFault, match="Not a directory"):
            storage.write("a/b", b"y")
        assert temporary_files(root) == []

    def test_a_folder_where_a_file_should_be_is_a_fault(self, storage, root):
        storage.write("a/b", b"x")
        with pytest.raises(StorageFault, match="Is a directory"):
            storage.write("a", b"y")
        with pytest.raises(AlreadyExists):
            storage.create("a", b"y")
        with pytest.raises(StorageFault, match="Is a directory"):
            storage.open_append("a")
        assert storage.read("a/b") == b"x"
        assert temporary_files(root) == []

    def test_a_file_in_place_of_the_root_is_a_fault(self, tmp_path):
        (tmp_path / "file").write_bytes(b"x")
        storage = LocalStorage(tmp_path / "file")
        with pytest.raises(StorageFault, match="Not a directory"):
            storage.write("a", b"y")
        with pytest.raises(NotFound):
            storage.read("a")
        assert storage.children() == []
        (tmp_path / "deep").write_bytes(b"x")
        with pytest.raises(StorageFault, match="Not a directory"):
            LocalStorage(tmp_path / "deep" / "er").write("a", b"y")

    def test_a_file_that_vanishes_while_it_is_listed_is_left_out(self, storage, monkeypatch):
        for name in ("a", "b", "c"):
            storage.write(name, b"x")
        scan = os.scandir

        class Scan:
            def __init__(self, place):
                self.inner = scan(place)

            def __enter__(self):
                items = list(self.inner.__enter__())
                storage.delete("b")
                return items

            def __exit__(self, *details):
                self.inner.__exit__(*details)

        monkeypatch.setattr(os, "scandir", Scan)
        found = storage.list()
        assert [entry.path for entry in found] in (["a", "c"], ["a", "b", "c"])


class TestWithoutHardLinks:
    """A mount that has none still gives each new name one winner."""

    @pytest.fixture(params=[errno.EPERM, errno.EOPNOTSUPP, errno.EMLINK, errno.ENOSYS])
    def no_links(self, request, monkeypatch):
        monkeypatch.setattr(os, "link", failing(request.param))

    def test_a_name_is_taken_once(self, storage, root, no_links):
        storage.create("folder/a", b"mine")
        storage.create("folder/a", b"mine")
        with pytest.raises(AlreadyExists):
            storage.create("folder/a", b"yours", durable=False)
        assert storage.read("folder/a") == b"mine"
        assert temporary_files(root) == []

    def test_of_many_threads_one_wins(self, storage, monkeypatch):
        monkeypatch.setattr(os, "link", failing(errno.EPERM))

        def create(writer):
            try:
                storage.create("name", f"writer {writer}".encode())
            except AlreadyExists:
                return False
            return True

        with ThreadPoolExecutor(16) as pool:
            assert list(pool.map(create, range(16))).count(True) == 1

    def test_a_write_that_fails_leaves_no_name(self, storage, root, monkeypatch):
        storage.write("kept", b"x")
        monkeypatch.setattr(os, "link", failing(errno.EPERM))
        syncs = iter([None, OSError(errno.ENOSPC, "No space left on device")])

        def sync(_descriptor):
            error = next(syncs)
            if error is not None:
                raise error

        monkeypatch.setattr(os, "fsync", sync)
        with pytest.raises(StorageFault, match="No space left"):
            storage.create("new", b"x")
        assert storage.children() == ["kept"]
        assert temporary_files(root) == []


class TestFaults:
    """An error of the system becomes mlkit's, and leaves nothing behind."""

    @pytest.mark.parametrize("call", ["link", "fsync", "open", "write"])
    def test_a_create_that_fails_leaves_nothing(self, storage, root, monkeypatch, call):
        storage.write("kept", b"x")
        with monkeypatch.context() as patch:
            patch.setattr(os, call, failing(errno.EIO))
            with pytest.raises(StorageFault, match=r"'new' can't be written to .*Input/output"):
                storage.create("new", b"x")
        assert storage.children() == ["kept"]
        assert temporary_files(root) == []

    def test_a_write_that_fails_leaves_what_was_there(self, storage, root, monkeypatch):
        storage.write("kept", b"x")
        with monkeypatch.context() as patch:
            patch.setattr(os, "replace", failing(errno.EIO))
            with pytest.raises(StorageFault):
                storage.write("kept", b"y")
        assert storage.read("kept") == b"x"
        assert temporary_files(root) == []

    def test_a_read_that_fails_is_a_fault(self, storage, monkeypatch):
        storage.write("a/b", b"x")
        for call, act in (
            ("read", lambda: storage.read("a/b")),
            ("lstat", lambda: storage.stat("a/b")),
            ("lstat", lambda: storage.local_path("a/b")),
            ("scandir", lambda: list(storage.list())),
            ("scandir", storage.children),
        ):
            with monkeypatch.context() as patch:
                patch.setattr(os, call, failing(errno.EIO))
                with pytest.raises(StorageFault, match=r"can't be read from .*Input/output"):
                    act()

    def test_a_delete_that_fails_is_a_fault(self, storage, monkeypatch):
        storage.write("a", b"x")
        with monkeypatch.context() as patch:
            patch.setattr(os, "unlink", failing(errno.EIO))
            with pytest.raises(StorageFault):
                storage.delete("a")
        assert storage.read("a") == b"x"

    def test_short_writes_and_reads_are_continued(self, storage, monkeypatch):
        write, read = os.write, os.read
        monkeypatch.setattr(os, "write", lambda file, data: write(file, data[:3]))
        monkeypatch.setattr(os, "read", lambda file, size: read(file, min(size, 4)))
        storage.create("a", b"0123456789")
        storage.write("b", io.BytesIO(b"0123456789"))
        assert storage.read("a") == storage.read("b") == b"0123456789"
        assert storage.read("a", 1, 9) == b"12345678"

    def test_a_file_that_shrinks_while_it_is_read_ends(self, storage, monkeypatch):
        storage.write("a", b"0123456789")
        read = os.read
        pieces = iter([lambda file: read(file, 4), lambda _file: b""])
        monkeypatch.setattr(os, "read", lambda file, _size: next(pieces)(file))
        assert storage.read("a") == b"0123"

    def test_a_link_whose_reply_was_lost_counts_as_made(self, storage, monkeypatch):
        link = os.link

        def lose(source, target):
            link(source, target)
            raise FileExistsError(errno.EEXIST, "File exists")

        monkeypatch.setattr(os, "link", lose)
        storage.create("a", b"mine")
        assert storage.read("a") == b"mine"

    def test_a_part_that_the_disk_finds_too_long_is_refused(self, storage, monkeypatch):
        monkeypatch.setattr(os, "open", failing(errno.ENAMETOOLONG))
        with pytest.raises(InvalidInput, match="too long"):
            storage.read("a")


class TestDurability:
    """What must survive a power cut is synced in the order that makes it so."""

    @pytest.fixture
    def events(self, storage, monkeypatch):
        storage.write("there", b"x")
        events = []
        sync, link, replace = os.fsync, os.link, os.replace

        def watch_sync(descriptor):
            path = str(Path(f"/proc/self/fd/{descriptor}").readlink())
            events.append("body" if ".tmp" in path else os.path.relpath(path, storage.url))
            sync(descriptor)

        monkeypatch.setattr(os, "fsync", watch_sync)
        monkeypatch.setattr(os, "link", lambda *args: (events.append("link"), link(*args)))
        monkeypatch.setattr(os, "replace", lambda *args: (events.append("name"), replace(*args)))
        return events

    def test_a_create_syncs_the_body_then_links_then_syncs_the_folder(self, storage, events):
        storage.create("a", b"x")
        assert events == ["body", "link", "."]

    def test_new_folders_are_synced_too(self, storage, events):
        storage.create("a/b/c", b"x")
        assert events[:2] == ["body", "link"] or events.count("link") > 1
        assert {"a/b", "a", "."} <= set(events[events.index("link") :])

    def test_a_create_that_neednt_be_durable_syncs_nothing(self, storage, events):
        storage.create("a", b"x", durable=False)
        assert events == ["link"]

    def test_a_write_syncs_when_told_to(self, storage, events):
        storage.write("a", b"x")
        assert events == ["name"]
        storage.write("b", b"x", durable=True)
        assert events == ["name", "body", "name", "."]

    @pytest.mark.parametrize("number", [errno.EINVAL, errno.ENOTSUP])
    def test_a_folder_that_cant_be_synced_is_no_fault(self, storage, monkeypatch, number):
        self.fail_on_folders(monkeypatch, number)
        storage.create("a", b"x")
        assert storage.read("a") == b"x"

    def test_a_folder_whose_sync_fails_is_a_fault_and_may_be_repeated(self, storage, monkeypatch):
        storage.write("there", b"x")
        with monkeypatch.context() as patch:
            self.fail_on_folders(patch, errno.EIO)
            with pytest.raises(StorageFault):
                storage.create("a", b"mine")
        storage.create("a", b"mine")
        assert storage.read("a") == b"mine"

    def test_a_folder_that_was_emptied_meanwhile_needs_no_sync(self, storage, monkeypatch):
        link = os.link

        def link_and_lose(source, target):
            link(source, target)
            storage.delete("a/b")

        monkeypatch.setattr(os, "link", link_and_lose)
        storage.create("a/b", b"x")
        assert storage.children() == []

    def test_a_system_that_opens_no_folders_syncs_none(self, storage, monkeypatch):
        monkeypatch.delattr(os, "O_DIRECTORY")
        storage.create("a/b", b"x")
        assert storage.read("a/b") == b"x"

    def fail_on_folders(self, patch, number):
        sync = os.fsync

        def fail(descriptor):
            if stat.S_ISDIR(os.fstat(descriptor).st_mode):
                raise OSError(number, os.strerror(number))
            sync(descriptor)

        patch.setattr(os, "fsync", fail)


class TestPermissions:
    """Who may not, is told so."""

    def test_a_folder_without_write_permission_is_read_only(self, open_folder, unprivileged):
        storage = LocalStorage(open_folder / "store")
        storage.write("a/b", b"x")
        for folder in (open_folder / "store", open_folder / "store" / "a"):
            folder.chmod(0o555)
        (open_folder / "store" / ".tmp").chmod(0o555)
        for act in (
            lambda: storage.write("a/b", b"y"),
            lambda: storage.create("a/c", b"y"),
            lambda: storage.open_append("a/d"),
            lambda: storage.delete("a/b"),
            lambda: LocalStorage(open_folder / "store" / "a").write("deeper", b"y"),
        ):
            with pytest.raises(ReadOnly, match=r"Permission denied\. Check the permissions"):
                act()
        assert storage.read("a/b") == b"x"

    def test_a_file_without_read_permission_is_a_fault(self, open_folder, unprivileged):
        storage = LocalStorage(open_folder)
        storage.write("a", b"x")
        (open_folder / "a").chmod(0)
        with pytest.raises(StorageFault, match=r"can't be read .*Check the permissions"):
            storage.read("a")

    @pytest.mark.skipif(os.geteuid() != 0, reason="two users are needed, and only root is two")
    def test_two_users_can_write_to_a_shared_folder(self, open_folder):
        storage = LocalStorage(open_folder)
        storage.write("first", b"x")
        os.seteuid(NOBODY)
        try:
            storage.write("second", b"y")
            storage.create("third", b"z")
        finally:
            os.seteuid(0)
        assert storage.children() == ["first", "second", "third"]
        assert stat.S_IMODE((open_folder / f".tmp-{NOBODY}").stat().st_mode) == 0o700
        assert temporary_files(open_folder) == []

    def test_nothing_can_be_written_where_no_temporary_folder_is_ones_own(
        self, open_folder, unprivileged
    ):
        storage = LocalStorage(open_folder)
        for name in (".tmp", f".tmp-{os.geteuid()}"):
            (open_folder / name).mkdir(mode=0o500)
        with pytest.raises(ReadOnly):
            storage.write("a", b"x")

    def test_a_system_without_users_has_one(self, storage, root, monkeypatch):
        monkeypatch.delattr(os, "geteuid")
        monkeypatch.setattr(os, "open", failing(errno.EACCES))
        with pytest.raises(ReadOnly):
            storage.write("a", b"x")


class TestFolders:
    """Folders come with their first object, and go with their last."""

    def test_a_folder_vanishes_with_its_last_object(self, storage, root):
        storage.write("a/b/c", b"x")
        storage.write("a/d", b"x")
        storage.delete("a/b/c")
        assert storage.children("a") == ["d"]
        storage.delete("a/d")
        assert storage.children() == []
        assert root.is_dir()

    def test_writers_and_deleters_of_one_folder_dont_disturb_each_other(self, storage):
        def churn(number):
            for _ in range(100):
                storage.create(f"a/b/{number}", b"x", durable=False)
                storage.delete(f"a/b/{number}")

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(churn, range(8)))
        assert storage.children() == []

    def test_a_folder_that_always_vanishes_is_a_fault_in_the_end(self, storage, monkeypatch):
        monkeypatch.setattr(os, "replace", failing(errno.ENOENT))
        with pytest.raises(StorageFault, match="No such file"):
            storage.write("a/b", b"x")
