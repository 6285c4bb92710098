"""A scan says what a pickle would import and call, runs none of it, and says where it gives up."""

import collections
import copyreg
import gzip
import io
import os
import pickle
import subprocess
import sys
import tracemalloc
import zlib

import joblib
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from mlkit.models import pickle_scan, pickle_stream
from mlkit.models.joblib_arrays import array_bytes
from mlkit.models.pickle_scan import scan_file, scan_stream
from mlkit.models.pickle_stream import Unfollowed, Unframer

COMPRESSIONS = [0, 3, ("gzip", 3), ("bz2", 3), ("xz", 3), ("lzma", 3)]


class Attack:
    """Leaves a mark when it is loaded."""

    def __init__(self, mark):
        self.mark = mark

    def __reduce__(self):
        return os.system, (f"touch {self.mark}",)


@pytest.fixture
def mark(tmp_path):
    """Gives a file that must not exist after the test."""
    path = tmp_path / "mark"
    yield path
    assert not path.exists(), "code of the file was run"


def scan_of(data):
    return scan_stream(io.BytesIO(data))


def dumped(path, value, **options):
    joblib.dump(value, path, **options)
    return scan_file(path)


@pytest.mark.parametrize("protocol", range(6))
def test_a_call_is_seen_in_every_protocol_and_not_made(mark, protocol):
    scan = scan_of(pickle.dumps(Attack(mark), protocol=protocol))
    assert scan.calls == ("posix.system",)
    assert scan.imports == ("posix.system",)
    assert scan.complete


@pytest.mark.parametrize("compress", COMPRESSIONS, ids=str)
def test_a_call_is_seen_between_arrays_in_every_compression(mark, tmp_path, compress):
    value = [np.arange(5.0), Attack(mark), np.ones((3, 2), order="F")]
    scan = dumped(tmp_path / "model.joblib", value, compress=compress)
    assert "posix.system" in scan.calls
    assert scan.complete


def test_a_call_within_an_array_of_objects_is_seen(mark, tmp_path):
    inner = np.array([1, Attack(mark)], dtype=object)
    outer = np.array([{"deep": [inner]}, None], dtype=object)
    scan = dumped(tmp_path / "model.joblib", {"weights": np.zeros(3), "names": outer})
    assert "posix.system" in scan.calls
    assert scan.complete


def test_a_call_within_a_pickle_within_bytes_is_a_call_of_loads(mark):
    class Nested:
        def __reduce__(self):
            return pickle.loads, (pickle.dumps(Attack(mark)),)

    assert "_pickle.loads" in scan_of(pickle.dumps(Nested())).calls


def test_a_gzipped_pickle_is_followed(mark, tmp_path):
    path = tmp_path / "model.joblib"
    path.write_bytes(gzip.compress(pickle.dumps(Attack(mark))))
    assert scan_file(path).calls == ("posix.system",)


def test_modules_that_are_imported_by_a_call_are_seen():
    class Importing:
        def __reduce__(self):
            import importlib

            return importlib.import_module, ("antigravity",)

    assert "antigravity" in scan_of(pickle.dumps(Importing())).imports


def test_scanning_imports_nothing_of_the_file(tmp_path):
    path = tmp_path / "model.joblib"
    path.write_bytes(b"cantigravity\nfly\n.")
    code = (
        "import sys, pathlib; from mlkit.models.pickle_scan import scan_file\n"
        f"assert scan_file(pathlib.Path({str(path)!r})).imports == ('antigravity.fly',)\n"
        "assert not {'antigravity', 'numpy', 'joblib'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    "model",
    [
        LogisticRegression(),
        RandomForestClassifier(5, random_state=0),
        HistGradientBoostingClassifier(max_iter=5),
        make_pipeline(
            ColumnTransformer([("one", OneHotEncoder(), ["c"])], remainder="passthrough"),
            LogisticRegression(),
        ),
    ],
    ids=lambda model: type(model).__name__,
)
@pytest.mark.parametrize("compress", [0, 3])
def test_models_of_scikit_learn_are_followed_to_their_end(tmp_path, model, compress):
    features = pd.DataFrame({"a": np.arange(40.0), "b": np.arange(40) % 3, "c": ["x", "y"] * 20})
    if not hasattr(model, "steps"):
        features = features[["a", "b"]]
    model.fit(features, np.arange(40) > 20)
    scan = dumped(tmp_path / "model.joblib", model, compress=compress)
    assert scan.complete
    kind = f"{type(model).__module__}.{type(model).__qualname__}"
    assert kind in scan.imports


