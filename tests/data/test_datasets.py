"""Datasets: versions by content, from any number of writers, whole or not at all."""

import multiprocessing
import random
from concurrent.futures import ThreadPoolExecutor

import pyarrow as pa
import pytest

from mlkit._core.codec import decode_document, encode_document
from mlkit.data.datasets import Datasets
from mlkit.data.parquet import encode_schema
from mlkit.errors import (
    Corrupt,
    InvalidInput,
    InvalidName,
    NotFound,
    ReadOnly,
    SingleWriterOnly,
)
from mlkit.objects.packs import CHUNK_SIZE
from mlkit.storage.local import LocalStorage
from mlkit.storage.protocol import Capabilities
from mlkit.storage.readonly import ReadOnlyStorage
from mlkit.testing import FaultyStorage

SEAL = 48
"""The bytes of a seal of one chunk."""

ROW = 36
"""The bytes that a seal has for each chunk more."""

TABLE = pa.table({"carrier": ["UA", "AA", None], "delay": [1.5, None, -3.0]})


def grown(rows):
    return pa.table({"n": list(range(rows))})


class TestVersions:
    def test_the_first_is_number_one(self, datasets):
        version = datasets.log("flights", TABLE, run_id="r1", inputs=["raw:1"], description="all")
        assert version.ref == "flights:1"
        assert (version.kind, version.rows, version.run_id) == ("table", 3, "r1")
        assert version.inputs == ("raw:1",)
        assert (version.description, version.user) == ("all", "ann")
        assert version.created_at == 1_700_000_000_000_000_000

    def test_a_version_that_is_read_equals_the_one_that_was_made(self, storage, open_datasets):
        made = open_datasets(storage).log("flights", TABLE)
        assert open_datasets(storage).get("flights:1") == made

    def test_other_content_is_the_next_version(self, datasets):
        assert [datasets.log("n", grown(rows)).number for rows in (1, 2, 3)] == [1, 2, 3]
        assert datasets["n"].latest.rows == 3
        assert len(datasets["n"]) == 3
        assert [version.rows for version in datasets["n"].versions()] == [1, 2, 3]

    def test_the_same_content_is_the_version_that_exists(self, datasets):
        for rows in (1, 2, 3):
            datasets.log("n", grown(rows))
        assert datasets.log("n", grown(2)).number == 2
        assert datasets["n"].numbers() == [1, 2, 3]

    @pytest.mark.parametrize("what", ["table", "folder"])
    def test_nothing_is_written_for_content_that_exists(self, storage, open_datasets, folder, what):
        data = TABLE if what == "table" else folder
        open_datasets(storage).log("x", data)
        watched = FaultyStorage(storage)
        assert open_datasets(watched).log("x", data).number == 1
        assert {verb for verb, _ in watched.operations} <= {"read", "stat", "children"}

    def test_a_large_folder_is_few_objects(self, datasets, memory, tmp_path):
        (tmp_path / "many").mkdir()
        for number in range(300):
            (tmp_path / "many" / f"{number}").write_bytes(b"%d" % number)
        datasets.log("many", tmp_path / "many")
        rooms = sorted(entry.path.partition("/")[0] for entry in memory.list())
        assert rooms == ["blobs", "chunks", "datasets", "packs"]

    def test_chunks_that_earlier_versions_have_are_not_stored_again(self, datasets, memory, folder):
        datasets.log("images", folder)
        before = {entry.path for entry in memory.list("packs")}
        (folder / "new").write_bytes(b"just this")
        datasets.log("images", folder)
        added = [e.size for e in memory.list("packs") if e.path not in before]
        assert added == [len(b"just this") + SEAL]

    def test_chunks_that_any_dataset_has_are_not_stored_again(self, datasets, memory, folder):
        datasets.log("images", folder)
        before = {entry.path for entry in memory.list("packs")}
        datasets.log("others", folder)
        datasets.log("felix", folder / "cats" / "old" / "felix.png")
        assert {entry.path for entry in memory.list("packs")} == before

    def test_a_file_that_changed_in_one_place_costs_a_chunk_or_two(
        self, datasets, memory, tmp_path
    ):
        body = bytearray(random.Random(1).randbytes(5 * CHUNK_SIZE))
        (tmp_path / "f.bin").write_bytes(body)
        datasets.log("f", tmp_path / "f.bin")
        before = {entry.path for entry in memory.list("packs")}
        body[2 * CHUNK_SIZE + 77] ^= 1
        (tmp_path / "f.bin").write_bytes(body)
        version = datasets.log("f", tmp_path / "f.bin")
        added = [e.size for e in memory.list("packs") if e.path not in before]
        assert sum(added) <= 2 * CHUNK_SIZE
        with version.open() as stream:
            assert stream.read() == body

    def test_the_document_says_all_of_it(self, datasets, memory):
        datasets.log("flights", TABLE)
        path = "datasets/flights/1.json"
        document = decode_document(memory.read(path), "dataset_version", path)
        assert document["number"] == 1
        assert document["content"] == "table"
        assert document["created_at"] == "2023-11-14T22:13:20.000000Z"
        assert [column["name"] for column in document["columns"]] == ["carrier", "delay"]
        assert [column["type"] for column in document["columns"]] == ["string", "float64"]
        assert len(document["manifest"]) == 1
        assert document["writer"]

    def test_a_commit_does_not_read_more_for_every_version_there_is(self, memory, open_datasets):
        watched = FaultyStorage(memory)
        datasets = open_datasets(watched)
        counts = {}
        for number in range(1, 52):
            before = len(watched.operations)
            datasets.log("n", pa.table({"n": [number]}))
            counts[number] = len(watched.operations) - before
        # Lists of chunks are merged now and then, so some commits read one or two more.
        assert max(counts[n] for n in range(40, 52)) <= max(counts[n] for n in range(8, 20)) + 2
        assert max(counts.values()) < 30

    def test_another_machine_reads_each_document_once(self, memory, open_datasets, tmp_path):
        datasets = open_datasets(memory)
        for number in range(1, 11):
            datasets.log("n", pa.table({"n": [number]}))
        watched = FaultyStorage(memory)
        Datasets(watched, cache=tmp_path / "other").log("n", pa.table({"n": [0]}))
        read = [path for verb, path in watched.operations if verb == "read"]
        documents = [path for path in read if path.startswith("datasets/")]
        assert sorted(documents) == sorted(f"datasets/n/{number}.json" for number in range(1, 12))
        assert len(read) - len(documents) <= 4

    def test_parts_of_versions_long_past_are_not_stored_again(self, datasets, memory, folder):
        added = []
        for name in ["old", "b", "c", "d", "e", "old"]:
            (folder / "extra").write_bytes(name.encode() * 9)
            before = {entry.path for entry in memory.list("packs")}
            (folder / "more").write_bytes(b"%d" % len(added))
            version = datasets.log("images", folder)
            added.append(
                next(entry.size for entry in memory.list("packs") if entry.path not in before)
            )
        assert added[1:] == [10 + SEAL + ROW] * 4 + [1 + SEAL]
        with version.open("extra") as stream:
            assert stream.read() == b"old" * 9

    def test_chunks_of_a_store_without_lists_are_listed_once(self, memory, open_datasets, folder):
        open_datasets(memory).log("images", folder)
        open_datasets(memory).log("n", grown(1))
        for entry in list(memory.list("chunks")):
            memory.delete(entry.path)
        before = {entry.path for entry in memory.list("packs")}
        datasets = open_datasets(memory)
        datasets.log("others", folder)
        assert {entry.path for entry in memory.list("packs")} == before
        assert len(list(memory.list("chunks"))) >= 1
        watched = FaultyStorage(memory)
        open_datasets(watched).log("n", grown(2))
        assert not [path for verb, path in watched.operations if path == "datasets/images/1.json"]

    @pytest.mark.parametrize("harm", ["document", "manifest", "name", "alias"])
    def test_damaged_versions_of_a_store_without_lists_do_not_stop_new_ones(
        self, memory, open_datasets, folder, harm
    ):
        version = open_datasets(memory).log("images", folder)
        open_datasets(memory).log("n", grown(1))
        for entry in list(memory.list("chunks")):
            memory.delete(entry.path)
        if harm == "document":
            memory.write("datasets/images/1.json", b"damaged")
        elif harm == "manifest":
            digits = version.manifest[0].removeprefix("sha256:")
            memory.delete(f"blobs/{digits[:2]}/{digits}")
        elif harm == "name":
            memory.write("datasets/a b/1.json", b"damaged")
        else:
            memory.write("datasets/images/aliases/x/1.json", b"damaged")
        datasets = open_datasets(memory)
        assert datasets.log("n", grown(2)).number == 2
        before = {entry.path for entry in memory.list("packs")}
        datasets.log("m", grown(1))
        assert {entry.path for entry in memory.list("packs")} == before

    def test_a_damaged_older_version_does_not_stop_new_ones(self, memory, open_datasets):
        open_datasets(memory).log("n", grown(1))
        open_datasets(memory).log("n", grown(2))
        memory.write("datasets/n/1.json", b"damaged")
        assert open_datasets(memory).log("n", grown(3)).number == 3


