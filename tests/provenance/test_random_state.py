import json
import random
import subprocess
import sys

import numpy as np
import pytest

from mlkit.errors import InvalidInput
from mlkit.provenance.random_state import generator_states, restore_generators


@pytest.fixture(autouse=True)
def _as_before():
    before, theirs = random.getstate(), np.random.get_state()  # noqa: NPY002 - it is kept
    yield
    random.setstate(before)
    np.random.set_state(theirs)  # noqa: NPY002 - it is kept


def draws():
    """Uneven numbers of normal ones, so that one of a pair is left."""
    mine = [random.random(), random.gauss(0, 1), random.randrange(9)]
    theirs = [*np.random.rand(3), np.random.randn(), np.random.randn()]  # noqa: NPY002 - it is kept
    return mine + theirs


@pytest.mark.parametrize("used", [0, 1, 2, 700])
def test_the_same_numbers_come_again_after_a_round_through_json(used):
    for _ in range(used):
        random.gauss(0, 1)
        np.random.randn()  # noqa: NPY002 - it is kept
    states = json.loads(json.dumps(generator_states()))
    first = draws()
    restore_generators(states)
    assert draws() == first


def test_a_state_is_compact():
    assert all(len(json.dumps(state)) < 3500 for state in generator_states().values())


def test_the_words_are_little_endian(monkeypatch):
    words = (3, (0x01020304, *[0] * 623, 624), None)
    monkeypatch.setattr(random, "getstate", lambda: words)
    assert generator_states()["random"]["words"].startswith("BAMCAQ")


def test_a_generator_that_is_not_named_is_left_alone():
    states = generator_states()
    draws()
    before = random.getstate()
    restore_generators({"numpy": states["numpy"]})
    assert random.getstate() == before
    assert generator_states()["numpy"] == states["numpy"]


def test_numpy_is_not_loaded_for_it():
    code = (
        "import sys; from mlkit.provenance.random_state import generator_states;"
        "print(*generator_states(), 'numpy' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout
    assert done == "random False\n"


def test_numpy_that_is_just_being_loaded_is_left_out(monkeypatch):
    monkeypatch.setitem(sys.modules, "numpy.random", type(sys)("numpy.random"))
    assert list(generator_states()) == ["random"]


def test_another_kind_of_global_generator_is_left_out():
    before = np.random.get_bit_generator()
    np.random.set_bit_generator(np.random.PCG64(1))
    try:
        assert list(generator_states()) == ["random"]
    finally:
        np.random.set_bit_generator(before)


@pytest.mark.parametrize(
    "states",
    [
        {"random": {}},
        {"random": {"version": 3, "words": "", "position": 1, "gauss": None}},
        {"random": {"version": 3, "words": "no base64!", "position": 1, "gauss": None}},
        {"random": {"version": 9, "words": "A" * 3328, "position": 1, "gauss": None}},
        {"random": None},
        {"numpy": {"words": "A" * 3328, "position": "x", "gauss": None}},
    ],
)
def test_what_is_no_state_is_refused(states):
    with pytest.raises(InvalidInput, match="no state"):
        restore_generators(states)
