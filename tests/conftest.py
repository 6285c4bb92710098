"""What holds for every test: no outside network, no home, no store and no cache but its own."""

import itertools
import os
import runpy
import sys
from pathlib import Path

import pytest
from hypothesis import settings

HERMETIC = Path(__file__).parent / "hermetic"
AS_USERS_HAVE_IT = frozenset({"benchmarks", "docs", "examples", "notebooks"})

runpy.run_path(str(HERMETIC / "sitecustomize.py"))
# No example is too slow (nothing here depends on timing), and none is kept between two runs.
settings.register_profile("mlkit", deadline=None, database=None, print_blob=True)
settings.load_profile("mlkit")

_numbers = itertools.count()


@pytest.fixture(scope="session")
def hermetic_root(tmp_path_factory):
    """A folder for what tests would otherwise leave at home, and the environment that says so."""
    root = tmp_path_factory.mktemp("hermetic")
    home = root / "home"
    home.mkdir()
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            if name.startswith(("MLKIT_", "XDG_", "AWS_", "GIT_", "AZURE_", "GOOGLE_")):
                patch.delenv(name)
        patch.setenv("HOME", str(home))
        patch.setenv("PYTHONPATH", str(HERMETIC), prepend=os.pathsep)
        patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        patch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
        patch.setenv("GIT_CONFIG_NOSYSTEM", "1")
        for role in ("AUTHOR", "COMMITTER"):
            patch.setenv(f"GIT_{role}_NAME", "Test")
            patch.setenv(f"GIT_{role}_EMAIL", "test@example.org")
        yield root


@pytest.fixture(autouse=True)
def hermetic(hermetic_root, monkeypatch, request):
    """Each test starts in an empty folder, with its own cache and spool and no default store."""
    own = hermetic_root / str(next(_numbers))
    work = own / "work"
    work.mkdir(parents=True)
    monkeypatch.chdir(work)
    monkeypatch.setenv("MLKIT_CACHE", str(own / "cache"))
    monkeypatch.setenv("MLKIT_SPOOL", str(own / "spool"))
    monkeypatch.delenv("MLKIT_STORE", raising=False)
    # What is captured unasked depends on the machine and on what git tracks; its tests ask for it.
    as_users_have_it = request.path.parent.name in AS_USERS_HAVE_IT
    monkeypatch.setenv("MLKIT_CAPTURE", "on" if as_users_have_it else "off")
    # A store that fails is tried again at once, and a test waits for nothing.
    monkeypatch.setattr("mlkit.tracking.courier.FIRST_PAUSE", 0.0)
    yield own
    # The two things that mlkit remembers; a test that never used them doesn't load them.
    if "mlkit.store.default" in sys.modules:
        sys.modules["mlkit.store.default"].set_store(None)
    if "mlkit.tracking.context" in sys.modules:
        sys.modules["mlkit.tracking.context"].set_current(None)


@pytest.fixture
def remote():
    """Puts a storage behind a wire: no local files, and each read and its range is counted."""
    from mlkit.storage.wrapped import WrappedStorage

    class RemoteStorage(WrappedStorage):
        def __init__(self, inner):
            super().__init__(inner)
            self.reads = []

        @property
        def url(self):
            return "remote://somewhere"

        def read(self, path, start=0, end=None):
            data = super().read(path, start, end)
            self.reads.append((path, start, len(data)))
            return data

        def local_path(self, path):
            return None

        def taken(self, root="packs/"):
            """Give how many requests there were below a root, and how many bytes."""
            sizes = [size for path, _, size in self.reads if path.startswith(root)]
            return len(sizes), sum(sizes)

    return RemoteStorage
