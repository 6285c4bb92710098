"""Saving makes gapless immutable versions that say all of themselves; nothing is half made."""

import math

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from sklearn.linear_model import LogisticRegression

from mlkit._core.codec import encode_document
from mlkit.errors import (
    Corrupt,
    InvalidInput,
    InvalidName,
    NotFound,
    SchemaMismatch,
    SingleWriterOnly,
    StorageFault,
)
from mlkit.models.package import ModelVersion
from mlkit.objects.blobs import Blobs
from mlkit.storage.memory import MemoryStorage
from mlkit.storage.protocol import Capabilities
from mlkit.storage.readonly import ReadOnlyStorage
from mlkit.testing import FaultyStorage

DIGEST = "sha256:" + "0" * 64


class DatasetVersion:
    ref = "flights:3"
    digest = DIGEST


@pytest.fixture
def saved(models, flights):
    features, late = flights
    numbers = features[["distance", "hour"]]
    fitted = LogisticRegression().fit(numbers, late)
    return models.save(
        "delay",
        fitted,
        input_example=numbers.head(),
        metrics={"auc": np.float64(0.75), "rows": 200},
        run_id="a-run",
        datasets=[DatasetVersion()],
        tags={"team": "ml", "try": 1},
        note="first",
    )


def test_a_version_says_all_of_itself(saved):
    assert saved.ref == "delay:1"
    assert saved.metrics == {"auc": 0.75, "rows": 200.0}
    assert saved.run_id == "a-run"
    assert saved.user == "ann"
    assert saved.created_at == 1_000_000_000
    assert saved.datasets == ({"kind": "dataset", "ref": "flights:3", "digest": DIGEST},)
    assert saved.tags == {"team": "ml", "try": "1"}
    assert saved.note == "first"
    assert saved.serializer == "joblib"
    assert list(saved.files) == ["model.joblib"]
    assert saved.size == saved.files["model.joblib"].size > 0
    assert {"joblib", "numpy", "pandas", "scikit-learn"} <= set(saved.environment)


def test_what_is_read_is_what_saving_gave(models, saved):
    assert models.get("delay:1") == saved


def test_the_example_is_kept(models, saved, flights):
    example = models.example("delay")
    assert example.to_pydict() == flights[0][["distance", "hour"]].head().to_dict("list")
    assert models.example(saved) == example
    assert models.example(models.save("sum", sum)) is None


def test_a_long_example_is_cut(models):
    models.save("sum", len, input_example={"a": list(range(1000))})
    assert models.example("sum").num_rows == 100


def test_an_example_may_come_as_a_reader(models):
    table = pa.table({"a": [1, 2]})
    version = models.save("rows", lambda batch: batch["a"], input_example=table.to_reader())
    assert str(version.signature) == "a: int64 -> int64"


def test_the_output_of_what_cannot_predict_is_unknown(models):
    version = models.save("table", {"AA": 1}, input_example={"carrier": ["AA"]})
    assert version.signature.output is None


def test_versions_are_numbered_without_gaps(models):
    assert [models.save("sum", sum).number for _ in range(3)] == [1, 2, 3]
    assert [version.number for version in models["sum"]] == [1, 2, 3]
    assert len(models["sum"]) == 3
    assert models["sum"].latest.number == 3


def test_the_same_object_has_the_same_digest_in_every_version(models):
    assert models.save("sum", sum).digest == models.save("sum", sum).digest
    assert models.save("sum", max).digest != models.get("sum:1").digest


def test_references_mean_versions(models):
    models.save("sum", sum)
    second = models.save("sum", max)
    models["sum"].promote(1, "prod")
    assert models.get("sum") == models.get("sum@latest") == models.get("sum:2") == second
    assert models.get("sum@prod").number == 1
    assert models.get(f"sum#{second.digest[7:15]}") == second


def test_a_digest_of_several_versions_means_the_newest(models):
    models.save("sum", sum)
    second = models.save("sum", sum)
    assert models.get(f"sum#{second.digest[7:]}").number == 2


def test_digits_that_begin_several_digests_are_refused(models, storage):
    models.save("sum", sum)
    document = models.get("sum:1").to_document()
    for number, ending in ((2, "a"), (3, "b")):
        body = {"number": number, "writer": "w", **document, "digest": f"sha256:{'0' * 63}{ending}"}
        storage.create(f"models/sum/{number}.json", encode_document("model_version", body))
    with pytest.raises(InvalidInput, match="means versions 2, 3"):
        models.get("sum#0000")
    with pytest.raises(NotFound, match="no version of digest ffff"):
        models.get("sum#ffff")


