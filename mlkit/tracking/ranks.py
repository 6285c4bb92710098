"""Which of several processes of one job this is, as launchers tell it by the environment."""

import os
from collections.abc import Iterable, Mapping

_VARIABLES = ("RANK", "SLURM_PROCID", "OMPI_COMM_WORLD_RANK", "PMI_RANK", "LOCAL_RANK")
_LOCAL_VARIABLES = ("LOCAL_RANK", "SLURM_LOCALID", "OMPI_COMM_WORLD_LOCAL_RANK")


def rank(environ: Mapping[str, str] | None = None) -> int:
    """Give this process's number among all of its job; 0 where nothing launched several.

    torchrun and its like set `RANK`, Slurm `SLURM_PROCID`, Open MPI and MPICH their own; where
    only `LOCAL_RANK` is set, the job has one machine.

    Args:
        environ: The environment; the process's own by default.

    Example:
        >>> rank({"SLURM_PROCID": "3"}), rank({})
        (3, 0)
    """
    return _told(_VARIABLES, environ)


def is_first_of_machine(environ: Mapping[str, str] | None = None) -> bool:
    """Tell whether this process is the first of its job on this machine, as most are.

    Args:
        environ: The environment; the process's own by default.

    Example:
        >>> is_first_of_machine({"RANK": "9", "LOCAL_RANK": "1"})
        False
    """
    return _told(_LOCAL_VARIABLES, environ) == 0


def _told(names: Iterable[str], environ: Mapping[str, str] | None) -> int:
    variables = os.environ if environ is None else environ
    told = (variables.get(name, "") for name in names)
    return next((int(text) for text in told if text.isdecimal()), 0)
