"""What filters mean."""

import math

import pyarrow as pa
import pytest

from mlkit._core.slips import slip
from mlkit.errors import FilterSyntax, InvalidInput
from mlkit.query.filter import Filter
from mlkit.query.syntax import And, Comparison, Field, IsNull, Literal, Not

SECOND = 1_000_000_000
NOON = 1_767_268_800 * SECOND  # 2026-01-01T12:00:00Z


@pytest.fixture
def found(make_run, columns_of):
    """Whether a filter finds the run; it stands among others that have other values, or none."""
    others = [
        make_run(),
        make_run(params={"x": "text", "depth": [1], "low": 2**70}, summary={"auc": 2.0}),
    ]

    def matches(text, now=NOON, **fields):
        wanted = Filter.of(text, now=now)
        run = make_run(**fields)
        alone = wanted.mask(columns_of([run]))
        among = wanted.mask(columns_of([others[0], run, others[1]]))
        assert isinstance(among, pa.BooleanArray)
        assert len(among) == 3
        assert among[1] == alone[0]
        return alone[0].as_py() is True

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
        ("a\\", "a\\", True),
        ("a_c", "aéc", True),
        ("A%", "abc", False),
        ("", "", True),
        ("", "a", False),
        ("a%", "a\n", True),
        ("a", "a\n", False),
    ],
)
def test_like_patterns(found, pattern, text, expected):
    quoted = pattern.replace("'", "''")
    assert found(f"name like '{quoted}'", name=text) is expected
    assert found(f"name not like '{quoted}'", name=text) is not expected


def test_every_character_of_a_pattern_but_three_stands_for_itself(found):
    for code in (*range(128), 0xE9, 0x1F600):
        char = chr(code)
        if char not in "%_\\":
            quoted = char.replace("'", "''")
            assert found(f"name like 'a{quoted}b'", name=f"a{char}b")
            assert not found(f"name like 'a{quoted}b'", name="a~~b")


def test_no_like_pattern_takes_long(found):
    assert not found(f"name like '{'%a' * 300}%b'", name="a" * 5000)
    assert not found(f"name like '{'_%' * 500}'", name="a" * 400)


def test_a_pattern_of_more_than_a_thousand_characters_is_refused(found):
    with pytest.raises(FilterSyntax, match="more than 1000 characters"):
        found(f"name like '{'a' * 1001}'")


def test_quotes_in_text_are_doubled(found):
    assert found("name = 'it''s'", name="it's")
    assert found('name = "say ""hi"""', name='say "hi"')


def test_a_comparison_of_two_constants_is_refused_however_it_was_made():
    with pytest.raises(InvalidInput, match="needs a field"):
        Filter.of(Comparison(Literal(1), "=", Literal(1)), now=0)


@pytest.mark.parametrize(
    ("node", "said"),
    [
        (Comparison(Field("status"), "=", Literal("FINISH")), "Did you mean 'FINISHED'"),
        (Comparison(Field("stauts"), "=", Literal("LOST")), "Did you mean 'status'"),
        (Comparison(Field("params", "x"), "=", Literal(10**5000)), "can't be written"),
        (And(()), "The filter is empty"),
    ],
)
def test_nodes_made_by_hand_are_checked_as_texts_are(node, said):
    with pytest.raises(FilterSyntax, match=said):
        Filter.of(node, now=0)


def test_a_filter_nested_too_deep_is_refused_however_it_was_made():
    node = IsNull(Field("name"))
    for _ in range(5000):
        node = Not(node)
    with pytest.raises(FilterSyntax):
        Filter.of(node, now=0)


@pytest.mark.parametrize("wanted", [{"auc": 1}, None, True, b"name = 'x'", Field("name")])
def test_what_is_neither_text_nor_an_expression_is_refused(wanted):
    with pytest.raises(InvalidInput, match="A filter is text or an expression, not"):
        Filter.of(wanted, now=0)


