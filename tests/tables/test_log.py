"""Promises of the log: one winner a number, no gaps, nothing believed that doesn't prove itself."""

import json
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from mlkit._core.hashing import digest_bytes
from mlkit.errors import AlreadyExists, Corrupt, NewerFormat, StorageFault
from mlkit.storage.local import LocalStorage
from mlkit.storage.memory import MemoryStorage
from mlkit.storage.wrapped import WrappedStorage
from mlkit.tables.actions import Add, Metadata, Remove, encode_commit
from mlkit.tables.log import Log

SCHEMA = Metadata("id", '{"type": "struct", "fields": []}', 0)
FOLDER = "tables/runs/_delta_log"


def add(path, rows=1):
    stats = {"numRecords": rows, "minValues": {}, "maxValues": {}, "nullCount": {}}
    return Add(path, 1, 0, stats, {"tail": "0" * 64, "tail_size": "8", "sha256": "0" * 64})


def log_in(storage):
    return Log(storage, "tables/runs", clock=lambda: 10**18)


def filled(storage, commits):
    log = log_in(storage)
    snapshot = log.read()
    for number in range(commits):
        actions = [add(f"{number}.parquet"), *([] if number else [SCHEMA])]
        snapshot = log.commit(snapshot, actions, "WRITE")
    return log


def commit_until_won(log, path):
    snapshot = log.read()
    lost = 0
    while True:
        actions = [add(path), *([] if snapshot.exists else [SCHEMA])]
        try:
            return log.commit(snapshot, actions, "WRITE").version, lost
        except AlreadyExists:
            lost += 1
            snapshot = log.refresh(snapshot)


def main():
    """Commit again and again, from when a line comes in; this file is also that program."""
    root, writer, count = sys.argv[1:]
    log = log_in(LocalStorage(root))
    print("ready", flush=True)
    sys.stdin.readline()
    print(json.dumps([commit_until_won(log, f"{writer}-{n}")[0] for n in range(int(count))]))


