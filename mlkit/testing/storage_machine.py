"""A state machine that holds a storage against a dictionary."""

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from mlkit.errors import AlreadyExists, NotFound
from mlkit.storage.protocol import Entry, Names, Storage

PATHS = st.sampled_from(
    ["a", "a.b", "a-b/c", "b/c", "b/c.d", "b/é x", "b/d/e/f", "b/d/e/g", "b/d-/h", "A%20+#"]
)
FOLDERS = st.sampled_from(["", "a-b", "b", "b/d", "b/d/e", "b/", "c", "b/c"])
BODIES = st.binary(max_size=20)


class StorageMachine(RuleBasedStateMachine):
    """Does anything in any order to a storage and to a dictionary, and compares.

    Subclass it, give `make`, and run its `TestCase`.

    Attributes:
        keeps_empty_folders: Whether a folder is shown after its last object has gone.
    """

    keeps_empty_folders = False

    def make(self) -> Storage:
        """Give an empty storage."""
        raise NotImplementedError

    @initialize()
    def begin(self) -> None:
        """Start with nothing."""
        self.storage = self.make()
        self.model: dict[str, bytes] = {}

    @rule(path=PATHS, body=BODIES)
    def write(self, path: str, body: bytes) -> None:
        """Write, over whatever is there."""
        self.storage.write(path, body)
        self.model[path] = body

    @rule(path=PATHS, body=BODIES)
    def create(self, path: str, body: bytes) -> None:
        """Create, and expect to be told if others hold the name."""
        try:
            self.storage.create(path, body, durable=False)
            created = True
        except AlreadyExists:
            created = False
        assert created == (self.model.setdefault(path, body) == body)

    @rule(path=PATHS, body=BODIES)
    def append(self, path: str, body: bytes) -> None:
        """Append, where that can be done."""
        if self.storage.capabilities.append:
            with self.storage.open_append(path) as file:
                file.write(body)
            self.model[path] = self.model.get(path, b"") + body

    @rule(path=PATHS)
    def delete(self, path: str) -> None:
        """Delete, whether or not it is there."""
        self.storage.delete(path)
        self.model.pop(path, None)

    @rule(path=PATHS, start=st.integers(0, 25), end=st.none() | st.integers(0, 25))
    def read(self, path: str, start: int, end: int | None) -> None:
        """Read a range."""
        try:
            held = self.storage.read(path, start, end)
        except NotFound:
            assert path not in self.model
        else:
            assert held == self.model[path][start:end]

    @rule(path=PATHS)
    def stat(self, path: str) -> None:
        """Ask for the size."""
        try:
            entry = self.storage.stat(path)
        except NotFound:
            assert path not in self.model
        else:
            assert entry == Entry(path, len(self.model[path]))

    @rule(folder=FOLDERS)
    def children(self, folder: str) -> None:
        """Look into a folder."""
        start = f"{folder.removesuffix('/')}/" if folder else ""
        heads = (path[len(start) :].partition("/") for path in self.model if path.startswith(start))
        expected: Names = sorted({head + slash for head, slash, _ in heads})
        found = self.storage.children(folder)
        if self.keeps_empty_folders:
            assert set(expected) <= set(found)
            assert all(name.endswith("/") for name in set(found) - set(expected))
        else:
            assert found == expected

    @invariant()
    def shows_what_there_is(self) -> None:
        """The list is the dictionary's."""
        if hasattr(self, "storage"):
            expected = [Entry(path, len(self.model[path])) for path in sorted(self.model)]
            assert list(self.storage.list()) == expected
