import pytest

from mlkit.provenance.job import job_context


def test_without_a_scheduler_there_is_nothing():
    assert job_context({"HOME": "/home/ann", "HOSTNAME": "laptop", "NODE_NAME": "x"}) == {}


def test_the_environment_of_the_process_is_the_default(monkeypatch):
    monkeypatch.setenv("SLURM_JOB_ID", "4711")
    assert job_context()["slurm"]["job_id"] == "4711"


def test_a_task_of_a_slurm_array():
    environ = {
        "SLURM_JOB_ID": "4713",
        "SLURM_JOB_NAME": "train",
        "SLURM_ARRAY_JOB_ID": "4711",
        "SLURM_ARRAY_TASK_ID": "2",
        "SLURM_STEP_ID": "0",
        "SLURM_PROCID": "3",
        "SLURM_NODEID": "1",
        "SLURM_NNODES": "2",
        "SLURM_NTASKS": "8",
        "SLURM_JOB_NODELIST": "gpu[01-02]",
        "SLURM_JOB_PARTITION": "gpu",
        "SLURM_RESTART_COUNT": "1",
        "SLURM_SUBMIT_HOST": "login",
    }
    assert job_context(environ) == {
        "slurm": {
            "job_id": "4713",
            "job_name": "train",
            "array_job_id": "4711",
            "array_task_id": "2",
            "step_id": "0",
            "procid": "3",
            "nodeid": "1",
            "nnodes": "2",
            "ntasks": "8",
            "node_list": "gpu[01-02]",
            "partition": "gpu",
            "restart_count": "1",
            "submit_host": "login",
        }
    }


@pytest.mark.parametrize("date", ["AIRFLOW_CTX_LOGICAL_DATE", "AIRFLOW_CTX_EXECUTION_DATE"])
def test_a_task_of_airflow_old_and_new(date):
    environ = {
        "AIRFLOW_CTX_DAG_ID": "nightly",
        "AIRFLOW_CTX_TASK_ID": "train",
        "AIRFLOW_CTX_DAG_RUN_ID": "manual__1",
        "AIRFLOW_CTX_TRY_NUMBER": "2",
        "AIRFLOW_CTX_MAP_INDEX": "0",
        "AIRFLOW_CTX_DAG_EMAIL": "ann@example.org",
        date: "2026-01-31",
    }
    assert job_context(environ) == {
        "airflow": {
            "dag_id": "nightly",
            "task_id": "train",
            "run_id": "manual__1",
            "try_number": "2",
            "execution_date": "2026-01-31",
            "map_index": "0",
        }
    }


def test_a_pod_of_kubernetes_reads_its_namespace(tmp_path):
    (tmp_path / "namespace").write_text("ml\n")
    environ = {
        "KUBERNETES_SERVICE_HOST": "10.0.0.1",
        "HOSTNAME": "train-0-abcde",
        "NODE_NAME": "node-7",
        "JOB_NAME": "train",
        "JOB_COMPLETION_INDEX": "0",
    }
    assert job_context(environ, service_account=tmp_path) == {
        "kubernetes": {
            "pod_name": "train-0-abcde",
            "namespace": "ml",
            "node_name": "node-7",
            "job_name": "train",
            "completion_index": "0",
        }
    }


def test_a_pod_without_an_account_says_what_it_can(tmp_path):
    environ = {"KUBERNETES_SERVICE_HOST": "10.0.0.1", "POD_NAME": "a", "HOSTNAME": "b"}
    assert job_context(environ, service_account=tmp_path) == {"kubernetes": {"pod_name": "a"}}
    (tmp_path / "namespace").write_bytes(b"\xff")
    named = environ | {"POD_NAMESPACE": "ml"}
    assert job_context(environ, service_account=tmp_path) == {"kubernetes": {"pod_name": "a"}}
    assert job_context(named)["kubernetes"]["namespace"] == "ml"


def test_a_job_of_sagemaker():
    environ = {
        "TRAINING_JOB_NAME": "train-1",
        "TRAINING_JOB_ARN": "arn:aws:sagemaker:eu-west-1:1:training-job/train-1",
        "SM_CURRENT_HOST": "algo-1",
        "SM_HOSTS": '["algo-1"]',
        "SM_CURRENT_INSTANCE_TYPE": "ml.p4d.24xlarge",
    }
    assert job_context(environ) == {
        "sagemaker": {
            "job_name": "train-1",
            "job_arn": "arn:aws:sagemaker:eu-west-1:1:training-job/train-1",
            "current_host": "algo-1",
            "hosts": '["algo-1"]',
            "instance_type": "ml.p4d.24xlarge",
        }
    }


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", "1", '{"job_name": ""}'])
def test_a_training_environment_that_names_no_job_is_nothing(text):
    assert job_context({"SM_TRAINING_ENV": text}) == {}


def test_the_training_environment_may_name_the_job():
    environ = {"SM_TRAINING_ENV": '{"job_name": "train-1", "hyperparameters": {}}'}
    assert job_context(environ) == {"sagemaker": {"job_name": "train-1"}}


def test_ranks_of_torchrun_and_of_mpi():
    environ = {
        "RANK": "5",
        "LOCAL_RANK": "1",
        "WORLD_SIZE": "8",
        "LOCAL_WORLD_SIZE": "4",
        "GROUP_RANK": "1",
        "TORCHELASTIC_RUN_ID": "none",
        "TORCHELASTIC_RESTART_COUNT": "0",
        "OMPI_COMM_WORLD_RANK": "5",
        "OMPI_COMM_WORLD_SIZE": "8",
    }
    assert job_context(environ) == {
        "ranks": {
            "rank": "5",
            "local_rank": "1",
            "world_size": "8",
            "local_world_size": "4",
            "group_rank": "1",
            "torchelastic_run_id": "none",
            "torchelastic_restart_count": "0",
            "mpi_rank": "5",
            "mpi_size": "8",
        }
    }


def test_secrets_are_masked():
    environ = {"SLURM_JOB_NAME": "sweep --token=hunter2hunter2"}
    assert job_context(environ) == {"slurm": {"job_name": "sweep --token=[masked]"}}
