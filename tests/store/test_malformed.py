"""Documents that are whole and make no sense: a problem each, never an error of Python's own."""

import copy
from contextlib import suppress

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mlkit._core.codec import decode_document, encode_document
from mlkit.errors import Corrupt, GateRefused, MlkitError
from mlkit.objects.blobs import Blobs
from mlkit.objects.manifest import FileEntry, Manifest, Source
from mlkit.objects.shards import encode_shard
from mlkit.store.store import Store

WRONG = (None, True, "x", [[]], {"x": 1})
KINDS = {
    "datasets/flights/1.json": "dataset_version",
    "datasets/files/1.json": "dataset_version",
    "datasets/flights/aliases/gold/1.json": "alias_entry",
    "datasets/flights/remarks/1/1.json": "remark",
    "models/delay/1.json": "model_version",
    "models/delay/aliases/prod/1.json": "alias_entry",
    "models/delay/gates/1.json": "gate_refusal",
}


class Never:
    """A gate that refuses all."""

    passed = False
    failures = ("never",)

    def evaluate(self, *_):
        return self

    def to_json(self):
        return {"passed": False}


@pytest.fixture
def store(tmp_path):
    """A store with one document of every kind."""
    (tmp_path / "file.bin").write_bytes(b"file")
    store = Store(f"memory://{tmp_path.name}")
    store.log_dataset("files", tmp_path / "file.bin")
    store.datasets.log("flights", {"a": [1, 2]}, inputs=["files:1"])
    store.models.save(
        "delay",
        {"mean": 1.0},
        metrics={"auc": 0.5},
        tags={"a": "b"},
        datasets=["flights:1"],
        input_example=[{"a": 1}],
    )
    store.datasets["flights"].promote(1, "gold")
    store.dataset("flights").set_tags(owner="ml")
    store.models["delay"].promote(1, "prod")
    with pytest.raises(GateRefused):
        store.models["delay"].promote(1, "next", gate=Never())
    return store


def places(value, at=()):
    """Give the place of every part of a document."""
    if at:
        yield at
    parts = value.items() if isinstance(value, dict) else []
    parts = enumerate(value) if isinstance(value, list) else parts
    for key, part in parts:
        yield from places(part, (*at, key))


def mutants(body):
    """Give the document with one part replaced or taken away, for every part."""
    for *above, key in places(body):
        for wrong in (*WRONG, ...):
            changed = copy.deepcopy(body)
            holder = changed
            for step in above:
                holder = holder[step]
            if wrong is ...:
                del holder[key]
            else:
                holder[key] = wrong
            yield (*above, key), changed


def use(store):
    """Do what reads the documents; give whether all of it worked."""
    failed = []
    acts = (
        lambda: list(store.datasets["flights"].versions()),
        lambda: store.dataset("flights").to_pandas(),
        lambda: store.dataset("flights").files(),
        lambda: store.dataset("files").open().read(),
        lambda: repr(store.dataset("flights")),
        lambda: store.load_model("delay@prod"),
        lambda: repr([store.models["delay"], store.models["delay"].versions()]),
        lambda: store.models["delay"].history("prod"),
        lambda: [*store.models["delay"].refusals()],
        lambda: store.lineage("delay@prod").text(),
        lambda: store.lineage("files:1", direction="downstream").text(),
        lambda: store.datasets["flights"].history("gold"),
        lambda: [store.dataset("flights@gold").tags, store.dataset("flights").notes],
        lambda: [store.dataset("flights").parents, store.dataset("files").children()],
        lambda: store.log_dataset("flights", {"a": [1, 2]}),
    )
    for act in acts:
        try:
            act()
        except MlkitError as error:
            failed.append(error)
    return failed


@pytest.mark.parametrize("path", KINDS)
def test_a_document_of_any_shape_gives_errors_that_say_so(store, path):
    kind = KINDS[path]
    storage = store.datasets.storage
    whole = storage.read(path)
    body = decode_document(whole, kind, path)
    for place, changed in mutants(body):
        storage.write(path, encode_document(kind, changed))
        fresh = Store(store.url, trusted=True)
        problems = [problem.path for problem in fresh.verify()]
        broken = [e for e in use(fresh) if isinstance(e, Corrupt) and "lacks what" in str(e)]
        assert path in problems or not broken, (place, broken)
        with suppress(MlkitError):
            storage.delete("datasets/flights/2.json")
    storage.write(path, whole)
    assert list(Store(store.url).verify()) == []
    assert use(store) == []


