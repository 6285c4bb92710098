import os
import pickle
import subprocess
import sys

import pytest

import mlkit
from mlkit._core.clock import now_ns
from mlkit._core.codec import encode_document
from mlkit.errors import (
    Corrupt,
    InvalidInput,
    MissingExtra,
    NewerFormat,
    NotAStore,
    NotFound,
    ReadOnly,
    SingleWriterOnly,
    Untrusted,
)
from mlkit.storage.local import LocalStorage
from mlkit.storage.memory import MemoryStorage
from mlkit.storage.protocol import Capabilities
from mlkit.storage.readonly import ReadOnlyStorage
from mlkit.store.rooms import owned_by_user
from mlkit.store.root import open_root
from mlkit.store.store import Store


def test_a_store_is_made_where_there_is_nothing_and_opened_where_it_is(tmp_path):
    first = Store(tmp_path / "new" / "store")
    second = Store(str(tmp_path / "new" / "store"))
    assert first.id == second.id
    assert repr(second) == f"Store({str(tmp_path / 'new' / 'store')!r})"


def test_an_empty_folder_becomes_a_store(tmp_path):
    assert Store(tmp_path).id == Store(tmp_path).id


def test_the_environment_names_the_default_store(tmp_path, monkeypatch):
    assert Store().url == os.path.join(os.getcwd(), ".mlkit")  # noqa: PTH109, PTH118 - as text
    monkeypatch.setenv("MLKIT_STORE", str(tmp_path / "named"))
    assert Store().url == str(tmp_path / "named")


def test_a_folder_with_other_things_is_no_store_and_stays_as_it_is(tmp_path):
    for name in "abcd":
        (tmp_path / name).write_text("mine")
    with pytest.raises(NotAStore, match=r"it holds a, b, c …\. Give the folder of a store"):
        Store(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir() if path.name != ".tmp") == list("abcd")


