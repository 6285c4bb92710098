"""Which run a start goes on with: by id, or what this machine's last try left unfinished."""

import hashlib
import json
import os
import re
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from attrs import frozen

from mlkit._core.ids import is_uuid7, token
from mlkit.errors import InvalidInput
from mlkit.tracking.ranks import rank

MODES = ("allow", "never", "must", "auto")
_ID = re.compile(r"[0-9a-f-]{4,36}")
UNFINISHED = frozenset({"FAILED", "KILLED", "LOST"})


@frozen
class Wish:
    """What a start says of an earlier run.

    Attributes:
        run_id: The run's id; None for a new one, or one that is found.
        mode: `allow`, `never`, `must` or `auto`.
    """

    run_id: str | None
    mode: str

    @classmethod
    def of(cls, run_id: str | None, resume: str | None) -> "Wish":
        """Read what `start_run` was given.

        Args:
            run_id: A whole id, or None.
            resume: A mode, the id of a run that must be there, or None.

        Raises:
            InvalidInput: The two don't go together, or the id is none.
        """
        if run_id is not None and not (isinstance(run_id, str) and is_uuid7(run_id)):
            message = f"{run_id!r} can't be the id of a run"
            raise InvalidInput(message, hint="mlkit.new_run_id() gives one for several processes")
        if resume is None:
            return cls(run_id, "allow")
        if resume not in MODES:
            if run_id is not None:
                message = f"resume={resume!r} is no way to go on with run {run_id}"
                raise InvalidInput(message, hint=f"Use one of {', '.join(MODES)}")
            if not (isinstance(resume, str) and _ID.fullmatch(resume)):
                message = f"resume={resume!r} is neither a run's id nor a way to go on"
                raise InvalidInput(message, hint=f"Use an id, or one of {', '.join(MODES)}")
            return cls(resume, "must")
        if resume == "must" and run_id is None:
            message = "resume='must' doesn't say which run"
            raise InvalidInput(message, hint="Add run_id=…, or use resume='auto'")
        if resume == "auto" and run_id is not None:
            message = "resume='auto' finds the run itself, and run_id= names one"
            raise InvalidInput(message, hint="Leave one of them out")
        return cls(run_id, resume)


@frozen
class Bookmark:
    """Remembers on this machine which run `resume="auto"` has started last.

    Attributes:
        place: The file, one for each store, experiment and name.
        job: The scheduler's job, which is the same when it is put back into its queue; else empty.
    """

    place: Path
    job: str

    @classmethod
    def of(
        cls, folder: Path, experiment: str, name: str | None, environ: Mapping[str, str]
    ) -> "Bookmark":
        """Give the bookmark for an experiment's runs of a name.

        Args:
            folder: Where bookmarks of the store are.
            experiment: The experiment.
            name: The run's name, if it has one.
            environ: The environment.
        """
        task = (environ.get(key, "") for key in ("SLURM_JOB_ID", "SLURM_ARRAY_TASK_ID"))
        key = hashlib.sha256(json.dumps([experiment, name, rank(environ)]).encode()).hexdigest()
        return cls(folder / f".{key[:32]}.json", "_".join(filter(None, task)))

    def read(self) -> tuple[str, bool] | None:
        """Give the id of the run, and whether this very job started it; None without one."""
        with suppress(OSError, ValueError, KeyError, TypeError):
            fields = json.loads(self.place.read_text())
            if is_uuid7(fields["run_id"]):
                return fields["run_id"], bool(self.job) and fields["job"] == self.job
        return None

    def write(self, run_id: str) -> None:
        """Remember a run; a disk that doesn't take it costs no more than the bookmark."""
        temporary = self.place.with_name(f".{token()}.tmp")
        with suppress(OSError):
            self.place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            temporary.write_text(json.dumps({"run_id": run_id, "job": self.job}))
            os.replace(temporary, self.place)  # noqa: PTH105 - the pair of names reads better
