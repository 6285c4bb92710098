"""What filters mean."""

import math

import pytest

from mlkit.errors import InvalidInput
from mlkit.query.filter import Filter, _compile, like_pattern, slip
from mlkit.query.syntax import Comparison, Literal

SECOND = 1_000_000_000
NOON = 1_767_268_800 * SECOND  # 2026-01-01T12:00:00Z


@pytest.fixture
def found(make_run):
    def matches(text, now=NOON, **fields):
        return Filter.of(text, now=now).matches(make_run(**fields))

    return matches


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("metrics.auc = 0.8", True),
        ("metrics.auc == 0.8", True),
        ("metrics.auc != 0.8", False),
        ("metrics.auc <> 0.9", True),
        ("metrics.auc > 0.7", True),
        ("metrics.auc >= .8", True),
        ("metrics.auc < 8e-1", False),
        ("metrics.auc <= +0.8", True),
        ("metrics.auc > -inf", True),
        ("metrics.auc < +inf", True),
        ("0.7 < metrics.auc", True),
        ("0.9 >= metrics.auc", True),
        ("0.8 = metrics.auc", True),
        ("metrics.auc > metrics.base", True),
        ("metrics.auc = metrics.base", False),
        ("params.depth = 4", True),
        ("params.depth = 4.0", True),
        ("params.opt = 'adam'", True),
        ('params.opt = "adam"', True),
        ("params.opt > 'a'", True),
        ("params.flag = true", True),
        ("params.flag != FALSE", True),
    ],
)
def test_a_comparison_says_how_two_values_stand(found, text, expected):
    fields = {
        "summary": {"auc": 0.8, "base": 0.5},
        "params": {"depth": 4, "opt": "adam", "flag": True},
    }
    assert found(text, **fields) is expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("params.depth in (4, 6)", True),
        ("params.depth in (5)", False),
        ("params.depth not in (5, 'x')", True),
        ("params.depth between 4 and 6", True),
        ("params.depth between 5 and 6", False),
        ("params.depth not between 5 and 6", True),
        ("params.depth between params.low and 4", True),
        ("params.opt like 'ad%'", True),
        ("params.opt like 'a_am'", True),
        ("params.opt like 'a_m'", False),
        ("params.opt not like '%x%'", True),
        ("params.depth is null", False),
        ("params.depth is not null", True),
        ("params.other is null", True),
        ("not params.depth = 4", False),
        ("params.depth = 4 and params.opt = 'sgd'", False),
        ("params.depth = 4 or params.opt = 'sgd'", True),
        ("params.opt = 'sgd' or params.depth = 4 and params.low = 9", False),
        ("(params.opt = 'sgd' or params.depth = 4) and params.low = 1", True),
        ("params.depth = 5 OR NOT params.low IN (2)", True),
    ],
)
def test_tests_and_their_combinations(found, text, expected):
    params = {"depth": 4, "opt": "adam", "low": 1}
    assert found(text, params=params) is expected


@pytest.mark.parametrize(
    "text",
    [
        "params.x = 1",
        "params.x != 1",
        "not params.x = 1",
        "not params.x > 1",
        "params.x in (1)",
        "params.x not in (1)",
        "params.x between 1 and 2",
        "params.x not between 1 and 2",
        "params.x like '%'",
        "params.x not like '%'",
        "params.x = params.x",
        "params.x = params.there",
        "not (params.x = 1 and params.there = 1)",
        "params.x = 1 or params.there = 2",
    ],
)
def test_what_a_run_lacks_is_unknown_and_never_found(found, text):
    assert found(text, params={"there": 1}) is False


def test_unknown_doesnt_hide_what_decides(found):
    assert found("params.x = 1 or params.there = 1", params={"there": 1})
    assert found("not (params.x = 1 and params.there = 2)", params={"there": 1})


@pytest.mark.parametrize("value", ["4", True, [4], {"a": 4}])
@pytest.mark.parametrize("test", ["= 4", "in (4)", "> 3", "< 5", "between 3 and 5", "like '%'"])
def test_values_of_other_types_are_never_equal_and_have_no_order(found, value, test):
    if isinstance(value, str) and "like" in test:
        assert found(f"params.x {test}", params={"x": value})
    else:
        assert found(f"params.x {test}", params={"x": value}) is False


def test_values_of_other_types_differ(found):
    assert found("params.x != 4", params={"x": "4"})
    assert found("params.x != true", params={"x": 1})
    assert found("params.x != params.y", params={"x": 1, "y": True})


def test_fields_of_other_types_have_no_order(found):
    params = {"n": 1, "s": "a", "b": True, "c": False}
    assert not found("params.n < params.s", params=params)
    assert not found("not params.n < params.s", params=params)
    assert not found("params.c < params.b", params=params)


