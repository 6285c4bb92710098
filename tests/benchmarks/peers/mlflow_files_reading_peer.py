"""MLflow on its file store, read."""

import os

import reading
from mlflow_reading_peer import Mlflow


class MlflowFiles(Mlflow):
    @staticmethod
    def uri(folder):
        os.environ["MLFLOW_ALLOW_FILE_STORE"] = "true"  # it is kept, but no longer advised
        return folder.joinpath("mlruns").as_uri()


if __name__ == "__main__":
    reading.main(MlflowFiles)