def test_of_processes_that_commit_at_once_each_number_has_one_winner(tmp_path):
    writers = [
        subprocess.Popen(
            [sys.executable, __file__, tmp_path, str(writer), "15"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for writer in range(4)
    ]
    assert [writer.stdout.readline() for writer in writers] == ["ready\n"] * 4
    for writer in writers:
        writer.stdin.write("go\n")
        writer.stdin.flush()
    won = [json.loads(writer.communicate()[0]) for writer in writers]
    assert sorted(version for versions in won for version in versions) == list(range(60))
    snapshot = log_in(LocalStorage(tmp_path)).read()
    assert snapshot.version == 59
    assert set(snapshot.files) == {f"{w}-{n}" for w in range(4) for n in range(15)}


@pytest.mark.parametrize("kind", ["local", "memory"])
def test_of_threads_that_commit_at_once_each_number_has_one_winner(kind, tmp_path):
    storage = LocalStorage(tmp_path) if kind == "local" else MemoryStorage(str(tmp_path))
    barrier = threading.Barrier(8)

    def write(writer):
        barrier.wait()
        return [commit_until_won(log_in(storage), f"{writer}-{n}")[0] for n in range(10)]

    with ThreadPoolExecutor(8) as pool:
        won = list(pool.map(write, range(8)))
    assert sorted(version for versions in won for version in versions) == list(range(80))
    assert len(log_in(storage).read().files) == 80


def test_a_commit_on_a_table_that_has_moved_on_is_refused(tmp_path):
    log = filled(LocalStorage(tmp_path), 3)
    before = log.read()
    log.commit(before, [add("quick.parquet")], "WRITE")
    with pytest.raises(AlreadyExists):
        log.commit(before, [add("slow.parquet")], "WRITE")
    assert "slow.parquet" not in log.read().files


@pytest.mark.parametrize("lacking", [0, 1, 4, 7])
def test_a_gap_is_damage(lacking, tmp_path):
    log = filled(LocalStorage(tmp_path), 9)
    (tmp_path / FOLDER / f"{lacking:020d}.json").unlink()
    with pytest.raises(Corrupt, match=f"lacks commit {lacking}"):
        log.read()


def test_what_a_checkpoint_sums_up_may_be_gone(tmp_path):
    log = filled(LocalStorage(tmp_path), 25)
    whole = log.read()
    for version in range(20):
        (tmp_path / FOLDER / f"{version:020d}.json").unlink()
    again = log.read()
    assert again == whole
    assert log.refresh(again) is again


@pytest.mark.parametrize(
    "text", [b"", b"{", b'{"version": 99, "size": 1}', b'{"version": 10}', b"7"]
)
def test_a_pointer_that_lies_is_not_believed(text, tmp_path):
    log = filled(LocalStorage(tmp_path), 25)
    whole = log.read()
    pointer = tmp_path / FOLDER / "_last_checkpoint"
    assert json.loads(pointer.read_bytes())["version"] == 20
    pointer.write_bytes(text)
    assert log.read() == whole
    pointer.unlink()
    assert log.read() == whole


def test_a_checkpoint_that_cannot_be_written_makes_no_commit_fail(tmp_path):
    class Full(WrappedStorage):
        def write(self, path, data, *, durable=False):
            raise StorageFault(f"{path} doesn't fit")

    log = filled(Full(LocalStorage(tmp_path)), 12)
    assert log.read().version == 11
    assert not list((tmp_path / FOLDER).glob("*.parquet"))


def test_whoever_knows_the_table_sees_what_was_committed_since(tmp_path):
    storage = LocalStorage(tmp_path)
    log = filled(storage, 3)
    known = log_in(storage).read()
    log.commit(log.read(), [Remove("1.parquet", 1), add("new.parquet")], "WRITE")
    assert set(log_in(storage).refresh(known).files) == {"0.parquet", "2.parquet", "new.parquet"}


def test_whoever_comes_back_after_the_old_commits_were_cleaned_sees_the_table_as_it_is(tmp_path):
    storage = LocalStorage(tmp_path)
    log = filled(storage, 3)
    known = log.read()
    snapshot = known
    for number in range(3, 45):
        snapshot = log.commit(snapshot, [add(f"{number}.parquet")], "WRITE")
    stale = log.stale(snapshot)
    assert stale
    for path in stale:
        storage.delete(path)
    assert log_in(storage).refresh(known) == snapshot
    assert log_in(storage).read() == snapshot


def test_a_log_that_was_deleted_is_no_table_to_whoever_knew_it(tmp_path):
    storage = LocalStorage(tmp_path)
    log = filled(storage, 3)
    known = log.read()
    for entry in list(storage.list()):
        storage.delete(entry.path)
    assert not log.refresh(known).exists


@pytest.mark.parametrize("commits", [1, 3, 4, 12])
def test_a_log_that_was_made_anew_is_not_mixed_with_the_old_one(commits, tmp_path):
    storage = LocalStorage(tmp_path)
    known = filled(storage, 3).read()
    for entry in list(storage.list()):
        storage.delete(entry.path)
    log = log_in(storage)
    new = log.read()
    for number in range(commits):
        actions = [add(f"new-{number}.parquet"), *([] if number else [SCHEMA])]
        new = log.commit(new, actions, "WRITE")
    assert log.refresh(known) == new


def written(tmp_path, data, version=1):
    storage = LocalStorage(tmp_path)
    filled(storage, 1)
    storage.write(f"{FOLDER}/{version:020d}.json", data)
    return log_in(storage)


def sealed(*lines):
    body = "".join(json.dumps(line) + "\n" for line in lines).encode()
    head = {"commitInfo": {"sha256": digest_bytes(body)}}
    return json.dumps(head).encode() + b"\n" + body


@pytest.mark.parametrize("versions", [(3, 2), (1, 7), (3, 7)])
def test_a_table_that_needs_a_newer_reader_is_refused(versions, tmp_path):
    reader, writer = versions
    protocol = {"minReaderVersion": reader, "minWriterVersion": writer}
    with pytest.raises(NewerFormat, match="another version"):
        written(tmp_path, sealed({"protocol": protocol})).read()


HOSTILE = [
    "../x",
    "a/../../x",
    "/etc/passwd",
    "%2e%2e/x",
    "..%2fx",
    "",
    ".",
    "a//b",
    "a\\..\\b\x00",
]


@pytest.mark.parametrize("path", HOSTILE)
@pytest.mark.parametrize("action", ["add", "remove"])
def test_a_path_that_leads_out_of_the_table_is_refused(action, path, tmp_path):
    fields = {**add("x").to_json(), "path": path, "deletionTimestamp": 0}
    with pytest.raises(Corrupt):
        written(tmp_path, sealed({action: fields})).read()


@pytest.mark.parametrize(
    "fields",
    [
        {"stats": "{}"},
        {"stats": '{"numRecords": "many", "minValues": {}, "maxValues": {}}'},
        {"stats": '{"numRecords": 1, "minValues": 7, "maxValues": {}}'},
        {"stats": None},
        {"tags": {}},
        {"tags": {"tail": "0", "tail_size": "long"}},
        {"tags": None},
        {"size": "large"},
    ],
)
def test_an_action_without_what_readers_rely_on_is_refused(fields, tmp_path):
    with pytest.raises(Corrupt):
        written(tmp_path, sealed({"add": {**add("x").to_json(), **fields}})).read()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\n",
        b"{}\n",
        b"[]\n",
        b"7",
        b"\xff\xfe",
        sealed("text"),
        sealed([]),
        sealed({}),
        sealed({"add": None}),
        sealed({"add": []}),
        b'{"commitInfo": {}}\n',
        b'{"commitInfo": null}\n',
        b"[" * 100_000,
    ],
    ids=range(14),
)
def test_what_is_no_commit_is_damage(data, tmp_path):
    with pytest.raises(Corrupt):
        written(tmp_path, data).read()


