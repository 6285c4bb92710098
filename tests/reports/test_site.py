import html.parser
import re

import pytest
from attrs import evolve

from mlkit.reports.overview import ModelOverview, Overview
from mlkit.reports.site import store_page

VOID = {"meta"}


class Balance(html.parser.HTMLParser):
    """Sees that every element is closed in its turn, and collects texts."""

    def __init__(self):
        super().__init__()
        self.open, self.ids, self.links, self.texts = [], [], [], []

    def handle_starttag(self, tag, attrs):
        if tag not in VOID:
            self.open.append(tag)
        self.ids += [value for name, value in attrs if name == "id"]
        self.links += [value for name, value in attrs if name == "href"]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)


def read(text):
    parser = Balance()
    parser.feed(text)
    parser.close()
    assert parser.open == []
    return parser


def test_the_page_is_well_formed_and_its_links_lead_somewhere(overview):
    page = read(store_page(overview))
    assert page.links == [f"#{name}" for name in page.ids]
    assert len(set(page.ids)) == len(page.ids)


def test_the_page_shows_all_of_the_life(overview):
    text = " ".join(read(store_page(overview)).texts)
    for word in (
        "Flights", "s3://team/ml", "delay in production", "Leaderboard", "Model delay", "prod",
        "flights:1", "reason 3", "refused", "passed",
        "rolled back", "moved, no gate", "retrain", "fired", "quiet", "temp",
        "Jan 2013", "version 3", "at training", "dataset flights:1", "models/<name>/<n>.json",
    ):  # fmt: skip
        assert word in text, word


def test_the_page_needs_no_script_and_no_network(overview):
    text = store_page(overview)
    assert "<script" not in text
    assert not re.search(r"(src|href)=\"(?!#)", text)


def test_nothing_from_a_store_becomes_markup(overview, run, check):
    evil = "<script>alert(1)</script>"
    model = overview.models[0]
    spoiled = evolve(
        model,
        name=evil,
        aliases={evil: 3},
        lineage={evil: evil},
        moves=[evolve_move(one, evil) for one in model.moves],
        checks=[check(1, notes=(evil,))],
        decisions=[{**one, "trigger": evil, "window": evil} for one in model.decisions],
    )
    page = store_page(
        evolve(
            overview,
            title=evil,
            url=evil,
            runs=[
                run(1, name=evil, experiment=evil, status=evil, params={evil: evil}, **{evil: 1.0})
            ],
            models=[spoiled],
        )
    )
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    read(page)


def evolve_move(move, text):
    move.reason = move.user = move.alias = text
    return move


def test_an_empty_store_has_a_page_too():
    text = store_page(Overview(url="x", made_at=0))
    assert "No runs yet." in text
    assert "Datasets" not in text


def test_a_model_that_nobody_watches_has_no_life_in_production(model, overview):
    quiet = evolve(model, checks=[], decisions=[])
    assert "in production" not in store_page(evolve(overview, models=[quiet]))


def test_a_model_without_aliases_is_shown(model, overview):
    bare = ModelOverview(name="delay", versions=model.versions)
    text = store_page(evolve(overview, models=[bare]))
    assert "Model delay" in text
    assert "History of its aliases" not in text


def test_the_version_in_production_stays_in_a_long_list(model, overview):
    many = [evolve_version(model.versions[0], number) for number in range(1, 101)]
    text = store_page(evolve(overview, models=[evolve(model, versions=many, aliases={"prod": 1})]))
    assert "… and 69 older versions" in text
    assert "mlk-strong" in text


def evolve_version(version, number):
    return type(version)(**{**vars(version), "number": number})


@pytest.mark.parametrize("found", [{"passed": True}, {"conditions": 3}, {}])
def test_what_another_gate_wrote_is_no_crash(model, overview, found):
    moves = [evolve_report(model.moves[1], found)]
    read(store_page(evolve(overview, models=[evolve(model, moves=moves)])))


def evolve_report(move, found):
    move.gate_report = found
    return move


def test_the_card_tells_the_latest_worth(model, overview, check):
    def card(**given):
        checks = [check(1, 3, auc=0.61), check(2, 3, auc=0.62), check(3, 3, **given)]
        return store_page(evolve(overview, models=[evolve(model, checks=checks)]))

    assert "<b>0.63</b><span>delay:3, Mar 2013, 0.8 at training</span>" in card(auc=0.63)
    assert "<b>0.62</b><span>delay:3, Feb 2013, 0.8 at training</span>" in card(auc=None)
    assert "<b>0.63</b><span>delay:3, Mar 2013</span>" in card(auc=0.63, baseline={})


def test_the_card_is_of_the_version_that_the_alias_means_now(model, overview, check):
    def page(*checks, **given):
        return store_page(evolve(overview, models=[evolve(model, checks=checks, **given)]))

    passes = [check(1, 3, auc=0.61), check(2, 3, auc=0.62), check(2, 1, auc=0.7), check(4, 2)]
    assert "<b>0.62</b><span>delay:3, Feb 2013, 0.8 at training</span>" in page(*passes)
    assert "<b>—</b><span>of delay:3, of which no truth is known yet</span>" in page(check(1, 1))
    assert "auc in production<" not in page(check(1, 1), aliases={})


def test_the_card_takes_the_window_that_ended_last(model, overview, check):
    ever = check(1, 3, auc=0.5, start=None, end=None, last=check(2).end - 1, checked_at=10**19)
    checks = [ever, check(3, 3, auc=0.6)]
    text = store_page(evolve(overview, models=[evolve(model, checks=checks)]))
    assert "<b>0.6</b><span>delay:3, Mar 2013" in text


def test_the_card_of_datasets_tells_the_newest_version(overview):
    (flights,) = overview.datasets
    given = [flights, like(flights, ref="flights:2", rows=1500, created_at=5)]
    text = store_page(evolve(overview, datasets=given))
    assert "of 1 dataset, the newest flights:2 with 1,500 rows" in text
    folder = like(flights, ref="notes:1", rows=None, created_at=9)
    text = store_page(evolve(overview, datasets=[*given, folder]))
    assert "of 2 datasets, the newest notes:1 with 12.3 kB" in text


def like(dataset, **given):
    return type(dataset)(**{**vars(dataset), **given})


def test_runs_of_datasets_are_shown_where_there_are_any(overview):
    def heads(**given):
        datasets = [like(overview.datasets[0], **given)]
        text = store_page(evolve(overview, datasets=datasets, models=[], runs=[]))
        return re.findall(r"<th[^>]*>([^<]*)</th>", text)

    assert "run" not in heads()
    assert "run" in heads(run_id="018f2c3a-0001-7abc-8000-0123456789ab")
