"""Collecting garbage from the shell."""

import os

from mlkit.cli.exits import UNREADABLE, USAGE


def age(folder):
    for place in folder.rglob("*"):
        if place.is_file():
            os.utime(place, (1, 1))


def test_gc_of_a_store_without_garbage_says_so(ask, runs):
    assert ask("gc").out == "There is no garbage.\n"


def test_gc_removes_garbage_and_says_what_it_was(ask, store, tmp_path):
    store._blobs.put(b"a" * 1500)
    age(tmp_path / "store")
    told = ask("gc", "--dry-run")
    assert "1 object, 1.5 kB, would be freed." in told.out
    answer = ask("gc", "--json").json
    assert (answer["objects"], answer["bytes"], answer["dry_run"]) == (1, 1500, False)
    assert {"kind": "blobs", "objects": 1, "bytes": 1500} in answer["freed"]
    assert ask("gc").out == "There is no garbage.\n"


def test_gc_keeps_to_the_grace(ask, store):
    store._blobs.put(b"a")
    assert "younger than 2 d 0 h" in ask("gc", "--grace", "2d").out
    assert ask("gc", "--grace", "soon").code == USAGE


def test_gc_of_a_damaged_store_removes_nothing(ask, store, tmp_path):
    store.log_dataset("flights", {"a": [1]})
    (tmp_path / "store" / "datasets" / "flights" / "1.json").write_bytes(b"damaged")
    answer = ask("gc")
    assert answer.code == UNREADABLE
    assert "flights:1" in answer.err
