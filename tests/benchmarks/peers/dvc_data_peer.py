"""DVC without git, as `dvc init --no-scm`, `dvc add` and `dvc checkout` do it."""

import os

import data


class Dvc:
    DISTRIBUTION = "dvc"
    STORED = (".dvc/cache",)
    CACHES = (".dvc/tmp",)

    def __init__(self, folder):
        os.environ["DVC_NO_ANALYTICS"] = "1"
        from dvc.repo import Repo

        if not (folder / ".dvc").exists():
            with Repo.init(str(folder), no_scm=True) as made, made.config.edit() as config:
                config["core"]["analytics"] = False
        self.repo = Repo(str(folder))

    def add(self, path):
        self.repo.add(str(path))

    def checkout(self, path):
        self.repo.checkout(f"{path}.dvc")

    def facts(self):
        """Say how it fills the workspace: it makes a copy where the disk can't share blocks."""
        from dvc_objects.fs.generic import test_links

        cache, repo = self.repo.cache.local, self.repo
        kinds = test_links(["reflink", "copy"], cache.fs, cache.path, repo.fs, repo.root_dir)
        return {"link": kinds[0]}


if __name__ == "__main__":
    data.main(Dvc)
