"""MLflow on SQLite, where each call is a transaction."""

from pathlib import Path

import command

EXPERIMENT = "bench"


class Mlflow:
    MODULE = DISTRIBUTION = "mlflow"

    def __init__(self, folder):
        import mlflow

        self.mlflow = mlflow
        mlflow.set_tracking_uri(f"sqlite:///{Path(folder).resolve()}/mlflow.db")
        mlflow.set_experiment(EXPERIMENT)  # makes the database on the first use

    def start(self, params):
        self.mlflow.start_run()
        if params:
            self.mlflow.log_params(params)
        return self.mlflow.log_metrics, self.mlflow.end_run

    def kept(self):
        client = self.mlflow.MlflowClient()
        experiment = client.get_experiment_by_name(EXPERIMENT)
        for run in client.search_runs([experiment.experiment_id]):
            for key in command.METRICS:
                for point in client.get_metric_history(run.info.run_id, key):
                    yield point.step, key, point.value


if __name__ == "__main__":
    command.main(Mlflow)