def test_a_version_of_copied_files_reads_none_that_its_manifest_says_lies_elsewhere(
    store, tmp_path
):
    secret = tmp_path / "secret"
    secret.write_bytes(b"secret")
    storage = store.datasets.storage
    entry = FileEntry("data.parquet", 6, "", (), Source(secret.as_uri()))
    manifest = Blobs(storage).put(encode_shard(Manifest.of([entry])))
    for name, kind in (("flights", "table"), ("files", "folder"), ("files", "file")):
        path = f"datasets/{name}/1.json"
        body = decode_document(storage.read(path), "dataset_version", path)
        body |= {"manifest": [manifest], "content": kind}
        storage.write(path, encode_document("dataset_version", body))
        version = Store(store.url).dataset(name)
        with pytest.raises(Corrupt, match="stays where it is"):
            version.checkout(tmp_path / "out")
        with pytest.raises(Corrupt, match="stays where it is"):
            version.open()
        assert not (tmp_path / "out").exists()
        problems = list(Store(store.url).verify())
        assert all("stays where it is" in problem.what for problem in problems)
        assert (f"{name}:1",) in [problem.hurts for problem in problems]


def test_a_manifest_that_leaves_its_folder_is_a_problem(store):

    storage = store.datasets.storage
    path = "datasets/files/1.json"
    body = decode_document(storage.read(path), "dataset_version", path)
    [digest] = body["manifest"]
    table = pq.read_table(pa.BufferReader(Blobs(storage).read(digest)))
    place = table.column_names.index("path")
    table = table.set_column(place, table.schema.field(place), [["../outside"]])
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink)
    body["manifest"] = [Blobs(storage).put(bytes(sink.getvalue()))]
    storage.write(path, encode_document("dataset_version", body))
    [problem] = Store(store.url).verify()
    assert problem.hurts == ("files:1",)
    assert "would leave the folder" in problem.what


def test_folders_whose_names_can_be_no_names_are_problems(store):
    storage = store.datasets.storage
    for kind, path in {
        "dataset_version": "datasets/a b/1.json",
        "model_version": "models/a b/1.json",
        "alias_entry": "models/delay/aliases/LATEST/1.json",
    }.items():
        storage.write(path, encode_document(kind, {"number": 1}))
    found = {problem.path for problem in Store(store.url).verify()}
    assert found == {
        "datasets/a b/1.json",
        "models/a b/1.json",
        "models/delay/aliases/LATEST/1.json",
    }


@pytest.mark.parametrize("copy", ["merge", "export"])
@pytest.mark.parametrize("harm", ["chunk", "seal", "cut", "longer"])
def test_a_damaged_pack_is_never_copied(store, tmp_path, copy, harm):
    storage = store.datasets.storage
    pack = store.dataset("files").files()[0].chunks[0].pack.removeprefix("sha256:")
    path = f"packs/{pack[:2]}/{pack}"
    data = bytearray(storage.read(path))
    if harm in {"chunk", "seal"}:
        data[0 if harm == "chunk" else -20] ^= 1
    storage.write(path, bytes(data[:-1] if harm == "cut" else data + b"!" * (harm == "longer")))
    other = Store(str(tmp_path / "other"))
    with suppress(MlkitError):
        if copy == "merge":
            other.merge(store)
        else:
            store.export("files:1", tmp_path / "other")
    other = Store(str(tmp_path / "other"))
    assert not list(other.datasets.storage.list(path))
    assert "files" not in other.datasets
    assert list(other.verify()) == []


def test_collecting_garbage_leaves_lists_of_chunks_in_peace(store):
    storage = store.datasets.storage
    before = {entry.path: storage.read(entry.path) for entry in storage.list("chunks")}
    assert before
    store.gc(grace="0s")
    assert {entry.path: storage.read(entry.path) for entry in storage.list("chunks")} == before
    assert list(store.verify()) == []