@pytest.mark.parametrize(
    "array",
    [
        np.array(3.0),
        np.zeros((3, 0)),
        np.asfortranarray(np.ones((3, 4))),
        np.array(["ab", "c"]),
        np.array([b"ab"]),
        np.array(["2020"], dtype="M8[D]"),
        np.array([1, 2], dtype=">i4"),
        np.array([True]),
        np.array([1j]),
        np.array([(1, 2.5)], dtype=[("a", "i4"), ("b", "f8")]),
        np.array([(1, "x")], dtype=[("a", "i4"), ("b", "O")]),
        np.zeros(2, dtype="V7"),
        np.matrix([[1, 2]]),
    ],
    ids=lambda array: str(array.dtype),
)
def test_arrays_of_every_type_are_stepped_over(tmp_path, array):
    scan = dumped(tmp_path / "model.joblib", [array, collections.OrderedDict()])
    assert scan.complete
    assert "collections.OrderedDict" in scan.calls


def test_arrays_that_were_written_without_padding_are_stepped_over():
    class Pipe(io.BytesIO):
        def tell(self):
            raise io.UnsupportedOperation

    pipe = Pipe()
    joblib.dump([np.arange(3), collections.OrderedDict()], pipe)
    scan = scan_of(pipe.getvalue())
    assert scan.complete
    assert "collections.OrderedDict" in scan.calls


@pytest.mark.parametrize("protocol", [0, 1, 2, 3])
def test_arrays_are_stepped_over_in_old_protocols(tmp_path, protocol):
    value = [np.arange(3), collections.OrderedDict()]
    scan = dumped(tmp_path / "model.joblib", value, protocol=protocol)
    assert scan.complete
    assert "collections.OrderedDict" in scan.calls


def test_old_names_are_given_as_python_3_has_them():
    assert scan_of(b"c__builtin__\neval\n.").imports == ("builtins.eval",)
    assert scan_of(b"c__builtin__\nxrange\n.").imports == ("builtins.range",)
    assert scan_of(b"ccPickle\nloads\n.").imports == ("pickle.loads",)
    assert scan_of(b"\x80\x03c__builtin__\neval\n.").imports == ("__builtin__.eval",)


def test_instances_of_old_instructions_are_calls():
    assert scan_of(b"(S'ls'\nios\nsystem\n.").calls == ("os.system",)
    assert scan_of(b"(cos\nsystem\nS'ls'\no.").calls == ("os.system",)


def test_the_result_of_a_call_can_be_called():
    # the attribute "system" of a module is called
    data = b"cbuiltins\ngetattr\n(cos\nerror\nS'system'\ntR(S'ls'\ntR."
    scan = scan_of(data)
    assert scan.calls == ("builtins.getattr",)
    assert scan.complete


def test_methods_that_lists_and_states_would_call_are_calls():
    assert scan_of(b"cos\nenviron\nI1\na.").calls == ("os.environ",)
    assert scan_of(b"cos\nenviron\n(I1\nI2\ne.").calls == ("os.environ",)
    assert scan_of(b"cos\nenviron\nS'a'\nS'b'\ns.").calls == ("os.environ",)
    assert scan_of(b"cos\nenviron\n(S'a'\nS'b'\nu.").calls == ("os.environ",)
    assert scan_of(b"cos\nenviron\n}b.").calls == ("os.environ.__setstate__",)
    assert scan_of(b"}}b.").complete
    assert scan_of(b"cos\nerror\n)RNb.").complete


def test_names_that_are_computed_are_unknown():
    # STACK_GLOBAL of ("os", str())
    scan = scan_of(b"\x8c\x02oscbuiltins\nstr\n)R\x93.")
    assert "?.?" in scan.imports
    assert "result of a call" in scan.problem


def test_calls_of_what_is_no_name_are_a_problem():
    assert "isn't known" in scan_of(b"I1\n)R.").problem


