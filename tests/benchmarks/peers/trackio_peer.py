"""trackio, as a local project in SQLite; a thread of its own writes every half second."""

import os
from pathlib import Path

import command

PROJECT = "bench"


class Trackio:
    MODULE = DISTRIBUTION = "trackio"

    def __init__(self, folder):
        os.environ["TRACKIO_DIR"] = str(Path(folder).resolve())  # read when it is imported
        os.environ["TRACKIO_STORAGE_MODE"] = "sqlite"  # the default wherever SQLite is safe
        import trackio

        self.trackio = trackio

    def start(self, params):
        run = self.trackio.init(PROJECT, config=params, embed=False)
        return run.log, self.trackio.finish

    def kept(self):
        from trackio.sqlite_storage import SQLiteStorage

        for run in SQLiteStorage.get_runs(PROJECT):
            for row in SQLiteStorage.get_logs(PROJECT, run=run):
                for key in command.METRICS:
                    yield row["step"], key, row[key]


if __name__ == "__main__":
    command.main(Trackio)