BIG = 2**53
HUGE = 2**70


@pytest.mark.parametrize(
    ("value", "text", "expected"),
    [
        (BIG + 1, f"= {BIG + 1}", True),
        (BIG + 1, f"= {BIG}", False),
        (BIG + 1, f"= {BIG}.0", False),
        (BIG + 1, f"> {BIG}.0", True),
        (BIG + 1, f"between {BIG}.0 and {BIG + 2}.0", True),
        (BIG + 1, f"in ({BIG}.0, {BIG + 2}.0)", False),
        (float(BIG), f"= {BIG + 1}", False),
        (float(BIG), f"< {BIG + 1}", True),
        (float(BIG), f"in ({BIG + 1})", False),
        (float(BIG), f"in ({BIG})", True),
        (float(BIG + 2), f"> {BIG + 1}", True),
        (float(BIG + 2), f"<= {BIG + 1}", False),
        (4, "< 4.5", True),
        (4, ">= 4.5", False),
        (-4, "> -4.5", True),
        (-5, "<= -4.5", True),
        (4, "!= 4.5", True),
        (4, "in (4.0, 5)", True),
        (4, "< inf", True),
        (4, f"< 1{'0' * 400}", True),
        (4, f"in (4, 1{'0' * 400})", True),
        (4.0, f"in (4, 1{'0' * 400})", True),
        (4, "> -inf", True),
        (4, "= nan", False),
        (4, "!= nan", True),
        (4, "<= nan", False),
        (4.0, "<= nan", False),
        (4.0, "!= nan", True),
        (math.nan, "< 1", False),
        (math.nan, "!= 1", True),
        (math.nan, f"!= {BIG + 1}", True),
        (math.nan, "in (1, nan)", True),
        (2**63 - 1, f"< {2**63}", True),
        (2**63 - 1, f"= {2**63}.0", False),
        (-(2**63), f"= {-(2**63)}", True),
        (-(2**63), "> -1e300", True),
        (HUGE, f"= {HUGE}", True),
        (HUGE, f"!= {HUGE + 1}", True),
        (HUGE, f"> {HUGE - 1}", True),
        (HUGE, f"in (1, {HUGE})", True),
        (HUGE, f"= {float(HUGE)!r}", True),
        (HUGE, "> 5", True),
        (HUGE, "< inf", True),
        (HUGE, "= 'x'", False),
        (-HUGE, "< -1e18", True),
        (1e300, f"< 1{'0' * 400}", True),
        (1e300, f"> 1{'0' * 400}", False),
        (math.inf, f"> 1{'0' * 400}", True),
        (-math.inf, f"< -1{'0' * 400}", True),
        (-0.0, "= 0", True),
        (-0.0, "in (0)", True),
        (0.0, "in (-0.0)", True),
    ],
)
def test_numbers_are_compared_exactly(found, value, text, expected):
    assert found(f"params.x {text}", params={"x": value}) is expected
    assert found(f"not params.x {text}", params={"x": value}) is not expected