def test_a_file_is_no_store(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(NotAStore, match="is a file"):
        Store(tmp_path / "file")
    with pytest.raises(NotAStore, match="is a file"):
        Store(tmp_path / "file" / "below")


def test_a_store_of_a_newer_format_asks_for_an_upgrade(tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr("mlkit._core.codec.FORMAT", 2)
        data = encode_document("store", {"id": "x", "capabilities": {}})
    (tmp_path / "mlkit.json").write_bytes(data)
    with pytest.raises(NewerFormat, match="format 2, this mlkit reads up to 1"):
        Store(tmp_path)


def test_a_damaged_root_is_named(tmp_path):
    Store(tmp_path)
    (tmp_path / "mlkit.json").write_text("{}")
    with pytest.raises(Corrupt, match=r"mlkit\.json doesn't match its own digest"):
        Store(tmp_path)


def test_a_missing_driver_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "gcsfs", None)
    with pytest.raises(MissingExtra, match=r"mlkit-lifecycle\[gcs\]"):
        Store("gs://bucket/store")


def test_an_unknown_protocol_is_named_with_what_is_near():
    with pytest.raises(InvalidInput, match="s33"):
        Store("s33://bucket/store")


def test_two_processes_that_make_a_store_at_once_make_one(tmp_path):
    program = "import sys, mlkit; sys.stdin.read(); print(mlkit.Store(sys.argv[1]).id)"
    command = [sys.executable, "-c", program, str(tmp_path / "s")]
    processes = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    for process in processes:
        process.stdin.close()
        process.stdin = None
    ids = {process.communicate()[0] for process in processes}
    assert len(ids) == 1


def test_what_can_only_be_read_is_opened_but_not_made(tmp_path):
    local = LocalStorage(str(tmp_path))
    with pytest.raises(ReadOnly):
        open_root(ReadOnlyStorage(local), lambda: 0)
    store = Store(tmp_path)
    assert open_root(ReadOnlyStorage(local), lambda: 0).store_id == store.id


def test_a_storage_that_cant_refuse_a_second_writer_takes_runs_but_no_versions(
    tmp_path, monkeypatch
):
    weak = Capabilities(exclusive_create=False, append=True)
    monkeypatch.setattr(MemoryStorage, "capabilities", weak)
    store = Store(f"memory://{tmp_path.name}")
    with store.start_run("weak") as run:
        run.log_metric("x", 1)
    assert store.run(run.id).summary == {"x": 1.0}
    with pytest.raises(SingleWriterOnly, match="single_writer=True"):
        store.log_dataset("flights", {"a": [1]})
    alone = Store(f"memory://{tmp_path.name}", single_writer=True)
    assert alone.log_dataset("flights", {"a": [1]}).ref == "flights:1"


def test_what_probing_found_counts_even_where_the_driver_declares_more(tmp_path):
    class Lying(MemoryStorage):
        """Declares what it doesn't do: the second create of a name wins."""

        def create(self, path, data, *, durable=True):
            self.write(path, data)

    storage = open_root(Lying(tmp_path.name), lambda: 0).storage
    assert not storage.capabilities.exclusive_create
    assert storage.capabilities.append
    assert storage.read("mlkit.json").startswith(b"{")


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a file away")
def test_memory_and_a_local_store_of_this_user_are_trusted_and_no_other(tmp_path):
    Store(tmp_path / "mine")
    assert owned_by_user(LocalStorage(str(tmp_path / "mine")))
    assert owned_by_user(MemoryStorage("any"))
    assert not owned_by_user(LocalStorage(str(tmp_path / "nothing")))
    os.chown(tmp_path / "mine" / "mlkit.json", 12345, 12345)
    assert not owned_by_user(LocalStorage(str(tmp_path / "mine")))


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a file to another group")
@pytest.mark.parametrize(
    ("folder", "mode", "group", "trusted"),
    [
        (".", 0o777, 0, False),
        ("models", 0o777, 0, False),
        ("models", 0o775, 4321, False),
        (".", 0o775, 0, True),
        ("models", 0o755, 4321, True),
    ],
)
def test_a_store_that_others_may_write_to_is_not_trusted(tmp_path, folder, mode, group, trusted):
    store = Store(tmp_path / "shared")
    store.models.save("m", {"a": 1})
    place = tmp_path / "shared" / folder
    place.chmod(mode)
    os.chown(place, os.getuid(), group)
    assert owned_by_user(LocalStorage(str(tmp_path / "shared"))) is trusted
    if not trusted:
        with pytest.raises(Untrusted):
            Store(tmp_path / "shared").load_model("m")


def test_experiments_are_counted(tmp_path):
    store = Store(tmp_path)
    for experiment in ("b", "a", "b"):
        with store.start_run(experiment):
            pass
    assert [(one.name, one.run_count) for one in store.experiments] == [("a", 1), ("b", 2)]


def test_runs_are_searched_by_experiment_filter_and_order(tmp_path):
    store = Store(tmp_path)
    for number in range(6):
        with store.start_run("odd" if number % 2 else "even") as run:
            run.log_params(number=number)
            run.log_metric("auc", number / 10)
    found = store.search_runs(
        "metrics.auc > 0.1 and params.number in (2, 3, 4, 5)",
        experiment="odd",
        order_by="-metrics.auc",
        limit=1,
    )
    assert [run.params["number"] for run in found] == [5]
    assert len(store.search_runs()) == 6


def test_a_sweep_is_one_run_with_a_child_for_each_trial(tmp_path):
    store = Store(tmp_path)
    result = store.sweep(
        lambda x: {"score": -((x - 3) ** 2)}, {"x": [1, 2, 3, 4]}, goal="max score", n_jobs=1
    )
    assert result.best_params == {"x": 3}
    assert sum(run.parent_id is not None for run in store.runs) == 4


def test_what_was_read_and_made_is_in_the_lineage(tmp_path):
    store = Store(tmp_path)
    raw = store.log_dataset("raw", {"a": [1.0, 2.0, 3.0]})
    with store.start_run("prepare") as prepare:
        table = prepare.use_dataset("raw").to_arrow()
        made = prepare.log_dataset("features", {"b": [x * 2 for x in table["a"].to_pylist()]})
    assert made.run_id == prepare.id
    run = store.run(prepare.id)
    assert run.inputs == [{"kind": "dataset", "ref": "raw:1", "digest": raw.digest}]
    assert run.outputs == [{"kind": "dataset", "ref": "features:1", "digest": made.digest}]
    text = store.lineage("features").text()
    assert raw.digest[:14] in text
    assert "raw:1" in text


def test_a_decorated_function_makes_versions_with_their_lineage(tmp_path):
    store = Store(tmp_path)
    raw = store.log_dataset("raw", {"a": [1, 2]})

    @mlkit.dataset("doubled", store=store)
    def doubled(version, *, factor=2):
        return {"a": [value * factor for value in version.to_arrow()["a"].to_pylist()]}

    version = doubled(raw)
    assert version.ref == "doubled:1"
    assert version.to_arrow().to_pydict() == {"a": [2, 4]}
    assert doubled(raw).ref == "doubled:1"
    assert doubled(raw, factor=3).ref == "doubled:2"
    assert "raw:1" in store.lineage("doubled:1").text()


def test_a_dataset_made_within_a_run_is_its_output(tmp_path):
    store = Store(tmp_path)

    @mlkit.dataset("made", store=store)
    def made():
        return {"a": [1]}

    with store.start_run("making") as run:
        assert made().run_id == run.id
    assert store.run(run.id).datasets == ("made:1",)
    assert store.run(run.id).models == ()


def test_folders_and_references_become_versions(tmp_path):
    store = Store(tmp_path / "store")
    with store.new_dataset("images") as folder:
        (folder / "a.txt").write_text("a")
    assert store.dataset("images").ref == "images:1"
    (tmp_path / "raw.csv").write_text("a,b\n1,2\n")
    version = store.reference_dataset("raw", str(tmp_path / "raw.csv"))
    assert version.ref == "raw:1"


def test_every_error_of_the_tree_crosses_process_borders():
    error = mlkit.errors.GateRefused("refused", hint="read it", report={"passed": False})
    copy = pickle.loads(pickle.dumps(error))
    assert (str(copy), copy.report, copy.kind) == (str(error), {"passed": False}, "gate_refused")


def test_a_store_crosses_process_borders(tmp_path):
    store = Store(tmp_path, strict=True, trusted=False)
    copy = pickle.loads(pickle.dumps(store))
    assert (type(copy), copy.id, copy.url) == (Store, store.id, store.url)
    assert (copy._strict, copy._trusted) == (True, False)


def test_a_store_that_another_process_makes_in_this_moment_is_opened(tmp_path):
    made = Store(tmp_path / "store")

    class Slow(LocalStorage):
        """Sees nothing in its first look."""

        blind = True

        def read(self, path, start=0, end=None):
            if self.blind:
                self.blind = False
                raise NotFound(path)
            return super().read(path, start, end)

    assert open_root(Slow(tmp_path / "store"), now_ns).store_id == made.id