class TestNames:
    def test_names_are_sorted_and_counted_in(self, datasets):
        assert list(datasets) == []
        for name in ("b", "a"):
            datasets.log(name, TABLE)
        assert list(datasets) == ["a", "b"]
        assert "a" in datasets
        assert "c" not in datasets

    @pytest.mark.parametrize("name", ["../x", "a/b", "", ".hidden", "a b", "x" * 129, "ä", None])
    def test_a_name_that_cannot_be_is_refused_and_nothing_written(self, datasets, memory, name):
        for call in (datasets.log, datasets.reference):
            with pytest.raises(InvalidName):
                call(name, TABLE)
        with pytest.raises(InvalidName), datasets.new(name):
            pass
        assert list(memory.list()) == []

    def test_a_name_that_differs_by_case_only_is_refused(self, datasets):
        datasets.log("Flights", TABLE)
        with pytest.raises(InvalidName, match="by case only"):
            datasets.log("flights", TABLE)

    def test_a_name_whose_folder_is_empty_is_said_to_have_no_version(self, tmp_path, open_datasets):
        (tmp_path / "store" / "datasets" / "flights").mkdir(parents=True)
        datasets = open_datasets(LocalStorage(tmp_path / "store"))
        with pytest.raises(NotFound, match="'flights' has no version"):
            datasets.get("flights")
        assert datasets.log("flights", TABLE).number == 1

    def test_an_unknown_name_is_answered_with_a_near_one(self, datasets):
        datasets.log("flights", TABLE)
        with pytest.raises(NotFound, match="Did you mean 'flights'"):
            datasets.get("flihgts")


