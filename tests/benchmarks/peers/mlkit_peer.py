"""mlkit, as a run on a local store."""

import command


class Mlkit:
    MODULE, DISTRIBUTION = "mlkit", "mlkit-lifecycle"

    def __init__(self, folder):
        import mlkit

        self.store = mlkit.Store(folder)

    def start(self, params):
        run = self.store.start_run("bench")
        if params:
            run.log_params(params)
        return run.log_metrics, run.finish

    def kept(self):
        (run,) = self.store.search_runs()
        points = run.metrics().to_pydict()
        return zip(points["step"], points["key"], points["value"], strict=True)


if __name__ == "__main__":
    command.main(Mlkit)
