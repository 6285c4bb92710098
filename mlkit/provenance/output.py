"""The output of a process as a run keeps it: folded, bounded, and without secrets."""

import re
import threading
from collections import deque
from itertools import count, groupby

from attrs import frozen

from mlkit._core.forking import renew_after_fork
from mlkit._core.masking import MASK, mask_text
from mlkit.provenance.screen import Screen

ALL_KEPT = 1_048_576  # characters
KEPT_PER_TAKE = 4_096  # characters, after that
_QUEUED = 65_536  # characters that may wait to be folded
_QUEUED_WRITES = 4_096
_LARGEST_WRITE = ALL_KEPT + 2 * _QUEUED  # characters of one write
_PATIENCE = 1.0  # seconds
_KEY_BEGINS = re.compile(r"-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----")
_KEY_ENDS = re.compile(r"-----END [A-Z ]{0,40}PRIVATE KEY-----")
_WITHIN_KEY = re.compile(r"\s*(?:[A-Za-z0-9+/]{0,80}={0,2}|(?:Proc-Type|DEK-Info): .*)\s*")


@frozen
class Chunk:
    """Lines that one stream wrote one after the other.

    Attributes:
        stream: `stdout` or `stderr`.
        text: The lines, each with its newline; secrets are masked.
        left_out: How many lines, of any stream, were left out before it.
    """

    stream: str
    text: str
    left_out: int = 0


class OutputLog:
    r"""Takes what a process writes, and gives what is worth keeping of it.

    Any thread may feed it, also from a signal handler: feeding waits for nothing. The first 1 MiB
    is kept whole; after that each take gives the last 4 KiB of lines and counts the others.

    Example:
        >>> log = OutputLog()
        >>> for percent in range(101):
        ...     log.feed("stderr", f"\r{percent}%")
        >>> log.feed("stdout", "password=hunter2\nand so")
        >>> log.take()
        [Chunk(stream='stdout', text='password=[masked]\n', left_out=0)]
        >>> [chunk.text for chunk in log.take(everything=True)]
        ['100%', 'and so']
    """

    def __init__(self) -> None:
        self.renew()
        renew_after_fork(self)

    def renew(self) -> None:
        """Forget everything; a forked child begins with this, for what waits is its parent's."""
        self._lock = threading.Lock()
        self._queue: deque[tuple[str, str]] = deque()
        self._waiting = 0  # characters in the queue; near enough when threads race
        self._stamps = count()
        self._screens: dict[str, Screen] = {}
        self._room = ALL_KEPT
        self._ready: list[tuple[int, str, str]] = []
        self._tail: deque[tuple[int, str, str]] = deque()
        self._tail_size = 0
        self._left_out = 0
        self._in_key: set[str] = set()  # streams that stopped within a private key

    def feed(self, stream: str, text: str) -> None:
        """Take what was written.

        Args:
            stream: `stdout` or `stderr`.
            text: Any text: lines, parts of lines, progress bars.
        """
        if len(text) > _LARGEST_WRITE:  # more than is ever kept of it
            self._left_out += text.count("\n", ALL_KEPT, -_QUEUED)
            text = f"{text[:ALL_KEPT]}\n{text[-_QUEUED:]}"
        self._queue.append((stream, text))
        self._waiting += len(text)
        if self._waiting < _QUEUED and len(self._queue) < _QUEUED_WRITES:
            return
        # Whoever holds the lock empties the queue, maybe this very thread further out.
        if self._lock.acquire(blocking=False):
            try:
                self._fold()
            finally:
                self._lock.release()

    def take(self, *, everything: bool = False) -> list[Chunk]:
        """Give what is ready to be kept, in the order in which the lines ended.

        Args:
            everything: What isn't ended too: unfinished lines, bars that still move.
        """
        # The wait is never that long, unless a signal handler asks what it interrupted.
        if not self._lock.acquire(timeout=_PATIENCE):
            return []
        try:
            self._fold()
            for stream, screen in self._screens.items():
                for line in screen.take(everything=everything):
                    self._keep(stream, *line)
            return self._chunks()
        finally:
            self._lock.release()

    def _fold(self) -> None:
        """Bring what waits to the screens, which make few lines of many writes."""
        self._waiting = 0
        stream, texts = "", list[str]()
        while self._queue:
            following, text = self._queue.popleft()
            if following != stream:
                self._write(stream, texts)
                stream, texts = following, []
            texts.append(text)
        self._write(stream, texts)

    def _write(self, stream: str, texts: list[str]) -> None:
        if not texts:
            return
        screen = self._screens.get(stream)
        if screen is None:
            screen = self._screens[stream] = Screen(self._stamps)
        screen.write("".join(texts))
        for line in screen.scrolled():
            self._keep(stream, *line)

    def _keep(self, stream: str, stamp: int, text: str) -> None:
        text = self._without_key(stream, text)
        if not text:
            return
        if len(text) <= self._room:
            self._room -= len(text)
            self._ready.append((stamp, stream, text))
            return
        self._room = 0
        self._tail.append((stamp, stream, text))
        self._tail_size += len(text)
        while self._tail_size > KEPT_PER_TAKE:
            self._tail_size -= len(self._tail.popleft()[2])
            self._left_out += 1

    def _without_key(self, stream: str, text: str) -> str:
        """Mask a private key line by line, since its lines may be taken at different times."""
        if stream in self._in_key:
            end = _KEY_ENDS.search(text)
            if end is None and _WITHIN_KEY.fullmatch(text):
                return ""
            self._in_key.discard(stream)
            text = text[end.end() :].lstrip("\r\n") if end else text
        if "PRIVATE KEY-----" in text:
            begins = list(_KEY_BEGINS.finditer(text))
            if begins and _KEY_ENDS.search(text, begins[-1].end()) is None:
                self._in_key.add(stream)
                text = f"{text[: begins[-1].start()]}{MASK}\n"
        return text

    def _chunks(self) -> list[Chunk]:
        ready, tail, left_out = sorted(self._ready), sorted(self._tail), self._left_out
        self._ready, self._tail = [], deque()
        self._tail_size = self._left_out = 0
        chunks = [_chunk(stream, texts) for stream, texts in _by_stream(ready)]
        after = [_chunk(stream, texts) for stream, texts in _by_stream(tail)]
        if left_out and not after:
            after = [Chunk("stdout", "")]
        if left_out:
            after[0] = Chunk(after[0].stream, after[0].text, left_out)
        return chunks + after


def _by_stream(lines: list[tuple[int, str, str]]) -> list[tuple[str, list[str]]]:
    groups = groupby(lines, key=lambda line: line[1])
    return [(stream, [text for _, _, text in group]) for stream, group in groups]


def _chunk(stream: str, texts: list[str]) -> Chunk:
    # What can't be UTF-8 (halves of surrogate pairs) couldn't be written to a run either.
    text = "".join(texts).encode("utf-8", "backslashreplace").decode("utf-8")
    return Chunk(stream, mask_text(text))