def test_unknown_references_suggest_what_there_is(models):
    models.save("delay", sum)
    with pytest.raises(NotFound, match="Did you mean 'delay'"):
        models.get("dealy")
    with pytest.raises(NotFound, match="no version 7"):
        models.get("delay:7")
    with pytest.raises(NotFound, match="It has none yet"):
        models.get("delay@prod")
    models["delay"].promote(1, "production")
    with pytest.raises(NotFound, match="Did you mean 'production'"):
        models.get("delay@prodution")
    with pytest.raises(NotFound, match="It has production"):
        models["delay"].history("x")
    with pytest.raises(InvalidInput, match="'1' is no number"):
        models["delay"]["1"]


def test_a_model_whose_versions_vanished_says_so(models, storage):
    models.save("delay", sum)
    delay = models["delay"]
    storage.delete("models/delay/1.json")
    with pytest.raises(NotFound, match="has no version"):
        _ = delay.latest
    with pytest.raises(NotFound, match="has no version 1"):
        delay[1]


def test_names_are_listed(models):
    assert list(models) == []
    models.save("b", sum)
    models.save("a", sum)
    assert models.names() == ["a", "b"]
    assert "a" in models
    assert "c" not in models


@pytest.mark.parametrize("name", ["../up", "a/b", "", "a b", ".hidden", 7])
def test_names_that_cannot_be_are_refused(models, storage, name):
    with pytest.raises(InvalidName):
        models.save(name, sum)
    assert list(storage.list()) == []


def test_names_that_differ_by_case_only_are_refused(models):
    models.save("delay", sum)
    with pytest.raises(InvalidName, match="differs from 'delay' by case only"):
        models.save("Delay", sum)


@pytest.mark.parametrize(
    ("said", "match"),
    [
        ({"metrics": {"auc": "high"}}, "metric 'auc' is 'high', not a number"),
        ({"metrics": {"auc": None}}, "metric 'auc'"),
        ({"metrics": {"ok": True}}, "metric 'ok'"),
        ({"metrics": {1: 0.5}}, "metric 1"),
        ({"tags": {1: "x"}}, "tag 1"),
        ({"datasets": [7]}, "7 is no version of a dataset"),
        ({"datasets": 7}, "7 is no version of a dataset"),
        ({"input_example": 7}, "is no table"),
        ({"input_example": {"a": ["x"]}}, "can't predict on its input example: TypeError"),
    ],
)
def test_what_cannot_be_said_of_a_version_leaves_nothing(models, storage, said, match):
    def total(columns):
        return [sum(columns["a"])]

    with pytest.raises(InvalidInput, match=match):
        models.save("sum", total, **said)
    assert list(storage.list()) == []


def test_an_error_of_the_library_in_predict_stays_itself(models):
    def strict(columns):
        raise SchemaMismatch("too strict")

    with pytest.raises(SchemaMismatch, match="too strict"):
        models.save("strict", strict, input_example={"a": [1]})


def test_an_example_that_cannot_be_kept_is_refused(models, storage):
    union = pa.UnionArray.from_sparse(pa.array([0, 0], pa.int8()), [pa.array([1, 1])])
    empty = pa.array([{}, {}], pa.struct([]))
    for column in (union, empty):
        with pytest.raises(InvalidInput, match="can't be"):
            models.save("strange", len, input_example=pa.table({"a": column}))
    assert list(storage.list()) == []


def test_metrics_that_are_no_number_any_more_are_kept(models):
    models.save("sum", sum, metrics={"auc": math.nan, "loss": math.inf})
    metrics = models.get("sum").metrics
    assert math.isnan(metrics["auc"])
    assert metrics["loss"] == math.inf


@pytest.mark.parametrize(
    ("datasets", "links"),
    [
        ("flights:3", [{"kind": "dataset", "ref": "flights:3", "digest": ""}]),
        ({"ref": "a:1"}, [{"kind": "dataset", "digest": "", "ref": "a:1"}]),
        ([{"kind": "model", "ref": "a:1"}], [{"kind": "model", "digest": "", "ref": "a:1"}]),
    ],
)
def test_datasets_are_linked_in_every_form(models, datasets, links):
    assert list(models.save("sum", sum, datasets=datasets).datasets) == links


