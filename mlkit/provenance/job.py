"""The job that a process is part of, as schedulers tell it in the environment."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from mlkit._core.masking import mask_value

SERVICE_ACCOUNT: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount")

# By scheduler: what to call a fact, and the variables that may hold it, the first that is set.
_VARIABLES: Final[Mapping[str, Mapping[str, tuple[str, ...]]]] = {
    "slurm": {
        "job_id": ("SLURM_JOB_ID", "SLURM_JOBID"),
        "job_name": ("SLURM_JOB_NAME",),
        "array_job_id": ("SLURM_ARRAY_JOB_ID",),
        "array_task_id": ("SLURM_ARRAY_TASK_ID",),
        "step_id": ("SLURM_STEP_ID", "SLURM_STEPID"),
        "procid": ("SLURM_PROCID",),
        "nodeid": ("SLURM_NODEID",),
        "nnodes": ("SLURM_JOB_NUM_NODES", "SLURM_NNODES"),
        "ntasks": ("SLURM_NTASKS", "SLURM_NPROCS"),
        "node_list": ("SLURM_JOB_NODELIST", "SLURM_NODELIST"),
        "partition": ("SLURM_JOB_PARTITION",),
        "restart_count": ("SLURM_RESTART_COUNT",),
        "submit_host": ("SLURM_SUBMIT_HOST",),
    },
    "airflow": {
        "dag_id": ("AIRFLOW_CTX_DAG_ID",),
        "task_id": ("AIRFLOW_CTX_TASK_ID",),
        "run_id": ("AIRFLOW_CTX_DAG_RUN_ID",),
        "try_number": ("AIRFLOW_CTX_TRY_NUMBER",),
        # Airflow 3 calls it logical; before, it was the date of execution.
        "execution_date": ("AIRFLOW_CTX_LOGICAL_DATE", "AIRFLOW_CTX_EXECUTION_DATE"),
        "map_index": ("AIRFLOW_CTX_MAP_INDEX",),
    },
    "kubernetes": {
        "pod_name": ("POD_NAME", "HOSTNAME"),
        "namespace": ("POD_NAMESPACE",),
        "node_name": ("NODE_NAME",),
        "job_name": ("JOB_NAME",),
        "completion_index": ("JOB_COMPLETION_INDEX",),
    },
    "sagemaker": {
        "job_name": ("TRAINING_JOB_NAME",),
        "job_arn": ("TRAINING_JOB_ARN",),
        "current_host": ("SM_CURRENT_HOST",),
        "hosts": ("SM_HOSTS",),
        "instance_type": ("SM_CURRENT_INSTANCE_TYPE",),
    },
    "ranks": {
        "rank": ("RANK",),
        "local_rank": ("LOCAL_RANK",),
        "world_size": ("WORLD_SIZE",),
        "local_world_size": ("LOCAL_WORLD_SIZE",),
        "group_rank": ("GROUP_RANK",),
        "torchelastic_run_id": ("TORCHELASTIC_RUN_ID",),
        "torchelastic_restart_count": ("TORCHELASTIC_RESTART_COUNT",),
        "mpi_rank": ("OMPI_COMM_WORLD_RANK",),
        "mpi_size": ("OMPI_COMM_WORLD_SIZE",),
    },
}


def job_context(
    environ: Mapping[str, str] | None = None, *, service_account: Path = SERVICE_ACCOUNT
) -> dict[str, dict[str, str]]:
    """Give what schedulers say of this process: which job, which task, which try, which rank.

    Args:
        environ: The environment; the process's own by default.
        service_account: The folder in which Kubernetes tells a pod its namespace.

    Returns:
        By scheduler (`slurm`, `airflow`, `kubernetes`, `sagemaker`, and `ranks` for what
        launchers of distributed training set) the facts that are set, secrets masked. Schedulers
        that say nothing are left out.

    Example:
        >>> job_context({"SLURM_JOB_ID": "4711", "SLURM_PROCID": "0", "RANK": "0"})
        {'slurm': {'job_id': '4711', 'procid': '0'}, 'ranks': {'rank': '0'}}
    """
    environ = os.environ if environ is None else environ
    found = {
        scheduler: {
            fact: value for fact, names in facts.items() if (value := _first(environ, names))
        }
        for scheduler, facts in _VARIABLES.items()
    }
    if not environ.get("KUBERNETES_SERVICE_HOST"):
        found["kubernetes"] = {}  # a host name alone says nothing
    elif "namespace" not in found["kubernetes"] and (own := _namespace(service_account)):
        found["kubernetes"]["namespace"] = own
    if "job_name" not in found["sagemaker"] and (name := _sagemaker_name(environ)):
        found["sagemaker"] = {"job_name": name, **found["sagemaker"]}
    return {
        scheduler: {fact: str(mask_value(fact, value)) for fact, value in facts.items()}
        for scheduler, facts in found.items()
        if facts
    }


def _first(environ: Mapping[str, str], names: tuple[str, ...]) -> str:
    return next((value for name in names if (value := environ.get(name))), "")


def _namespace(service_account: Path) -> str:
    try:
        return (service_account / "namespace").read_text(encoding="utf-8").strip()
    except (OSError, ValueError):
        return ""  # a pod without an account


def _sagemaker_name(environ: Mapping[str, str]) -> str:
    try:
        return str(json.loads(environ.get("SM_TRAINING_ENV", ""))["job_name"])
    except (ValueError, TypeError, LookupError):
        return ""
