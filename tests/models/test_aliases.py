"""Aliases move only as they may, through the gate where there is one, and forget nothing."""

import pickle

import pytest

from mlkit._core.codec import encode_document
from mlkit.errors import Corrupt, GateRefused, InvalidInput, InvalidName, NotFound
from mlkit.models.loaded import LoadedModel
from mlkit.objects.aliases import AliasEntry, undo_stack


@pytest.fixture
def delay(models):
    """Gives a model of five versions, the odd ones better than the even ones."""
    for number in range(1, 6):
        models.save(
            "delay", sum, metrics={"auc": 0.5 + (0.1 if number % 2 else 0.0) + number / 100}
        )
    return models["delay"]


def held(delay):
    return [entry.version for entry in delay.history("prod")]


def test_promotion_moves_the_alias_and_says_who_when_why_and_what_it_replaced(delay):
    delay.promote(1, "prod")
    entry = delay.promote(2, "prod", reason="better on nights", run_id="a-run")
    assert entry.number == 2
    assert (entry.version, entry.replaced) == (2, 1)
    assert (entry.user, entry.reason, entry.run_id) == ("ann", "better on nights", "a-run")
    assert entry.at > delay.history("prod")[0].at
    assert entry.gate_report is None
    assert delay.aliases() == {"prod": 2}
    assert delay.alias("prod").number == 2
    assert delay.history("prod")[1] == entry


def test_a_version_is_promoted_by_number_itself_or_reference(delay, models):
    for version, number in [
        (delay[2], 2),
        ("delay:3", 3),
        ("delay", 5),
        ("delay@prod", 5),
        (f"delay#{delay[4].digest[7:19]}", 5),
    ]:
        assert delay.promote(version, "prod").version == number


def test_versions_of_other_models_are_refused(delay, models):
    other = models.save("other", sum)
    for version in (other, "other:1"):
        with pytest.raises(InvalidInput, match=r"another model than 'delay'.*models\['other'\]"):
            delay.promote(version, "prod")
    assert delay.aliases() == {}


@pytest.mark.parametrize("alias", ["latest", "7", "a/b", "..", ""])
def test_aliases_that_cannot_be_are_refused(delay, alias):
    with pytest.raises(InvalidName):
        delay.promote(1, alias)
    assert delay.aliases() == {}


def test_aliases_that_differ_by_case_only_are_refused(delay):
    delay.promote(1, "prod")
    with pytest.raises(InvalidName, match="differs from 'prod' by case only"):
        delay.promote(1, "Prod")


@pytest.mark.parametrize("version", [9, 0, "delay:9"])
def test_versions_that_do_not_exist_are_not_promoted(delay, version):
    with pytest.raises(NotFound, match="It has 1 to 5"):
        delay.promote(version, "prod")
    assert delay.aliases() == {}


@pytest.mark.parametrize("version", [True, 1.5, None])
def test_what_is_no_version_is_not_promoted(delay, version):
    with pytest.raises(InvalidInput, match="no number of a version"):
        delay.promote(version, "prod")


def test_a_gate_compares_with_the_holder_and_its_report_is_kept(delay, gate):
    first = delay.promote(1, "prod", gate=gate)
    second = delay.promote(3, "prod", gate=gate)
    assert gate.asked == [(1, None), (3, 1)]
    assert first.gate_report["holder"] == 0.0
    assert second.gate_report["passed"] is True
    assert delay.history("prod")[1].gate_report == second.gate_report


def test_a_refused_version_leaves_the_alias_and_its_report_is_kept(delay, gate):
    delay.promote(1, "prod", gate=gate)
    with pytest.raises(
        GateRefused, match=r"refused delay:2 as 'prod' \(auc: worse.*; it stays with delay:1"
    ) as no:
        delay.promote(2, "prod", gate=gate, reason="hope", run_id="a-run")
    assert no.value.report.passed is False
    assert "auc: worse than the holder's" in str(no.value)
    assert delay.aliases() == {"prod": 1}
    assert held(delay) == [1]
    [refusal] = delay.refusals()
    assert (refusal.number, refusal.alias, refusal.version, refusal.holder) == (1, "prod", 2, 1)
    assert (refusal.user, refusal.reason, refusal.run_id) == ("ann", "hope", "a-run")
    assert refusal.gate_report["candidate"] == pytest.approx(0.52)


def test_a_version_that_is_refused_as_the_first_leaves_no_alias(delay, gate):
    gate.evaluate = lambda *_: type(
        "No",
        (),
        {"passed": False, "failures": ("auc: 0.7 < 0.8",), "to_json": lambda _: {"why": "no"}},
    )()
    with pytest.raises(GateRefused, match="nobody holds it"):
        delay.promote(1, "prod", gate=gate)
    assert delay.aliases() == {}
    assert delay.refusals()[0].holder is None
    with pytest.raises(NotFound):
        delay.history("prod")


def test_a_gate_can_load_both_models(delay, gate):
    class Loading(type(gate)):
        def evaluate(self, candidate, holder, load):
            self.loaded = [load(version) for version in (candidate, holder) if version]
            return super().evaluate(candidate, holder, load)

    loading = Loading()
    delay.promote(1, "prod", gate=loading)
    delay.promote(3, "prod", gate=loading)
    assert [type(model) for model in loading.loaded] == [LoadedModel, LoadedModel]
    assert [model.version.number for model in loading.loaded] == [3, 1]


def test_a_gate_that_fails_moves_nothing(delay):
    class Broken:
        def evaluate(self, candidate, holder, load):
            raise RuntimeError("no data")

    with pytest.raises(RuntimeError, match="no data"):
        delay.promote(1, "prod", gate=Broken())
    assert delay.aliases() == {}


