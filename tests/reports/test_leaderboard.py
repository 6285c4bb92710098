import re

from mlkit.reports.leaderboard import leaderboard, leaderboards, main_metric


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


def test_names_are_shown_where_there_are_any(run):
    assert ">name<" not in leaderboard([run(1, auc=0.5)])
    assert ">name<" in leaderboard([run(1, auc=0.5, name="first"), run(2, auc=0.5)])


def test_each_experiment_has_its_board_that_with_most_runs_first(run):
    html = leaderboards(
        [run(1, auc=0.9, experiment="try"), run(2, rmse=3.0), run(3, rmse=2.0), run(4, rmse=4.0)]
    )
    assert re.findall("<h3>(.*?)</h3>", html) == ["flights", "try"]
    assert order(html) == [3, 2, 4, 1]
    assert "Ordered by rmse" in html
    assert "Ordered by auc" in html
    assert "<h3>" not in leaderboards([run(1, auc=0.9)])


def test_the_best_of_the_same_data_is_highlighted(run):
    data = ["flights:1"]
    html = leaderboard([run(1, auc=0.7, data=data), run(2, auc=0.8, data=data), run(3)])
    assert html.count("mlk-strong") == 1
    assert "can&#x27;t be compared" not in html
    assert ">read<" not in html


def test_runs_on_other_data_are_grouped_and_none_is_highlighted(run):
    html = leaderboard(
        [
            run(1, auc=0.7, data=["flights:1"]),
            run(2, auc=0.9, data=["flights:2"]),
            run(3, auc=0.8, data=["flights:1"]),
            run(4),
        ]
    )
    assert order(html) == [3, 1, 2, 4]
    assert "mlk-strong" not in html
    assert "figures of different data can&#x27;t be compared" in html
    assert ">read<" in html
    assert ">flights:1<" in html


def test_without_a_metric_runs_on_other_data_are_in_order_of_time(run):
    html = leaderboard([run(1, data=["a:1"]), run(2), run(3, data=["a:1"])])
    assert order(html) == [3, 2, 1]


def test_a_long_board_of_several_data_shows_some_of_each(run):
    many = [run(n, auc=n / 100, data=["a:1"]) for n in range(40)]
    html = leaderboard([*many, run(50, auc=0.1, data=["a:2"])])
    assert order(html)[-1] == 50
    assert "… and 28 more runs" in html


def test_a_long_board_says_what_it_leaves_out(run):
    assert "… and 15 more runs" in leaderboard([run(n, auc=n / 100) for n in range(40)])