def test_extension_codes_are_a_problem_of_this_process():
    scan = scan_of(b"\x82\x07.")
    assert scan.imports == ("copyreg.extension 7",)
    assert not scan.complete


@pytest.mark.parametrize("data", [b"P7\n.", b"I1\nQ.", b"\x97."])
def test_objects_from_outside_are_not_followed(data):
    assert "from outside" in scan_of(data).problem


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"no pickle",
        b"\x80\x04",
        b"t.",
        b"\x85.",
        b"R.",
        b".",
        b"g7\n.",
        b"0.",
        b"I12",
        b"cos\nsystem",
        b"\x80\x04\x95\x05\x00\x00\x00\x00\x00\x00\x00N\x95\x00\x00\x00\x00\x00\x00\x00\x00N.",
        b"\x8e\xff\xff\xff\xff\xff\xff\xff\x7f.",
        b"\x8e\x00\x00\x00\x00\x01\x00\x00\x00.",
        b"\x8e\x00\x00\x20\x00\x00\x00\x00\x00.",
        b"(S'odd'\nd.",
        b"ZF0x13",
        b"\x04\x22\x4d\x18 lz4",
        b"\xff",
    ],
)
def test_what_is_no_whole_pickle_is_a_problem_and_no_exception(data, tmp_path):
    assert not scan_of(data).complete
    path = tmp_path / "model.joblib"
    path.write_bytes(data)
    assert not scan_file(path).complete


@pytest.mark.parametrize(
    "prefix", [b"\x78\x9c", b"\x1f\x8b", b"BZh9", b"\xfd7zXZ\x00", b"\x5d\x00"]
)
def test_damaged_compressed_files_are_a_problem_and_no_exception(prefix, tmp_path):
    path = tmp_path / "model.joblib"
    path.write_bytes(prefix + b"damaged" * 20)
    assert not scan_file(path).complete


def test_a_compressed_file_that_is_cut_says_so_with_what_was_seen(tmp_path):
    path = tmp_path / "model.joblib"
    noise = np.random.default_rng(0).bytes(3_000_000)
    data = zlib.compress(pickle.dumps([collections.OrderedDict(), noise]))
    path.write_bytes(data[:-1000])
    scan = scan_file(path)
    assert scan.imports == ("collections.OrderedDict",)
    assert not scan.complete


def test_a_missing_file_is_a_problem_and_no_exception(tmp_path):
    assert "can't be read" in scan_file(tmp_path / "missing").problem


def test_bytes_after_the_end_are_a_problem(mark):
    scan = scan_of(pickle.dumps(1) + pickle.dumps(Attack(mark)))
    assert "after its end" in scan.problem


def test_what_was_seen_before_a_problem_is_kept(mark):
    scan = scan_of(pickle.dumps(Attack(mark))[:-1] + b"\xff")
    assert scan.calls == ("posix.system",)
    assert not scan.complete


def test_a_wrapper_of_arrays_that_is_reached_by_a_detour_is_no_whole_file(mark, tmp_path):
    # the array's bytes look like the end of a harmless pickle; what comes after them is run
    path = tmp_path / "model.joblib"
    array = np.frombuffer(b"." * 64, dtype="u1")
    joblib.dump([array, Attack(mark)], path, protocol=2)
    hidden = path.read_bytes().replace(
        b"cjoblib.numpy_pickle\nNumpyArrayWrapper\n", b"cjoblib.numpy_pickle_alias\nWrapper\n"
    )
    assert not scan_of(hidden).complete


@pytest.mark.parametrize(
    "state",
    [
        {},
        {"shape": 3, "dtype": None, "order": "C", "subclass": None},
        {"shape": (1.5,), "dtype": None, "order": "C", "subclass": None},
        {"shape": (-1,), "dtype": None, "order": "C", "subclass": None},
        {"shape": (1,), "dtype": "f8", "order": "C", "subclass": None},
        {"shape": (1,), "dtype": None, "order": "C", "subclass": None, "read": "os.system"},
    ],
)
def test_states_of_arrays_that_joblib_does_not_write_are_not_followed(state):
    with pytest.raises(Unfollowed):
        array_bytes(state)


def stand_in(code, state=()):
    made = pickle_scan._Made(pickle_scan._Import("numpy.dtype"), (code,))
    made.state["__state__"] = state
    return made


