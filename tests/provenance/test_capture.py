import subprocess
import sys
import threading
from importlib import metadata

import pytest

from mlkit.provenance import capture, environment, git
from mlkit.provenance.capture import Capture, Captures, look
from mlkit.provenance.git import CodeState


@pytest.fixture
def tree_root(tmp_path):
    root = tmp_path / "tree"
    root.mkdir()
    return root


def _git(root, *words):
    subprocess.run(["git", "-C", root, *words], check=True, capture_output=True)


@pytest.fixture
def repository(tree_root):
    _git(tree_root, "init", "-q", "-b", "main")
    (tree_root / "train.py").write_text("lr = 0.1\n")
    _git(tree_root, "add", ".")
    _git(tree_root, "commit", "-q", "-m", "first")
    return tree_root


def test_a_clean_tree_has_a_commit_and_a_branch(repository):
    state = CodeState(repository).result()
    assert len(state["commit"]) == 40
    assert (state["branch"], state["dirty"]) == ("main", False)
    assert "diff" not in state


def test_uncommitted_changes_are_kept_with_secrets_masked(repository):
    (repository / "train.py").write_text("lr = 0.2\npassword = 'hunter22'\n")
    (repository / "new.py").write_text("")
    _git(repository, "remote", "add", "origin", "https://me:hunter22@host/x.git")
    state = CodeState(repository).result()
    assert state["dirty"]
    assert state["untracked"] == 1
    assert "+lr = 0.2" in state["diff"]
    assert "hunter22" not in str(state)


def test_a_long_diff_is_cut_and_says_so(repository):
    (repository / "train.py").write_text("x = 1\n" * 100_000)
    state = CodeState(repository).result()
    assert len(state["diff"]) == 200_000
    assert state["diff_cut"] > 0


def test_a_tree_without_a_commit_has_a_diff_too(tree_root):
    _git(tree_root, "init", "-q")
    (tree_root / "a.py").write_text("new = 1\n")
    _git(tree_root, "add", ".")
    state = CodeState(tree_root).result()
    assert state["commit"] == ""
    assert "+new = 1" in state["diff"]


def test_outside_a_tree_and_without_git_there_is_nothing(tmp_path, monkeypatch):
    assert CodeState(tmp_path).result() == {}
    monkeypatch.setenv("PATH", str(tmp_path))
    assert CodeState(tmp_path).result() == {}


def test_what_is_known_of_a_process():
    facts = look(int)
    assert facts["process"]["python"] == ".".join(map(str, sys.version_info[:3]))
    assert facts["packages"]["pytest"]
    assert facts["machine"]["cpus"] >= 1
    assert facts["machine"]["memory"] > 0


def test_a_system_that_tells_little_is_fine(monkeypatch):
    def silent(*_):
        raise OSError

    environment.machine.cache_clear()
    environment.user.cache_clear()
    monkeypatch.setattr(environment.os, "sysconf", silent)
    monkeypatch.setattr(environment.getpass, "getuser", silent)
    monkeypatch.setattr(environment.os, "getcwd", lambda: (_ for _ in ()).throw(FileNotFoundError))
    assert "memory" not in environment.machine()
    assert environment.user() == ""
    assert look(int)["code"] == {}
    environment.machine.cache_clear()
    environment.user.cache_clear()


def test_packages_are_those_that_are_installed(monkeypatch):
    environment.packages.cache_clear()
    found = environment.packages()
    assert found["pytest"] == pytest.__version__
    assert found["scikit-learn"]
    for distribution in metadata.distributions():
        name = distribution.metadata["Name"].replace("_", "-").lower()
        assert {key.lower(): version for key, version in found.items()}[name]
    environment.packages.cache_clear()


def test_places_that_cant_be_listed_and_odd_names_are_passed_over(monkeypatch, tmp_path):
    (tmp_path / "odd.dist-info").mkdir()
    (tmp_path / "two_words-1.0.dist-info").mkdir()
    monkeypatch.setattr(environment.sys, "path", [str(tmp_path / "none"), str(tmp_path)])
    environment.packages.cache_clear()
    assert environment.packages() == {"two-words": "1.0"}
    environment.packages.cache_clear()


def test_runs_that_start_together_share_one_look_and_later_ones_look_again(monkeypatch, tmp_path):
    now = [0]
    monkeypatch.setattr(capture, "look", lambda _: {})
    captures = Captures(lambda: now[0])
    first = captures.start()
    now[0] = 1_000_000_000
    assert captures.start() is first
    now[0] = 3_000_000_000
    second = captures.start()
    assert second is not first
    monkeypatch.chdir(tmp_path)
    assert captures.start() is not second
    assert second.result() == {}


def test_the_job_is_told_where_there_is_one(monkeypatch):
    monkeypatch.setattr(capture, "job_context", dict)
    assert "job" not in look(int)
    monkeypatch.setattr(capture, "job_context", lambda: {"slurm": {"job_id": "4711"}})
    assert look(int)["job"] == {"slurm": {"job_id": "4711"}}


def test_a_capture_says_when_it_is_done():
    answer = threading.Event()

    def slow():
        answer.wait()
        return {"code": {}}

    capturing = Capture(slow)
    assert not capturing.done
    answer.set()
    assert capturing.result() == {"code": {}}
    assert capturing.done


def test_who_begins_a_capture_looks_at_nothing_itself(monkeypatch):
    looked = []
    monkeypatch.setattr(capture, "look", lambda _: looked.append(threading.current_thread()) or {})
    for name in ("process", "machine", "packages", "job_context", "CodeState"):
        monkeypatch.setattr(capture, name, looked.append)
    Captures(lambda: 0).start().result()
    assert [thread.name for thread in looked] == ["mlkit-provenance"]


def test_a_process_without_another_thread_goes_without(monkeypatch):
    def refuse(_thread):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    capturing = Capture(dict)
    assert capturing.done
    assert capturing.result() == {}


def test_a_look_that_fails_costs_nothing_but_its_facts():
    def fails():
        raise RuntimeError("no")

    assert Capture(fails).result() == {}


def test_git_that_takes_too_long_is_given_up(repository, monkeypatch):
    def slow(*_args, **_kwargs):
        raise subprocess.TimeoutExpired("git", 5)

    monkeypatch.setattr(git.subprocess.Popen, "communicate", slow)
    assert CodeState(repository).result() == {}
