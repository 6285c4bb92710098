import re

from mlkit.reports.leaderboard import leaderboard, main_metric


def order(html):
    return [int(number) for number in re.findall(r"018f2c3a-(\d{4})-7abc", html)]


def test_the_best_run_comes_first_and_runs_without_the_metric_last(run):
    runs = [run(1, auc=0.7), run(2, auc=0.9), run(3), run(4, auc=float("nan")), run(5, auc=0.8)]
    assert order(leaderboard(runs)) == [2, 5, 1, 4, 3]


def test_of_a_loss_the_lowest_is_best(run):
    assert order(leaderboard([run(1, log_loss=0.7), run(2, log_loss=0.4)])) == [2, 1]


def test_without_a_known_metric_the_newest_run_comes_first(run):
    html = leaderboard([run(1, profit=9.0), run(2, profit=1.0)])
    assert order(html) == [2, 1]
    assert "The newest first" in html
    assert "mlk-strong" not in html


def test_a_customary_metric_is_preferred_to_a_common_one(run):
    runs = [run(1, val_error=1.0), run(2, val_error=1.0, accuracy=0.5)]
    assert main_metric(runs) == "accuracy"
    assert main_metric(runs[:1]) == "val_error"
    assert main_metric([]) is None


def test_only_parameters_that_differ_are_shown(run):
    html = leaderboard([run(n, auc=0.5, params={"depth": n, "seed": 0}) for n in (1, 2)])
    assert ">depth<" in html
    assert ">seed<" not in html


def test_names_and_experiments_are_shown_where_they_tell_something(run):
    plain = leaderboard([run(1, auc=0.5)])
    assert ">name<" not in plain
    assert ">experiment<" not in plain
    telling = leaderboard([run(1, auc=0.5, name="first"), run(2, auc=0.5, experiment="other")])
    assert ">name<" in telling
    assert ">experiment<" in telling


def test_a_long_board_says_what_it_leaves_out(run):
    assert "… and 15 more runs" in leaderboard([run(n, auc=n / 100) for n in range(40)])
