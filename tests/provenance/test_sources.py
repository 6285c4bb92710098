import importlib
import importlib.util
import os
import subprocess
import sys
import types
from pathlib import Path

import pytest

from mlkit.provenance import git, sources
from mlkit.provenance.git import tracked
from mlkit.provenance.sources import Source, loose_sources


@pytest.fixture
def project(tmp_path):
    """The folder of a project, as the working folder."""
    root = tmp_path / "project"
    root.mkdir()
    return root


def _git(root, *words):
    subprocess.run(["git", "-C", root, *words], check=True, capture_output=True)


def _module(name, path, text="x = 1\n"):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    module = types.ModuleType(name)
    module.__file__ = str(path)
    return module


def _of(folder, **modules):
    return loose_sources(folder=folder, modules={m.__name__: m for m in modules.values()})


def _paths(found):
    return [source.path for source in found.files]


def test_the_script_and_what_it_imported_are_kept_with_secrets_masked(project):
    main = _module("__main__", project / "train.py", "api_key = 'hunter2hunter2'\n")
    helper = _module("lib.helper", project / "lib" / "helper.py", "ä = 1\r\n")
    found = _of(project, main=main, helper=helper)
    assert found.files[0] == Source("train.py", b"api_key = '[masked]'\n")
    assert found.files[1].path == "lib/helper.py"
    assert found.files[1].data == (project / "lib" / "helper.py").read_bytes()
    assert found.left_out == 0


def test_what_git_tracks_is_left_out_and_what_it_ignores_is_not(project):
    modules = {
        name: _module(name, project / f"{name}.py") for name in ("kept", "new", "ignored", "st*r")
    }
    (project / ".gitignore").write_text("ignored.py\n")
    _git(project, "init", "-q")
    _git(project, "add", "kept.py", ".gitignore")
    assert _paths(_of(project, **modules)) == ["new.py", "ignored.py", "st*r.py"]


def test_each_repository_is_asked_once(project, tmp_path, monkeypatch):
    other = tmp_path / "other"
    modules = {}
    for root in (project, other):
        for number in range(3):
            name = f"{root.name}{number}"
            modules[name] = _module(name, root / "deep" / f"{name}.py")
        _git(root, "init", "-q")
        _git(root, "add", "deep")
    calls = []
    begin = git._begun
    monkeypatch.setattr(git, "_begun", lambda *words: calls.append(words) or begin(*words))
    assert _of(project, **modules).files == ()
    assert len(calls) == 2


def test_many_files_are_asked_for_in_parts(project, monkeypatch):
    monkeypatch.setattr(git, "_PATHS_PER_CALL", 2)
    paths = [project / f"{number}.py" for number in range(5)]
    for path in paths:
        path.write_text("")
    _git(project, "init", "-q")
    _git(project, "add", ".")
    assert tracked(paths) == set(paths)


def test_without_git_all_of_them_count(project, monkeypatch):
    module = _module("kept", project / "kept.py")
    _git(project, "init", "-q")
    _git(project, "add", ".")
    monkeypatch.setenv("PATH", str(project))
    assert _paths(_of(project, module=module)) == ["kept.py"]


def test_a_link_to_what_git_tracks_is_tracked(project, tmp_path):
    module = _module("kept", project / "kept.py")
    _git(project, "init", "-q")
    _git(project, "add", ".")
    (tmp_path / "link").symlink_to(project)
    module.__file__ = str(tmp_path / "link" / "kept.py")
    assert _of(tmp_path / "link", module=module).files == ()


@pytest.mark.parametrize(
    ("name", "file", "shown"),
    [
        ("pkg.sub.mod", "elsewhere/pkg/sub/mod.py", "pkg/sub/mod.py"),
        ("pkg.sub", "elsewhere/pkg/sub/__init__.py", "pkg/sub/__init__.py"),
        ("odd", "elsewhere/loaded_by_hand.py", "loaded_by_hand.py"),
        ("__main__", "elsewhere/__main__.py", "__main__.py"),
        ("__mp_main__", "elsewhere/train.py", "train.py"),
    ],
)
def test_files_outside_the_folder_are_shown_below_their_root(project, tmp_path, name, file, shown):
    assert _paths(_of(project, module=_module(name, tmp_path / file))) == [shown]


def test_two_files_of_one_name_are_told_apart(project, tmp_path):
    first = _module("__main__", project / "train.py")
    second = _module("train", tmp_path / "other" / "train.py", "y = 2\n")
    assert _paths(_of(project, first=first, second=second)) == ["train.py", "other/train.py"]


def test_a_file_that_is_two_modules_is_kept_once(project):
    main, same = (_module(name, project / "train.py") for name in ("__main__", "train"))
    assert _paths(_of(project, main=main, same=same)) == ["train.py"]


