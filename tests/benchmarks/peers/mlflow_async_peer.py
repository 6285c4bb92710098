"""MLflow on SQLite with asynchronous logging: a call puts into a queue that threads write from."""

import command
from mlflow_peer import Mlflow


class MlflowAsync(Mlflow):
    def start(self, params):
        mlflow = self.mlflow
        mlflow.start_run()
        if params:
            mlflow.log_params(params, synchronous=False)

        def log(metrics, step):
            mlflow.log_metrics(metrics, step, synchronous=False)

        return log, mlflow.end_run  # which waits until all is written


if __name__ == "__main__":
    command.main(MlflowAsync)
