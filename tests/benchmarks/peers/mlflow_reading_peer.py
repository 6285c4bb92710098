"""MLflow on SQLite, read; it is written in batches, which is its fastest way."""

from pathlib import Path

import reading

BATCH = 1000  # metrics, the most that it takes at once
PAGE = 50_000  # runs, the most that it gives at once


class Mlflow:
    DISTRIBUTION = "mlflow"

    def __init__(self, folder):
        import mlflow

        mlflow.set_tracking_uri(self.uri(Path(folder).resolve()))
        self.client = mlflow.MlflowClient()
        self.experiment = self.client.create_experiment("bench")
        self.with_points = []

    @staticmethod
    def uri(folder):
        return f"sqlite:///{folder}/mlflow.db"

    def write(self, runs):
        from mlflow.entities import Metric, Param

        for params, metrics, points in runs:
            run_id = self.client.create_run(self.experiment).info.run_id
            texts = [Param(key, str(value)) for key, value in params.items()]
            lasts = [Metric(key, value, 0, 0) for key, value in metrics.items()]
            self.client.log_batch(run_id, metrics=lasts, params=texts)
            steps = [Metric("loss", value, step, step) for step, value in enumerate(points)]
            for start in range(0, len(steps), BATCH):
                self.client.log_batch(run_id, metrics=steps[start : start + BATCH])
            self.client.set_terminated(run_id)
            if points:
                self.with_points.append(run_id)

    def everything(self):
        return len(self._found(""))

    def filtered(self):
        return len(self._found(reading.WANTED, ["metrics.m1 DESC"]))

    def histories(self):
        return sum(
            len(self.client.get_metric_history(run_id, "loss")) for run_id in self.with_points
        )

    def _found(self, wanted, order_by=None):
        found, page = [], None
        while True:
            several = self.client.search_runs(
                [self.experiment], wanted, max_results=PAGE, order_by=order_by, page_token=page
            )
            found += [(run.data.params, run.data.metrics) for run in several]
            page = several.token
            if not page:
                return found


if __name__ == "__main__":
    reading.main(Mlflow)
