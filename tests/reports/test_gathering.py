from types import SimpleNamespace

from mlkit.reports.gathering import gather
from mlkit.reports.site import store_page


class Named(dict):
    """Datasets or models by their names."""

    def names(self):
        return list(self)


def test_all_that_a_store_holds_comes_together(overview, model):
    delay = SimpleNamespace(
        versions=lambda: model.versions,
        aliases=lambda: {"prod": 3, "candidate": 2},
        history=lambda alias: list(model.moves)[::-1] if alias == "prod" else [],
    )
    store = SimpleNamespace(
        url="s3://team/ml",
        search_runs=lambda: overview.runs,
        datasets=Named(flights=SimpleNamespace(versions=lambda: overview.datasets)),
        models=Named(delay=delay),
        monitor=lambda ref: SimpleNamespace(
            history=lambda: model.checks, decisions=lambda: model.decisions
        ),
        lineage=lambda ref: SimpleNamespace(text=lambda: f"where {ref} came from"),
    )
    found = gather(store, title="Flights", clock=lambda: 7)
    assert (found.url, found.made_at, found.title) == ("s3://team/ml", 7, "Flights")
    assert found.runs == overview.runs
    assert found.datasets == overview.datasets
    assert [one.at for one in found.models[0].moves] == sorted(one.at for one in model.moves)
    assert found.models[0].lineage["candidate"] == "where delay@candidate came from"
    assert "Flights" in store_page(found)