def test_every_blob_of_a_version_is_known_to_be_needed(models, saved, storage):
    uses = dict(models.uses())
    assert set(uses.values()) == {"delay:1"}
    assert {entry.path for entry in storage.list("blobs")} == set(uses)


def test_a_damaged_document_is_corrupt_and_hides_no_other_version(models, storage):
    models.save("a", sum)
    models.save("b", sum)
    storage.write("models/a/1.json", storage.read("models/a/1.json").replace(b"joblib", b"jobbib"))
    with pytest.raises(Corrupt):
        models.get("a")
    assert {reference for _, reference in models.uses()} == {"b:1"}


@pytest.mark.parametrize(
    "change",
    [
        {"serializer": "joblib"},
        {"files": {"model.joblib": {"digest": "../../etc/passwd", "size": 1}}},
        {"files": [1]},
        {"created_at": "yesterday"},
        {"digest": "short"},
        {"signature": {"form": "pandas"}},
        {"datasets": None},
    ],
)
def test_a_document_that_lacks_what_it_must_hold_is_corrupt(models, storage, change):
    models.save("a", sum)
    body = {"number": 2, "writer": "w", **models.get("a").to_document(), **change}
    storage.create("models/a/2.json", encode_document("model_version", body))
    with pytest.raises(Corrupt):
        models.get("a:2")


def test_documents_and_versions_are_the_same_thing(saved):
    document = {"number": 1, **saved.to_document()}
    assert ModelVersion.from_document("delay", document) == saved


def test_a_storage_that_cannot_refuse_a_second_writer_needs_the_promise_of_one(registry_of):
    lax = FaultyStorage(
        MemoryStorage("models-lax"), capabilities=Capabilities(exclusive_create=False, append=False)
    )
    with pytest.raises(SingleWriterOnly):
        registry_of(lax).save("sum", sum)
    assert list(lax.list()) == []
    assert registry_of(lax, single_writer=True).save("sum", sum).number == 1
    with pytest.raises(SingleWriterOnly):
        registry_of(lax)["sum"].promote(1, "prod")


def test_a_storage_that_only_reads_is_read(registry_of, models, storage):
    models.save("sum", sum)
    readonly = registry_of(ReadOnlyStorage(storage))
    assert readonly.load("sum").predict([1, 2]) == 3
    with pytest.raises(StorageFault):
        readonly.save("sum", sum)


def test_models_of_remote_storages_are_loaded_through_a_cache(registry_of, tmp_path):
    remote = registry_of(MemoryStorage("models-remote"))
    remote.save("sum", sum)
    assert remote.load("sum").predict([1, 2]) == 3
    assert any((tmp_path / "cache").rglob("*"))


def test_the_registry_is_its_own_storage(storage):
    from mlkit.models.registry import Models

    assert Models(storage, Blobs(storage)).trusted is False


def test_frames_of_pandas_are_needed_by_models_that_take_them(models):
    version = models.save("sum", len, input_example=pd.DataFrame({"a": [1]}))
    assert "pandas" in version.environment


def test_a_version_says_in_short_what_it_is(models):
    models.save("sum", sum, metrics={"a": 0.5, "b": 1, "c": 2, "d": 3}, run_id="01a20a83-4dc6-7000")
    said = repr(models.get("sum:1"))
    assert said.startswith("<ModelVersion sum:1 of run 01a20a83-4dc6…: a=0.5, b=1, c=2, …, ")
    assert said.endswith("B>")
    models.save("sum", sum)
    assert repr(models.get("sum:2")).startswith("<ModelVersion sum:2: ")


def test_models_say_in_short_what_they_hold(models):
    assert repr(models) == "<Models: none>"
    models.save("sum", sum)
    models.save("max", max)
    models["sum"].promote(1, "prod")
    assert repr(models) == "<Models: max, sum>"
    assert repr(models["sum"]) == "<Model sum: version 1, prod is 1>"
    assert repr(models.load("sum")) == "<LoadedModel sum:1: builtin_function_or_method>"


def test_secrets_in_tags_and_notes_are_masked_before_they_are_written(models):
    tags = {"token": "hunter2", "from": "https://hunter2@host/x", "api_key=hunter2": 1}
    version = models.save("delay", sum, tags=tags, note="with password=hunter2")
    assert version.note == "with password=[masked]"
    assert version.tags == {
        "token": "[masked]",
        "from": "https://[masked]@host/x",
        "api_key=[masked]": "[masked]",
    }
    assert models["delay"][1].tags == version.tags