class TestReferences:
    @pytest.fixture
    def three(self, datasets):
        for rows in (1, 2, 3):
            datasets.log("n", grown(rows))
        return datasets

    @pytest.mark.parametrize(("reference", "rows"), [("n", 3), ("n@latest", 3), ("n:2", 2)])
    def test_a_version_is_found_by_reference(self, three, reference, rows):
        assert three.get(reference).rows == rows

    def test_a_version_is_found_by_its_digest(self, three):
        digest = three.get("n:2").digest.removeprefix("sha256:")
        assert three.get(f"n#{digest}").number == 2
        assert three.get(f"n#{digest[:12]}").number == 2

    def test_a_digest_that_no_version_has_is_not_found(self, three):
        with pytest.raises(NotFound, match="no version of digest"):
            three.get("n#" + "0" * 64)

    def test_a_digest_that_several_have_is_refused(self, memory, open_datasets):
        for number in (1, 2):
            body = {"number": number, "digest": f"sha256:abcd{number}" + "0" * 59}
            body["manifest"] = []
            memory.write(f"datasets/n/{number}.json", encode_document("dataset_version", body))
        with pytest.raises(InvalidInput, match="means versions 1, 2"):
            open_datasets(memory).get("n#abcd")

    def test_a_number_that_does_not_exist_is_not_found(self, three):
        with pytest.raises(NotFound, match="It has 1 to 3"):
            three.get("n:9")

    def test_an_alias_is_not_found(self, three):
        with pytest.raises(NotFound, match="has no alias 'prod'"):
            three.get("n@prod")

    def test_a_document_that_lacks_a_field_is_corrupt(self, memory, open_datasets):
        memory.write("datasets/n/1.json", encode_document("dataset_version", {"number": 1}))
        with pytest.raises(Corrupt, match="lacks what it must hold"):
            open_datasets(memory).get("n:1")

    def test_a_dataset_whose_versions_vanished_has_no_latest(self, three, memory):
        dataset = three["n"]
        for number in dataset.numbers():
            memory.delete(f"datasets/n/{number}.json")
        with pytest.raises(NotFound, match=r"has no version$"):
            _ = dataset.latest
        with pytest.raises(NotFound, match=r"has no version 1$"):
            dataset[1]


class TestFolders:
    def test_a_folder_that_was_filled_is_a_version(self, datasets):
        with datasets.new("images", run_id="r1", description="cats") as folder:
            (folder / "a").write_bytes(b"a")
        version = datasets.get("images")
        assert (version.kind, version.run_id, version.description) == ("folder", "r1", "cats")
        assert [entry.path for entry in version.files()] == ["a"]
        assert not folder.exists()

    def test_an_exception_drops_the_folder(self, datasets, memory):
        def fill_and_fail():
            with datasets.new("images") as folder:
                (folder / "a").write_bytes(b"a")
                folders.append(folder)
                raise LookupError

        folders = []
        with pytest.raises(LookupError):
            fill_and_fail()
        assert not folders[0].exists()
        assert list(memory.list()) == []

    def test_an_empty_folder_is_no_version(self, datasets, memory):
        with pytest.raises(InvalidInput, match="holds no file"), datasets.new("images"):
            pass
        assert list(memory.list()) == []