@pytest.mark.parametrize(
    "dtype",
    [
        stand_in("f8,f8"),
        stand_in(8),
        stand_in("V8"),
        stand_in("V8", (3, "|", ("f4", (2,)), None, None, 8, 1)),
        stand_in("V8", (3, "|", None, ("a",), None, 8, 1)),
        stand_in("V8", (3, "|", None, ("a",), {"a": (stand_in("f8"), 0)}, 9, 1)),
        pickle_scan._Made(pickle_scan._Import("numpy.dtype")),
        pickle_scan._Made(pickle_scan._Import("numpy.dtypes.Evil"), ("f8",)),
    ],
)
def test_types_of_arrays_that_are_not_plain_are_not_followed(dtype):
    with pytest.raises(Unfollowed):
        array_bytes({"shape": (1,), "dtype": dtype, "order": "C", "subclass": None})


def test_a_type_within_types_without_end_is_not_followed():
    dtype = stand_in("f8")
    for _ in range(20):
        dtype = stand_in("V8", (3, "|", None, ("a",), {"a": (dtype, 0)}, 8, 1))
    with pytest.raises(Unfollowed):
        array_bytes({"shape": (1,), "dtype": dtype, "order": "C", "subclass": None})


def test_an_array_longer_than_its_file_is_a_problem(tmp_path):
    path = tmp_path / "model.joblib"
    joblib.dump(np.zeros(1000), path)
    path.write_bytes(path.read_bytes()[:-100])
    assert scan_file(path).problem == "an array or a text ends too early"


def test_pickles_in_arrays_in_pickles_without_end_are_not_followed(monkeypatch, tmp_path):
    monkeypatch.setattr(pickle_scan, "_DEEPEST", 0)
    scan = dumped(tmp_path / "model.joblib", np.array([None]))
    assert scan.problem == "pickles are nested too deeply"


def test_a_pickle_that_is_too_long_is_given_up(monkeypatch):
    monkeypatch.setattr(pickle_scan, "_MOST_OPCODES", 10)
    assert scan_of(pickle.dumps(list(range(100)))).problem == "it is too long"


@pytest.mark.parametrize("compress", COMPRESSIONS[1:], ids=str)
def test_a_file_that_decompresses_to_much_more_is_given_up(monkeypatch, tmp_path, compress):
    monkeypatch.setattr(pickle_stream, "MOST_DECOMPRESSED", 1 << 21)
    value = [collections.OrderedDict(), bytes(3 << 20)]
    scan = dumped(tmp_path / "bomb.joblib", value, compress=compress)
    assert scan.problem == "it is too large to look through"
    assert scan.imports == ("collections.OrderedDict",)


def test_a_bomb_takes_little_memory(tmp_path):
    packer = zlib.compressobj()
    path = tmp_path / "bomb.joblib"
    zeros = bytes(1 << 20)
    with path.open("wb") as file:
        file.write(packer.compress(b"\x80\x04\x8e" + (1 << 34).to_bytes(8, "little")))
        for _ in range(300):
            file.write(packer.compress(zeros))
        file.write(packer.flush())
    assert path.stat().st_size < 1 << 20
    tracemalloc.start()
    try:
        assert scan_file(path).problem == "it is too large to look through"
        assert tracemalloc.get_traced_memory()[1] < 40 << 20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    "data",
    [
        b"\x80\x04\x95" + (1 << 40).to_bytes(8, "little"),
        b"\x80\x04\x8b" + (1 << 30).to_bytes(4, "little"),
    ],
    ids=["frame", "number"],
)
def test_a_part_that_is_too_large_to_be_held_is_given_up(data):
    assert scan_of(data).problem == "it is too large to look through"


