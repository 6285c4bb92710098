"""What loading a pickle would import and call, found without importing or calling any of it.

A pickle is a program for a small machine. This one runs the program on values that stand for
others: a name that it would import becomes a note, a call of it another one. joblib puts the bytes
of arrays between the instructions; they are stepped over, and pickles within arrays are followed.

The result is for people to read; it is no proof of harmlessness. What can't be followed is said,
together with all that was seen until then.
"""

import pickletools
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any, ClassVar, cast

from attrs import field, frozen

from mlkit.models.joblib_arrays import array_bytes, is_array_wrapper
from mlkit.models.pickle_stream import Unfollowed, Unframer, open_pickle

_MOST_OPCODES = 5_000_000
_LONGEST = 4096
_LENGTHS = {
    **dict.fromkeys(("BINBYTES", "BINUNICODE"), 4),
    **dict.fromkeys(("BINBYTES8", "BINUNICODE8", "BYTEARRAY8"), 8),
}
_DEEPEST = 20
_OPCODES = {opcode.code: opcode for opcode in pickletools.opcodes}
_IMPORTERS = {
    "importlib.import_module",
    "builtins.__import__",
    "cloudpickle.cloudpickle.subimport",
}


@frozen
class PickleScan:
    """What a pickle would do when it is loaded.

    Attributes:
        imports: The names it would import, as `module.name`, sorted.
        calls: Those of them that it would call.
        problem: Why it couldn't be followed to its end; empty when it could. There may be more
            imports then.
    """

    imports: tuple[str, ...]
    calls: tuple[str, ...]
    problem: str = ""

    @property
    def complete(self) -> bool:
        """Whether the file was followed to its end."""
        return not self.problem


def scan_file(path: Path) -> PickleScan:
    """Say what loading a file of pickle or joblib, compressed or not, would import and call.

    Args:
        path: The file.

    Returns:
        What was seen. A file that is no pickle at all has a problem, never an exception.
    """
    try:
        with open_pickle(path) as stream:
            return scan_stream(stream)
    except OSError as error:
        return PickleScan((), (), f"it can't be read ({error})")


def scan_stream(stream: IO[bytes]) -> PickleScan:
    """Say what loading a stream would import and call; see `scan_file`.

    Example:
        >>> import io, pickle
        >>> from collections import OrderedDict
        >>> scan_stream(io.BytesIO(pickle.dumps(OrderedDict(a=1)))).calls
        ('collections.OrderedDict',)
    """
    seen = _Seen()
    try:
        _Machine(Unframer(stream), seen).run()
        if stream.read(1):
            seen.problem("bytes after its end weren't followed")
    except Unfollowed as error:
        seen.problem(str(error))
    except Exception as error:  # noqa: BLE001 - whatever bytes raise, they are no whole pickle
        seen.problem(f"it isn't well formed ({type(error).__name__}: {error})"[:200])
    return PickleScan(tuple(sorted(seen.imports)), tuple(sorted(seen.calls)), seen.problems)


@frozen(eq=False)
class _Import:
    """Stands for what a name gives."""

    name: str


@frozen(eq=False)
class _Made:
    """Stands for what a call gives."""

    what: Any
    arguments: tuple[Any, ...] = ()
    state: dict[Any, Any] = field(factory=dict)


class _Unknown:
    """Stands for everything that doesn't matter: lists, sets, arrays."""


_UNKNOWN = _Unknown()


class _Seen:
    """What was seen so far, in a file and the pickles in its arrays."""

    def __init__(self) -> None:
        self.imports: set[str] = set()
        self.calls: set[str] = set()
        self.problems = ""
        self.opcodes = 0

    def problem(self, text: str) -> None:
        if not self.problems:
            self.problems = text

    def named(self, module: Any, name: Any) -> _Import:
        if not (isinstance(module, str) and isinstance(name, str)):
            self.problem("a name that it imports is the result of a call")
            module, name = "?", "?"
        found = _Import(f"{module}.{name}")
        self.imports.add(found.name)
        return found

    def called(self, what: Any, arguments: Any) -> _Made:
        arguments = arguments if isinstance(arguments, tuple) else ()
        if isinstance(what, _Import):
            self.calls.add(what.name)
            if what.name in _IMPORTERS and arguments and isinstance(arguments[0], str):
                self.imports.add(arguments[0])
        elif not isinstance(what, _Made):
            self.problem("something that it calls isn't known")
        return _Made(what, arguments)