class Overtaken(FaultyStorage):
    """A storage on which another writer is quicker, once."""

    def __init__(self, inner, other):
        super().__init__(inner)
        self._other = [other]

    def create(self, path, data, *, durable=True):
        if self._other:
            self._other.pop()()
        super().create(path, data, durable=durable)


class TestWritersAtOnce:
    @pytest.mark.parametrize("what", ["table", "folder"])
    def test_the_same_content_of_two_writers_is_one_version(
        self, storage, open_datasets, folder, what
    ):
        data = TABLE if what == "table" else folder
        quick = open_datasets(storage, user="quick")
        slow = open_datasets(Overtaken(storage, lambda: quick.log("x", data)), user="slow")
        version = slow.log("x", data)
        assert (version.number, version.user) == (1, "quick")
        assert quick["x"].numbers() == [1]

    def test_other_content_of_two_writers_is_two_versions(self, storage, open_datasets):
        quick = open_datasets(storage, user="quick")
        slow = open_datasets(Overtaken(storage, lambda: quick.log("n", grown(1))), user="slow")
        assert slow.log("n", grown(2)).number == 2
        assert [version.user for version in quick["n"].versions()] == ["quick", "slow"]

    def test_threads_get_different_numbers_without_gaps(self, storage, open_datasets):
        shared = open_datasets(storage)
        with ThreadPoolExecutor(8) as pool:
            made = list(pool.map(lambda rows: shared.log("n", grown(rows % 10)), range(30)))
        assert sorted({version.number for version in made}) == list(range(1, 11))
        assert len({version.digest for version in made}) == 10

    def test_processes_get_different_numbers_without_gaps(self, tmp_path):
        context = multiprocessing.get_context("spawn")
        workers = [
            context.Process(target=log_some, args=(str(tmp_path), start)) for start in (1, 4, 7)
        ]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        assert [worker.exitcode for worker in workers] == [0, 0, 0]
        datasets = Datasets(LocalStorage(tmp_path / "store"), cache=tmp_path / "cache")
        assert datasets["n"].numbers() == list(range(1, 10))
        assert sorted(version.rows for version in datasets["n"].versions()) == list(range(1, 10))

    def test_a_storage_that_cannot_refuse_needs_a_single_writer(self, memory, open_datasets):
        no = Capabilities(exclusive_create=False, append=False)
        weak = FaultyStorage(memory, capabilities=no)
        with pytest.raises(SingleWriterOnly):
            open_datasets(weak).log("n", grown(1))
        assert list(memory.list()) == []
        assert open_datasets(weak, single_writer=True).log("n", grown(1)).number == 1

    def test_a_store_that_only_reads_is_read(self, memory, open_datasets):
        open_datasets(memory).log("n", grown(1))
        reading = open_datasets(ReadOnlyStorage(memory))
        assert reading.get("n").to_arrow() == grown(1)
        with pytest.raises((ReadOnly, SingleWriterOnly)):
            reading.log("n", grown(2))


def log_some(root, start):
    """Log three versions; run in a process of its own."""
    from pathlib import Path

    datasets = Datasets(LocalStorage(Path(root) / "store"), cache=Path(root) / "cache")
    for rows in range(start, start + 3):
        datasets.log("n", pa.table({"n": list(range(rows))}))


def test_the_schema_of_a_document_is_checked(memory, open_datasets):
    open_datasets(memory).log("n", grown(1))
    path = "datasets/n/1.json"
    document = decode_document(memory.read(path), "dataset_version", path)
    assert document["schema"] == encode_schema(grown(1).schema)
    memory.write(path, encode_document("dataset_version", {**document, "schema": "no schema"}))
    with pytest.raises(Corrupt, match="schema of the version"):
        open_datasets(memory).get("n").to_arrow()


def test_secrets_in_what_is_said_of_a_version_are_masked_before_they_are_written(datasets):
    said = {"inputs": ["https://hunter2@host/raw"], "description": "read with token=hunter2"}
    version = datasets.log("flights", TABLE, **said)
    assert version.description == "read with token=[masked]"
    assert version.inputs == ("https://[masked]@host/raw",)
    assert datasets.get("flights:1").description == version.description
