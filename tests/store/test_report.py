import pytest

import mlkit
from mlkit.errors import GateRefused
from mlkit.store.store import Store


@pytest.fixture
def store(tmp_path):
    """A store with one of everything: data, runs, versions, a move, a refusal, a check."""
    from sklearn.linear_model import LogisticRegression

    store = Store(tmp_path / "store")
    rows = {"distance": [float(n) for n in range(40)], "late": [n % 4 > 1 for n in range(40)]}
    store.log_dataset("flights", rows)
    with store.start_run("<script>alert(1)</script>") as run:
        table = run.use_dataset("flights").to_pandas()
        X = table[["distance"]]
        model = LogisticRegression().fit(X, table["late"])
        for _ in range(2):
            run.log_model(model, "delay", input_example=X, metrics={"auc": 0.8})
    delay = store.models["delay"]
    delay.promote(1, "prod", reason="the first")
    with pytest.raises(GateRefused):
        delay.promote(2, "prod", gate=mlkit.Gate([mlkit.at_least("auc", 0.9)]), reason="too weak")
    monitor = store.monitor("delay@prod")
    monitor.log(X, model.predict_proba(X)[:, 1], ids=[str(n) for n in range(40)])
    monitor.log_truth([str(n) for n in range(40)], table["late"])
    report = monitor.check()
    monitor.trigger("retrain", when=[mlkit.metric_drop("auc", 0.01)], action=lambda _: 1).run(
        report
    )
    return store


def test_a_page_shows_everything_and_escapes_it(store, tmp_path):
    page = store.report(tmp_path / "page.html", title="Late <flights>")
    html = page.read_text()
    assert "Late &lt;flights&gt;" in html
    assert "<script" not in html
    for text in ("flights:1", "delay", "prod", "the first", "too weak", "refused"):
        assert text in html
    assert store.dataset("flights").digest[7:19] in html


def test_a_page_goes_into_a_folder_as_its_index(store, tmp_path):
    assert store.report(tmp_path / "site") == tmp_path / "site" / "index.html"
    assert store.report(tmp_path / "site") == tmp_path / "site" / "index.html"
    assert [path.name for path in (tmp_path / "site").iterdir()] == ["index.html"]


def test_a_page_of_an_empty_store_is_a_page(tmp_path):
    html = Store(tmp_path / "empty").report(tmp_path / "page.html").read_text()
    assert "From data to production" in html


def test_a_page_shows_what_is_damaged_instead_of_failing(store, tmp_path):
    run_id = store.runs.ids()[0]
    folder = tmp_path / "store" / "datasets" / "flights" / "1.json"
    folder.chmod(0o600)
    folder.write_bytes(folder.read_bytes().replace(b"table", b"tablE"))
    text = store.lineage("delay@prod").text()
    assert run_id[:8] in text
    problems = list(store.verify())
    assert any("flights/1.json" in str(problem) for problem in problems)
    html = Store(store.url).report(tmp_path / "page.html").read_text()
    assert "can&#x27;t be read" in html or "can&#39;t be read" in html
    assert "flights:1" in html


def test_a_flipped_bit_in_any_object_of_a_store_is_found(store, tmp_path):
    files = [path for path in (tmp_path / "store").rglob("*") if path.is_file()]
    assert len(files) > 12
    assert list(store.verify()) == []
    missed = []
    for path in files:
        data = path.read_bytes()
        for place in (0, len(data) // 2, len(data) - 1):
            changed = bytearray(data)
            changed[place] ^= 0x10
            path.chmod(0o600)
            path.write_bytes(bytes(changed))
            relative = path.relative_to(tmp_path / "store").as_posix()
            if not any(relative in str(problem) for problem in _problems(store)):
                missed.append((relative, place))
        path.write_bytes(data)
    assert missed == []
    assert list(store.verify()) == []


def _problems(store):
    try:
        return list(Store(store.url).verify())
    except mlkit.MlkitError as error:  # the root itself is damaged
        return [error]


def test_a_page_shows_what_was_said_of_versions_escaped_and_what_of_it_is_damaged(tmp_path):
    store = Store(tmp_path / "store")
    for number in (1, 2):
        store.log_dataset("flights", {"a": [number]})
    assert "<th>tags</th>" not in store.report(tmp_path / "page.html").read_text()
    store.datasets["flights"].promote(1, "gold")
    store.dataset("flights:1").set_tags({"<script>": "<u>ml"})
    store.dataset("flights:2").note("<i>by hand")
    html = store.report(tmp_path / "page.html").read_text()
    for shown in ("gold", "&lt;script&gt;=&lt;u&gt;ml", "&lt;i&gt;by hand"):
        assert shown in html
    assert "<script" not in html
    assert "<u>" not in html
    assert "<i>" not in html
    store._storage.write("datasets/flights/aliases/gold/1.json", b"{}")
    store._storage.write("datasets/flights/remarks/1/1.json", b"{}")
    html = store.report(tmp_path / "page.html").read_text()
    assert "aliases of flights can&#x27;t be read" in html
    assert "what was said of flights:1 can&#x27;t be read" in html
    assert "&lt;i&gt;by hand" in html