def test_a_test_says_of_fields_alone_what_they_are(found):
    assert found("0.5 < params.x and params.x < params.y", params={"x": 1, "y": 2})


def test_nan_is_found_by_name_and_by_nothing_else(found):
    summary = {"loss": math.nan, "auc": 0.5}
    assert found("metrics.loss = nan", summary=summary)
    assert found("metrics.loss in (nan)", summary=summary)
    assert not found("metrics.auc = nan", summary=summary)
    assert not found("metrics.loss > 0 or metrics.loss <= 0", summary=summary)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("status = 'finished'", True),
        ("status in ('FAILED', 'KILLED')", False),
        ("status like 'FIN%'", True),
        ("experiment = 'flights'", True),
        ("name = 'trial 1'", True),
        ("run_id = 'run-0' and id = 'run-0'", True),
        ("parent = 'p' and parent_id is not null", True),
        ("tags.owner = 'ml'", True),
        ("name = experiment", False),
        ("duration = 60", True),
        ("duration <= '1m'", True),
        ("duration between '30s' and '1h30m'", True),
        ("duration > '1m'", False),
        ("duration < metrics.limit", True),
        ("started = '2026-01-01T12:00:00Z'", True),
        ("started > '2026-01-01'", True),
        ("started < '2026-01-01T13:00:00+02:00'", False),
        ("ended > '2026-01-01T12:00:30'", True),
        ("started < ended", True),
        ("started in ('2026-01-01T12:00:00')", True),
    ],
)
def test_fields_that_every_run_has(found, text, expected):
    fields = {"name": "trial 1", "parent_id": "p", "tags": {"owner": "ml"}}
    assert found(text, summary={"limit": 90.0}, **fields) is expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("started > '-7d'", True),
        ("started > '-1d'", False),
        ("started > '-1w'", True),
        ("started < 'now'", True),
        ("started < '+1h'", True),
        ("started > '-49h'", True),
        ("started > '-47h59m59s999ms'", False),
    ],
)
def test_times_count_from_the_present(found, text, expected):
    assert found(text, now=NOON + 48 * 3600 * SECOND) is expected


def test_a_running_run_has_neither_end_nor_duration(found):
    assert found("ended is null and duration is null", status="RUNNING", ended_at=None)


@pytest.mark.parametrize(
    "text",
    [
        "metrics.`my key` > 0",
        'metrics."my key" > 0',
        "metrics.`tick``ed` > 0",
        "metrics.train/loss > 0",
        "metrics.a-b.c:d@e > 0",
        "metrics.größe > 0",
        "metrics.and > 0",
    ],
)
def test_keys_of_any_text_can_be_named(found, text):
    keys = ("my key", "tick`ed", "train/loss", "a-b.c:d@e", "größe", "and")
    assert found(text, summary=dict.fromkeys(keys, 1.0))


@pytest.mark.parametrize(
    ("pattern", "text", "expected"),
    [
        ("%", "", True),
        ("_", "", False),
        ("a%b%c", "a-b-b-c", True),
        ("a%b%c", "a-c-b", False),
        ("%ab%ab%", "ab", False),
        ("%ab%ab%", "abab", True),
        ("100\\%", "100%", True),
        ("100\\%", "1000", False),
        ("a\\_b", "axb", False),
        ("a.c", "abc", False),
        ("a%c", "a\nc", True),
        ("a\\\\", "a\\", True),
    ],
)
def test_like_patterns(pattern, text, expected):
    assert (like_pattern(pattern).fullmatch(text) is not None) is expected


def test_no_like_pattern_takes_long():
    assert like_pattern("%a" * 30 + "%b").fullmatch("a" * 5000) is None


def test_quotes_in_text_are_doubled(found):
    assert found("name = 'it''s'", name="it's")
    assert found('name = "say ""hi"""', name='say "hi"')


def test_a_comparison_of_two_constants_is_refused_however_it_was_made():
    with pytest.raises(InvalidInput, match="needs a field"):
        _compile(Comparison(Literal(1), "=", Literal(1)), 0)


@pytest.mark.parametrize(
    ("key", "known", "meant"),
    [
        ("acu", ["auc"], "auc"),
        ("AUC", ["auc"], "auc"),
        ("learning_rat", ["learning_rate"], "learning_rate"),
        ("losss", ["loss"], "loss"),
        ("auc", ["auc", "acu"], ""),
        ("recall_2", ["recall_1"], ""),
        ("recall_22", ["recall_2"], ""),
        ("auc", ["acc"], ""),
        ("tp", ["tpr"], ""),
        ("val_auc", ["train_auc"], ""),
        ("ab", ["ba"], "ba"),
        ("x", [], ""),
    ],
)
def test_only_sure_slips_of_a_key_are_called_so(key, known, meant):
    assert slip(key, known) == meant