@pytest.mark.parametrize(
    ("one", "sign", "two", "expected"),
    [
        (BIG + 1, "=", float(BIG), False),
        (BIG + 1, ">", float(BIG), True),
        (4, "=", 4.0, True),
        (4, "<", 4.5, True),
        (4, "<", math.nan, False),
        (math.nan, "=", math.nan, True),
        (math.nan, "!=", math.nan, False),
        (HUGE, ">", 4, True),
        (HUGE, "=", HUGE, True),
        (HUGE, ">", 1e10, True),
        ([1, 2], "=", [1.0, 2.0], True),
        ([1, 2], "!=", [2, 1], True),
        ([1, 2], "<", [2, 1], None),
        ([1, 2], "=", 4, False),
        ([1, 2], "!=", "x", True),
        (True, "=", True, True),
        (True, "<", False, None),
        ("a", "<", "b", True),
        ("a", "!=", 1, True),
    ],
)
def test_fields_are_compared_exactly_too(found, one, sign, two, expected):
    params = {"one": one, "two": two}
    assert found(f"params.one {sign} params.two", params=params) is (expected is True)
    assert found(f"not params.one {sign} params.two", params=params) is (expected is False)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("metrics.auc = 0.7", True),
        ("last(metrics.auc) = 0.7", True),
        ("max(metrics.auc) > 0.85", True),
        ("MIN(metrics.auc) < 0.2", True),
        ("first(metrics.`auc`) = 0.1", True),
        ("best(metrics.auc) = max(metrics.auc)", True),
        ("max(metrics.auc) > metrics.auc", True),
        ("max(metrics.auc) between 0.8 and 1", True),
        ("max(metrics.auc) in (0.9)", True),
        ("max(metrics.loss) is null", True),
        ("max(metrics.loss) > 0", False),
    ],
)
def test_the_extremes_of_a_metric_can_be_asked_for(found, text, expected):
    points = {"auc": {"first": 0.1, "min": 0.1, "max": 0.9, "best": 0.9}}
    assert found(text, summary={"auc": 0.7}, points=points) is expected


READ = [
    {"kind": "dataset", "ref": "flights:3", "digest": "sha256:1f3a00"},
    {"kind": "dataset", "ref": "weather:1", "digest": "sha256:ab12cd"},
    {"kind": "model", "ref": "delay:7", "digest": "77aa00"},
]
MADE = [{"kind": "dataset", "ref": "features:2", "digest": "sha256:9999ff"}]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("dataset = 'flights:3'", True),
        ("dataset = 'flights:4'", False),
        ("dataset = 'flights:30'", False),
        ("'flights:3' = dataset", True),
        ("dataset = 'flights'", True),
        ("dataset = 'flight'", False),
        ("dataset = 'flights#1f3a'", True),
        ("dataset = 'flights#sha256:1f3a'", True),
        ("dataset = 'weather#1f3a'", False),
        ("dataset = 'weather:1' and dataset = 'features'", True),
        ("dataset = 'delay:7'", False),
        ("model = 'delay'", True),
        ("model = 'delay#77aa'", True),
        ("model = 'flights:3'", False),
        ("input = 'flights:3' and input = 'delay:7'", True),
        ("input = 'features:2'", False),
        ("output = 'features'", True),
        ("output = 'flights'", False),
        ("dataset != 'flights'", False),
        ("dataset != 'trains'", True),
        ("not dataset = 'trains'", True),
        ("dataset in ('trains', 'weather:1')", True),
        ("dataset in ('trains', 'delay')", False),
        ("dataset not in ('trains')", True),
        ("dataset not in ('trains', 'flights')", False),
        ("dataset in ()", False),
        ("dataset like 'fl%:3'", True),
        ("dataset like 'delay%'", False),
        ("dataset not like 'tr%'", True),
        ("dataset not like 'fl%'", False),
        ("dataset is null", False),
        ("output is not null", True),
    ],
)
def test_versions_that_a_run_read_or_made_are_found(found, text, expected):
    assert found(text, inputs=READ, outputs=MADE) is expected


@pytest.mark.parametrize("test", ["= 'a'", "!= 'a'", "in ('a')", "not in ('a')", "like 'a'"])
def test_a_run_without_versions_of_a_kind_is_found_by_is_null_alone(found, test):
    assert not found(f"model {test} or not model {test}", inputs=READ[:1])
    assert found("model is null and output is null and dataset = 'flights'", inputs=READ[:1])


def test_versions_are_those_of_their_own_run(make_run, columns_of):
    runs = [make_run(), make_run(inputs=READ), make_run(), make_run(inputs=READ[1:])]
    mask = Filter.of("input = 'flights'", now=0).mask(columns_of(runs))
    assert mask.to_pylist() == [None, True, None, False]


