"""mlkit, read on a local store: runs folded into tables, as they are soon after their end.

Each question is put to a store that was opened for it, so nothing is in memory already.
"""

import reading


class Mlkit:
    DISTRIBUTION = "mlkit-lifecycle"

    def __init__(self, folder):
        import mlkit

        self.open = lambda: mlkit.Store(folder)

    def write(self, runs):
        store = self.open()
        for params, metrics, points in runs:
            with store.start_run("bench", capture=False) as run:
                run.log_params({key: str(value) for key, value in params.items()})
                run.log_metrics(metrics, step=0)
                for step, value in enumerate(points):
                    run.log_metric("loss", value, step=step)
        store.compact(progress=False)

    def everything(self):
        return len(self.open().search_runs().to_arrow())

    def filtered(self):
        return len(self.open().search_runs(reading.WANTED, order_by="-metrics.m1").to_arrow())

    def histories(self):
        return len(self.open().search_runs().metrics("loss"))


if __name__ == "__main__":
    reading.main(Mlkit)