def test_a_commit_that_another_writer_made_is_refused(tmp_path):
    foreign = encode_commit([add("x")], first=False, info={}, writer="w").partition(b"\n")[2]
    with pytest.raises(Corrupt):
        written(tmp_path, b'{"commitInfo": {"engineInfo": "Spark"}}\n' + foreign).read()


def test_actions_that_are_not_known_are_passed_over(tmp_path):
    log = written(
        tmp_path, sealed({"txn": {"appId": "x", "version": 1}}, {"add": add("y").to_json()})
    )
    assert set(log.read().files) == {"0.parquet", "y"}


def test_removing_what_is_not_there_is_damage(tmp_path):
    log = filled(LocalStorage(tmp_path), 1)
    with pytest.raises(Corrupt, match="isn't there"):
        log.commit(log.read(), [Remove("never.parquet", 0)], "WRITE")


def test_removed_files_are_remembered_for_a_week(tmp_path):
    day = 24 * 3600 * 1000
    now = [1_700_000_000_000 * 1_000_000]
    log = Log(LocalStorage(tmp_path), "tables/runs", clock=lambda: now[0])
    snapshot = log.commit(log.read(), [SCHEMA, add("a"), add("b")], "WRITE")
    snapshot = log.commit(snapshot, [Remove("a", now[0] // 1_000_000)], "WRITE")
    now[0] += 6 * day * 1_000_000
    snapshot = log.commit(snapshot, [Remove("b", now[0] // 1_000_000)], "WRITE")
    now[0] += 2 * day * 1_000_000
    for number in range(8):
        snapshot = log.commit(snapshot, [add(f"{number}")], "WRITE")
    assert set(log.read().removed) == {"b"}


if __name__ == "__main__":
    main()