class _Machine:
    """Runs one pickle on values that stand for others.

    Args:
        reader: The pickle's bytes.
        seen: Where to note what is seen.
        depth: How many pickles this one is within.
    """

    def __init__(self, reader: Unframer, seen: _Seen, depth: int = 0) -> None:
        if depth > _DEEPEST:
            raise Unfollowed("pickles are nested too deeply")
        self._reader = reader
        self._seen = seen
        self._depth = depth
        self._protocol = 0
        self._stack: list[Any] = []
        self._marked: list[list[Any]] = []
        self._memo: dict[int, Any] = {}

    def run(self) -> None:
        """Run the program to its end."""
        while True:
            code = self._reader.read(1)
            opcode = _OPCODES.get(code.decode("latin-1"))
            if opcode is None:
                raise Unfollowed(f"{code!r} is no instruction")
            self._seen.opcodes += 1
            if self._seen.opcodes > _MOST_OPCODES:
                raise Unfollowed("it is too long")
            name = opcode.name
            if name == "STOP":
                self._stack.pop()
                return
            if name in {"GLOBAL", "INST"}:
                self._global(name)
                continue
            if name in _LENGTHS:
                self._text(opcode, _LENGTHS[name])
                continue
            argument = (
                opcode.arg.reader(cast("IO[bytes]", self._reader))
                if opcode.arg is not None
                else None
            )
            handler = self._HANDLERS.get(name)
            if handler is not None:
                handler(self, argument)
            elif opcode.arg is not None:  # all others push what they carry: numbers, texts, bytes
                self._stack.append(argument)
            else:
                raise Unfollowed(f"the instruction {name} isn't known")

    def _text(self, opcode: pickletools.OpcodeInfo, width: int) -> None:
        """Push bytes or a text; a long one names nothing, so it is passed over."""
        size = int.from_bytes(self._reader.read(width), "little")
        if size > _LONGEST:
            self._reader.pass_over(size)
            self._push(_UNKNOWN)
        else:
            data = self._reader.read(size)
            is_text = "UNICODE" in opcode.name
            self._push(data.decode("utf-8", "surrogatepass") if is_text else data)

    # Stack and memo

    def _push(self, value: Any) -> None:
        self._stack.append(value)

    def _mark(self, _: Any) -> None:
        self._marked.append(self._stack)
        self._stack = []

    def _pop_mark(self) -> list[Any]:
        items, self._stack = self._stack, self._marked.pop()
        return items

    def _pop(self, _: Any) -> None:
        if self._stack:
            self._stack.pop()
        else:
            self._pop_mark()

    def _drop_mark(self, _: Any) -> None:
        self._pop_mark()

    def _duplicate(self, _: Any) -> None:
        self._push(self._stack[-1])

    def _get(self, key: int | str) -> None:
        self._push(self._memo[int(key)])

    def _put(self, key: int | str) -> None:
        self._memo[int(key)] = self._stack[-1]

    def _memoize(self, _: Any) -> None:
        self._memo[len(self._memo)] = self._stack[-1]

    def _set_protocol(self, protocol: int) -> None:
        self._protocol = protocol

    def _frame(self, size: int) -> None:
        self._reader.begin_frame(size)

    # Containers

    def _tuple(self, _: Any) -> None:
        items = self._pop_mark()
        self._push(tuple(items))

    def _short_tuple(self, length: int) -> None:
        items = tuple(self._stack[-length:])
        if len(items) < length:
            raise Unfollowed("the stack is empty")
        del self._stack[-length:]
        self._push(items)

    def _list(self, _: Any) -> None:
        self._pop_mark()
        self._push(_UNKNOWN)

    def _append(self, _: Any) -> None:
        self._stack.pop()
        self._grown(self._stack[-1])

    def _appends(self, _: Any) -> None:
        self._pop_mark()
        self._grown(self._stack[-1])

    def _grown(self, what: Any) -> None:
        """Note the call of `append`, `extend` or `add` on what isn't a plain container."""
        if isinstance(what, _Import):
            self._seen.calls.add(what.name)

    def _dict(self, _: Any) -> None:
        items = self._pop_mark()
        self._push({})
        self._fill(items)

    def _set_item(self, _: Any) -> None:
        value, key = self._stack.pop(), self._stack.pop()
        self._fill([key, value])

    def _set_items(self, _: Any) -> None:
        items = self._pop_mark()
        self._fill(items)

    def _fill(self, items: list[Any]) -> None:
        target = self._stack[-1]
        self._grown(target)
        if isinstance(target, dict):
            for key, value in zip(items[::2], items[1::2], strict=True):
                if isinstance(key, str):  # other keys are in no state of an object
                    target[key] = value

    # Names and calls

    def _global(self, name: str) -> None:
        module = self._reader.readline()[:-1].decode()
        attribute = self._reader.readline()[:-1].decode()
        found = self._named(module, attribute)
        if name == "INST":
            arguments = tuple(self._pop_mark())
            self._push(self._seen.called(found, arguments))
        else:
            self._push(found)

    def _stack_global(self, _: Any) -> None:
        name, module = self._stack.pop(), self._stack.pop()
        self._push(self._named(module, name))

    def _named(self, module: Any, name: Any) -> _Import:
        """Note a name, under the one that Python 3 has for it where the pickle is older."""
        import _compat_pickle

        if self._protocol < 3 and isinstance(name, str):  # noqa: PLR2004 - pickle's own rule
            if (module, name) in _compat_pickle.NAME_MAPPING:
                module, name = _compat_pickle.NAME_MAPPING[module, name]
            elif module in _compat_pickle.IMPORT_MAPPING:
                module = _compat_pickle.IMPORT_MAPPING[module]
        return self._seen.named(module, name)

    def _reduce(self, _: Any) -> None:
        arguments, what = self._stack.pop(), self._stack.pop()
        self._push(self._seen.called(what, arguments))

    def _new_with_names(self, _: Any) -> None:
        names, arguments, what = self._stack.pop(), self._stack.pop(), self._stack.pop()
        del names
        self._push(self._seen.called(what, arguments))

    def _object(self, _: Any) -> None:
        what, *arguments = self._pop_mark()
        self._push(self._seen.called(what, tuple(arguments)))

    def _extension(self, code: int) -> None:
        self._push(self._seen.named("copyreg", f"extension {code}"))
        self._seen.problem("it uses an extension code, whose meaning only this process knows")

    def _outside(self, _: Any) -> None:
        raise Unfollowed("it needs objects from outside of it")

    def _build(self, _: Any) -> None:
        state, target = self._stack.pop(), self._stack[-1]
        if isinstance(target, _Import):
            self._seen.calls.add(f"{target.name}.__setstate__")
        if not isinstance(target, _Made):
            return
        if isinstance(state, tuple):
            target.state["__state__"] = state  # what a dtype is given
        elif isinstance(state, dict):
            target.state.update(state)
        if is_array_wrapper(_class_of(target)):
            self._array(target)

    def _array(self, wrapper: _Made) -> None:
        """Step over the bytes of an array, or follow the pickle that is in their place."""
        size = array_bytes(wrapper.state)
        if size is None:
            _Machine(Unframer(self._reader.file), self._seen, self._depth + 1).run()
        else:
            if wrapper.state.get("numpy_array_alignment_bytes") is not None:
                padding = self._reader.file.read(1)
                size += int.from_bytes(padding)
            self._reader.skip(size)
        self._stack[-1] = _UNKNOWN

    _HANDLERS: ClassVar[dict[str, Callable[["_Machine", Any], None]]] = {
        "MARK": _mark,
        "POP": _pop,
        "POP_MARK": _drop_mark,
        "DUP": _duplicate,
        **dict.fromkeys(("GET", "BINGET", "LONG_BINGET"), _get),
        **dict.fromkeys(("PUT", "BINPUT", "LONG_BINPUT"), _put),
        "MEMOIZE": _memoize,
        "PROTO": _set_protocol,
        "FRAME": _frame,
        "NONE": lambda machine, _: machine._push(None),  # noqa: SLF001 - its own
        "NEWTRUE": lambda machine, _: machine._push(True),  # noqa: SLF001, FBT003 - its own
        "NEWFALSE": lambda machine, _: machine._push(False),  # noqa: SLF001, FBT003 - its own
        "TUPLE": _tuple,
        "EMPTY_TUPLE": lambda machine, _: machine._push(()),  # noqa: SLF001 - its own
        "TUPLE1": lambda machine, _: machine._short_tuple(1),  # noqa: SLF001 - its own
        "TUPLE2": lambda machine, _: machine._short_tuple(2),  # noqa: SLF001 - its own
        "TUPLE3": lambda machine, _: machine._short_tuple(3),  # noqa: SLF001 - its own
        **dict.fromkeys(
            ("EMPTY_LIST", "EMPTY_SET"),
            lambda machine, _: machine._push(_UNKNOWN),  # noqa: SLF001 - its own
        ),
        **dict.fromkeys(("LIST", "FROZENSET"), _list),
        "APPEND": _append,
        **dict.fromkeys(("APPENDS", "ADDITEMS"), _appends),
        "EMPTY_DICT": lambda machine, _: machine._push({}),  # noqa: SLF001 - its own
        "DICT": _dict,
        "SETITEM": _set_item,
        "SETITEMS": _set_items,
        "STACK_GLOBAL": _stack_global,
        **dict.fromkeys(("REDUCE", "NEWOBJ"), _reduce),
        "NEWOBJ_EX": _new_with_names,
        "OBJ": _object,
        "BUILD": _build,
        **dict.fromkeys(("EXT1", "EXT2", "EXT4"), _extension),
        **dict.fromkeys(("PERSID", "BINPERSID", "NEXT_BUFFER", "READONLY_BUFFER"), _outside),
    }


def _class_of(made: _Made) -> str:
    """Give the name of the class of what a call makes, as far as the call tells."""
    what = made.what
    if isinstance(what, _Import) and what.name in {
        "copyreg._reconstructor",
        "copyreg.__newobj__",
        "copyreg.__newobj_ex__",
    }:
        what = made.arguments[0] if made.arguments else None
    return what.name if isinstance(what, _Import) else ""