def test_what_is_installed_or_of_python_or_of_mlkit_is_left_out(project, tmp_path):
    installed = _module("lib", tmp_path / "env" / "lib" / "site-packages" / "lib.py")
    debian = _module("deb", tmp_path / "dist-packages" / "deb.py")
    modules = {
        name: module for name, module in sys.modules.items() if name.startswith(("mlkit", "json"))
    }
    modules |= {"lib": installed, "deb": debian, "attrs": sys.modules["attrs"]}
    assert loose_sources(folder=project, modules=modules).files == ()


def test_code_in_the_folder_that_an_environment_was_made_in_is_kept(project, monkeypatch):
    monkeypatch.setattr(sys, "prefix", str(project))
    sources._places.cache_clear()
    inner = _module("inner", project / "lib" / "inner.py")
    try:
        found = _of(project, module=_module("train", project / "train.py"), inner=inner)
    finally:
        sources._places.cache_clear()
    assert _paths(found) == ["train.py"]


def test_what_has_no_source_is_passed_over(project):
    class Slotted:
        __slots__ = ()

    modules = {
        "builtin": types.ModuleType("builtin"),
        "namespace": _with_file(None),
        "compiled": _with_file(str(project / "compiled.so")),
        "gone": _with_file(str(project / "gone.py")),
        "folder": _with_file(str(project / "folder.py")),
        "slotted": Slotted(),
        "none": None,
    }
    (project / "folder.py").mkdir()
    assert loose_sources(folder=project, modules=modules) == sources.Sources(())


def _with_file(file):
    module = types.ModuleType("module")
    module.__file__ = file
    return module


def test_a_file_that_cannot_be_read_is_passed_over(project, monkeypatch):
    def refuse(_path):
        raise PermissionError

    module = _module("secret", project / "secret.py")
    monkeypatch.setattr(Path, "read_bytes", refuse)
    assert _of(project, module=module) == sources.Sources(())


def test_a_module_that_loads_on_use_is_not_loaded(project, monkeypatch):
    (project / "lazy.py").write_text("raise RuntimeError('loaded')\n")
    spec = importlib.util.spec_from_file_location("lazy", project / "lazy.py")
    spec.loader = importlib.util.LazyLoader(spec.loader)
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "lazy", module)
    spec.loader.exec_module(module)
    assert _paths(loose_sources(folder=project, modules={"lazy": module})) == ["lazy.py"]


def test_what_is_too_large_or_too_much_is_counted(project, monkeypatch):
    monkeypatch.setattr(sources, "LARGEST", 100)
    monkeypatch.setattr(sources, "MOST_BYTES", 120)
    big = _module("big", project / "big.py", "#" * 101)
    three = [_module(f"m{number}", project / f"m{number}.py", "#" * 50) for number in range(3)]
    found = _of(project, big=big, a=three[0], b=three[1], c=three[2])
    assert _paths(found) == ["m0.py", "m1.py"]
    assert found.left_out == 2


def test_too_many_files_are_counted(project, monkeypatch):
    monkeypatch.setattr(sources, "MOST", 2)
    modules = {f"m{number}": _module(f"m{number}", project / f"{number}.py") for number in range(5)}
    found = loose_sources(folder=project, modules=modules)
    assert (_paths(found), found.left_out) == (["0.py", "1.py"], 3)


def test_a_later_call_gives_only_what_was_imported_since(project, monkeypatch):
    modules = {"a": _module("a", project / "a.py")}
    known = set()
    assert _paths(loose_sources(folder=project, modules=modules, known=known)) == ["a.py"]
    calls = []
    monkeypatch.setattr(sources, "tracked", lambda paths: calls.append(paths) or set())
    assert loose_sources(folder=project, modules=modules, known=known).files == ()
    assert calls == []  # nothing new, so git isn't asked
    modules["b"] = _module("b", project / "b.py")
    modules["again"] = _module("again", project / "a.py")
    assert _paths(loose_sources(folder=project, modules=modules, known=known)) == ["b.py"]


def test_sources_in_other_encodings_are_kept_as_utf_8(project):
    module = _module("old", project / "old.py")
    (project / "old.py").write_bytes(b"# caf\xe9\n")
    assert _of(project, module=module).files[0].data == "# café\n".encode()


def test_a_name_that_is_no_unicode_is_shown_all_the_same(project):
    path = project / os.fsdecode(b"caf\xe9.py")
    assert _paths(_of(project, module=_module("cafe", path))) == ["caf\\udce9.py"]


def test_the_modules_of_the_process_are_the_default(project, monkeypatch):
    (project / "loose_by_default.py").write_text("x = 1\n")
    monkeypatch.syspath_prepend(project)
    monkeypatch.delitem(sys.modules, "loose_by_default", raising=False)
    importlib.import_module("loose_by_default")
    try:
        assert "loose_by_default.py" in _paths(loose_sources(folder=project))
    finally:
        del sys.modules["loose_by_default"]
