"""mlkit on a local store."""

import data


class Mlkit:
    DISTRIBUTION = "mlkit-lifecycle"
    STORED = ("store",)
    CACHES = ()

    def __init__(self, folder):
        import mlkit

        self.store = mlkit.Store(folder / "store")

    def add(self, path):
        self.store.log_dataset("data", path)

    def checkout(self, path):
        version = self.store.dataset("data@latest")
        version.checkout(path.parent if version.kind == "file" else path)

    def facts(self):
        return {}


if __name__ == "__main__":
    data.main(Mlkit)