def test_versions_are_found_in_columns_that_were_cut_and_have_null_lists(make_run, columns_of):
    class Cut(columns_of):
        def links(self, direction):
            whole = super().links(direction).combine_chunks()
            cut = pa.concat_arrays([pa.nulls(1, whole.type), whole]).slice(1)
            return pa.chunked_array([cut[:1], pa.nulls(1, whole.type), cut[2:]])

    runs = [make_run(inputs=READ), make_run(inputs=READ), make_run(inputs=READ[1:])]
    mask = Filter.of("input = 'flights'", now=0).mask(Cut(runs))
    assert mask.to_pylist() == [True, None, False]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("user = 'ada'", True),
        ("user like 'b%'", False),
        ("params.x in ()", False),
        ("params.x not in ()", True),
        ("started > '-9999w'", True),
        ("started > '0001-01-01' and started < '9999-12-31'", True),
        ("started < '+999999999w999999999w'", True),
        ("started > '-999999999w999999999w'", True),
        ("duration < 1" + "0" * 400, True),
    ],
)
def test_fields_and_constants_of_any_size(found, text, expected):
    assert found(text, params={"x": 1}) is expected


def test_times_are_compared_to_the_microsecond(found):
    assert found("started <= 'now' and started >= 'now'", started_at=NOON + 1500, now=NOON + 1999)


def test_text_that_utf8_cant_hold_is_found_as_it_is_kept(found):
    assert found("name = '\ud800'", name="\\ud800")
    assert found("name like '%\ud800'", name="a\\ud800")
    assert found("name in ('\ud800')", name="\\ud800")


@pytest.mark.parametrize(
    ("text", "asked"),
    [
        ("metrics.auc > 0.8", ["last(metrics.auc)"]),
        (
            "max(metrics.auc) > 0.8 and params.depth in (4)",
            ["max(metrics.auc)", "params.depth"],
        ),
        ("tags.owner is null or status = 'LOST'", ["tags.owner", "status"]),
        ("dataset = 'a'", ["inputs", "outputs"]),
        ("input = 'a' and not started < ended", ["inputs", "started", "ended"]),
    ],
)
def test_only_columns_that_are_named_are_asked_for(columns_of, make_run, text, asked):
    columns = columns_of([make_run()])
    Filter.of(text, now=0).mask(columns)
    assert list(dict.fromkeys(columns.asked)) == asked


def test_a_filter_of_no_runs_finds_none(columns_of):
    for text in ("metrics.a > 1", "name = 'x'", "params.x is null", "dataset = 'a'", "name > 'b'"):
        assert len(Filter.of(text, now=0).mask(columns_of([]))) == 0


def test_a_filter_says_which_fields_it_names():
    wanted = Filter.of("max(metrics.a) > metrics.a and (name = 'x' or metrics.a > 1)", now=0)
    assert [field.text() for field in wanted.fields()] == ["max(metrics.a)", "metrics.a", "name"]


def test_a_slip_in_a_key_is_an_error_that_points_at_it(columns_of, make_run):
    columns = columns_of([make_run(params={"opts": {"c.d": "x"}}, summary={"auc": 1.0})])
    with pytest.raises(FilterSyntax) as caught:
        Filter.of("params.depth = 4 and max(metrics.acu) > 0", now=0).found(columns)
    assert str(caught.value).split("\n") == [
        "No run has metrics.acu (column 22). Did you mean 'metrics.auc'?",
        "  params.depth = 4 and max(metrics.acu) > 0",
        "                       ^",
    ]
    with pytest.raises(FilterSyntax, match=r"Did you mean 'params\.opts\.c\.d'"):
        Filter.of("params.Opts.c.d = 'x'", now=0).found(columns)


@pytest.mark.parametrize("text", ["metrics.acu is null", "metrics.new > 1", "status = 'LOST'"])
def test_a_key_that_is_merely_new_is_no_slip(columns_of, make_run, text):
    Filter.of(text, now=0).found(columns_of([make_run(summary={"auc": 1.0})]))


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