@pytest.mark.parametrize("protocol", range(1, 6))
@pytest.mark.parametrize("part", [bytes(3 << 20), "é" * 5000, bytearray(5000)], ids=type)
def test_long_parts_are_passed_over(part, protocol):
    data = pickle.dumps([part, collections.OrderedDict()], protocol=protocol)
    scan = scan_of(data)
    assert scan.complete
    assert "collections.OrderedDict" in scan.imports
    assert not scan_of(data[: len(data) // 2]).complete


def test_a_long_part_in_a_frame_ends_in_it():
    framed = b"\x80\x04\x95" + (5005).to_bytes(8, "little")
    part = b"B" + (5000).to_bytes(4, "little") + bytes(5000)
    assert scan_of(framed + part + b".").complete
    assert not scan_of(framed + part[:5] + bytes(10) + b".").complete
    after = b"\x80\x04\x95" + (5).to_bytes(8, "little") + part + b"."
    assert scan_of(after).complete


def test_an_instruction_that_nobody_knows_is_a_problem(monkeypatch):
    monkeypatch.delitem(pickle_scan._Machine._HANDLERS, "NONE")
    assert "NONE isn't known" in scan_of(pickle.dumps(None)).problem


def test_lines_are_read_within_a_frame_and_after_it():
    reader = Unframer(io.BytesIO(b"in\nside\n"))
    reader.begin_frame(3)
    assert reader.readline() == b"in\n"
    assert reader.readline() == b"side\n"
    reader = Unframer(io.BytesIO(b"in"))
    reader.begin_frame(2)
    with pytest.raises(Unfollowed):
        reader.readline()
    reader = Unframer(io.BytesIO(b"abc"))
    reader.begin_frame(2)
    assert reader.read(0) == b""
    with pytest.raises(Unfollowed):
        reader.read(3)


@pytest.mark.parametrize(
    "data",
    [
        b"N\x88\x89K\x01M\x01\x00J\x01\x00\x00\x00L1L\n\x8a\x01\x01I01\nF1.5\nG" + bytes(8) + b".",
        b"S'a'\nT\x01\x00\x00\x00aU\x01aVa\nX\x01\x00\x00\x00a\x8c\x01a.",
        b"B\x01\x00\x00\x00aC\x01a\x8d\x01" + bytes(7) + b"a\x96\x01" + bytes(7) + b"a.",
        b"N2(N1(0]q\x00h\x00r\x01\x00\x00\x00j\x01\x00\x00\x00p2\ng2\n\x94.",
        b"(K\x01t)K\x01\x85K\x01K\x02\x86K\x01K\x02K\x03\x87.",
        b"]K\x01a(K\x01e(K\x01l\x8f(K\x01\x90(K\x01\x91.",
        b"}K\x01K\x02s(S'a'\nK\x02u(K\x01K\x02d.",
    ],
)
def test_every_instruction_for_plain_values_is_followed(data):
    assert scan_of(data).problem == ""


def test_classes_with_keyword_arguments_are_calls():
    class Keyed:
        def __getnewargs_ex__(self):
            return (), {"a": 1}

        def __new__(cls, **kwargs):
            return super().__new__(cls)

    Keyed.__module__, Keyed.__qualname__ = "somewhere", "Keyed"
    data = b"csomewhere\nKeyed\n)}\x92."
    assert scan_of(data).calls == ("somewhere.Keyed",)


def test_reconstructors_of_nothing_are_harmless():
    assert scan_of(b"ccopyreg\n_reconstructor\n)R}b.").complete
    assert scan_of(b"ccopyreg\n_reconstructor\n(I1\ntR}b.").complete


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
        lambda inner: (
            st.lists(inner)
            | st.tuples(inner, inner)
            | st.dictionaries(st.text() | st.integers(), inner)
            | st.frozensets(st.integers())
        ),
    ),
    st.integers(0, 5),
)
def test_plain_values_import_nothing(value, protocol):
    scan = scan_of(pickle.dumps(value, protocol=protocol))
    assert scan.complete
    assert set(scan.imports) <= {"_codecs.encode", "builtins.frozenset", "builtins.bytes"}


@given(st.binary(max_size=200))
def test_no_bytes_make_it_raise(data):
    scan_of(data)


@given(st.data())
def test_no_damage_makes_it_raise(data):
    whole = bytearray(pickle.dumps({"a": [collections.OrderedDict(b=1), (1.5, "x")]}))
    place = data.draw(st.integers(0, len(whole) - 1))
    whole[place] = data.draw(st.integers(0, 255))
    scan_of(bytes(whole))


def test_the_registry_of_extensions_is_not_asked():
    copyreg.add_extension("os", "system", 77)
    try:
        assert scan_of(b"\x82\x4d.").imports == ("copyreg.extension 77",)
    finally:
        copyreg.remove_extension("os", "system", 77)