def test_the_gate_is_asked_again_when_another_moves_the_alias_meanwhile(delay, gate):
    class Raced(type(gate)):
        def evaluate(self, candidate, holder, load):
            if not self.asked:
                delay.promote(5, "prod")
            return super().evaluate(candidate, holder, load)

    raced = Raced()
    with pytest.raises(GateRefused, match="stays with delay:5"):
        delay.promote(1, "prod", gate=raced)
    assert raced.asked == [(1, None), (1, 5)]
    assert held(delay) == [5]


def test_rollback_goes_one_step_back_and_is_an_entry_of_its_own(delay):
    delay.promote(1, "prod")
    delay.promote(2, "prod")
    entry = delay.rollback("prod", reason="too many false alarms", run_id="a-run")
    assert (entry.action, entry.version, entry.replaced) == ("rollback", 1, 2)
    assert (entry.reason, entry.run_id) == ("too many false alarms", "a-run")
    assert delay.aliases() == {"prod": 1}
    assert held(delay) == [1, 2, 1]


def test_rollback_again_goes_further_back(delay):
    for number in (1, 2, 3):
        delay.promote(number, "prod")
    assert delay.rollback("prod").version == 2
    assert delay.rollback("prod").version == 1
    with pytest.raises(
        InvalidInput, match="no version before delay:1 that 'prod' could go back to"
    ):
        delay.rollback("prod")
    assert held(delay) == [1, 2, 3, 2, 1]


def test_rollback_never_goes_to_a_version_that_was_rolled_back(delay):
    for number in (1, 2, 3):
        delay.promote(number, "prod")
    delay.rollback("prod")
    delay.promote(4, "prod")
    assert delay.rollback("prod").version == 2


def test_promoting_the_holder_again_is_no_step_for_rollback(delay):
    for number in (1, 2, 2):
        delay.promote(number, "prod")
    assert delay.rollback("prod").version == 1


def test_rollback_of_what_was_never_moved_is_unknown(delay):
    with pytest.raises(NotFound, match="has no alias 'prod'"):
        delay.rollback("prod")


def test_a_rollback_further_back_takes_away_all_above():
    def entry(number, version, action):
        return AliasEntry(
            number=number,
            alias="prod",
            version=version,
            replaced=None,
            at=0,
            user="",
            action=action,
        )

    moves = [(1, "promote"), (2, "promote"), (3, "promote"), (1, "rollback")]
    assert undo_stack(entry(n, *move) for n, move in enumerate(moves)) == [1]
    moves = [(1, "promote"), (9, "rollback")]
    assert undo_stack(entry(n, *move) for n, move in enumerate(moves)) == [9]


def test_aliases_are_apart(delay):
    delay.promote(1, "prod")
    delay.promote(2, "candidate")
    delay.promote(3, "candidate")
    assert delay.aliases() == {"candidate": 3, "prod": 1}
    assert delay.rollback("candidate").version == 2
    assert held(delay) == [1]


def test_entries_pickle(delay):
    entry = delay.promote(1, "prod")
    assert pickle.loads(pickle.dumps(entry)) == entry


def test_an_edited_entry_is_corrupt(delay, storage):
    delay.promote(1, "prod")
    path = "models/delay/aliases/prod/1.json"
    storage.write(path, storage.read(path).replace(b'"version": 1', b'"version": 2'))
    with pytest.raises(Corrupt):
        delay.alias("prod")
    assert repr(delay) == "<Model delay: version 5, an alias is damaged>"


def test_an_entry_of_another_alias_is_corrupt(delay, storage):
    delay.promote(1, "candidate")
    data = storage.read("models/delay/aliases/candidate/1.json")
    storage.create("models/delay/aliases/prod/1.json", data)
    with pytest.raises(Corrupt, match="belongs to the alias 'candidate'"):
        delay.alias("prod")


def test_entries_that_lack_what_they_must_hold_are_corrupt(delay, storage):
    body = {"number": 1, "writer": "w", "alias": "prod"}
    storage.create("models/delay/aliases/prod/1.json", encode_document("alias_entry", body))
    storage.create("models/delay/gates/1.json", encode_document("gate_refusal", body))
    with pytest.raises(Corrupt, match="lacks what it must hold"):
        delay.alias("prod")
    with pytest.raises(Corrupt, match="lacks what it must hold"):
        delay.refusals()


def test_moves_and_refusals_say_in_short_what_happened(models, gate):
    for auc in (0.8, -1):
        models.save("delay", sum, metrics={"auc": auc})
    model = models["delay"]
    moved = model.promote(1, "prod", reason="first")
    assert repr(moved) == "<AliasEntry prod -> delay:1 (promote) 1970-01-01 00:00 by ann: first>"
    for alias in ("prod", "canary"):
        with pytest.raises(GateRefused):
            model.promote(2, alias, gate=gate)
    assert [repr(refusal) for refusal in model.refusals()] == [
        "<Refusal of delay:2 as prod, still delay:1, 1970-01-01 00:00 by ann>",
        "<Refusal of delay:2 as canary, still nobody, 1970-01-01 00:00 by ann>",
    ]
    alone = AliasEntry(number=1, alias="a", version=2, replaced=None, at=0, user="")
    assert repr(alone) == "<AliasEntry a -> version 2 (promote) 1970-01-01 00:00>"


def test_secrets_in_reasons_are_masked_before_they_are_written(delay):
    delay.promote(1, "prod", reason="as in https://hunter2@host/report")
    assert delay.history("prod")[0].reason == "as in https://[masked]@host/report"
