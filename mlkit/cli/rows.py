"""What a store returns, as plain values by name."""

from typing import TYPE_CHECKING, Any

from mlkit._core.clock import iso
from mlkit.cli.output import printable

if TYPE_CHECKING:
    from mlkit.data.version import DatasetVersion
    from mlkit.models.aliases import AliasEntry
    from mlkit.models.model import Model
    from mlkit.models.package import ModelVersion
    from mlkit.objects.verify import Problem
    from mlkit.store.store import Store
    from mlkit.tracking.reading import Run

_SECOND = 1_000_000_000
_DIGITS = 12


def run_row(run: "Run") -> dict[str, Any]:
    """Give a run in one row."""
    ended = run.ended_at
    return {
        "id": run.id,
        "experiment": run.experiment,
        "name": run.name,
        "status": run.status,
        "started_at": iso(run.started_at),
        "ended_at": None if ended is None else iso(ended),
        "duration": None if ended is None else (ended - run.started_at) / _SECOND,
        "parent_id": run.parent_id,
        "params": run.params,
        "metrics": run.summary,
        "tags": run.tags,
    }


def run_fields(run: "Run") -> dict[str, Any]:
    """Give everything of a run but its metrics' history."""
    return {
        **run_row(run),
        "user": run.user,
        "inputs": [_used(one) for one in run.inputs],
        "outputs": [_used(one) for one in run.outputs],
        "artifacts": {name: artifact.size for name, artifact in run.artifacts().items()},
        "notes": [note["text"] for note in run.notes],
        "code": run.provenance.get("code"),
        "machine": run.provenance.get("machine"),
        "error": run.error,
    }


def dataset_row(store: "Store", name: str) -> dict[str, Any]:
    """Give a dataset in one row."""
    dataset = store.datasets[name]
    latest = dataset.latest
    return {
        "dataset": name,
        "versions": len(dataset.versions()),
        "latest": latest.ref,
        "created_at": iso(latest.created_at),
        "digest": latest.digest,
    }


def dataset_version(version: "DatasetVersion") -> dict[str, Any]:
    """Give a dataset's version in one row."""
    return {
        "version": version.number,
        "ref": version.ref,
        "kind": version.kind,
        "rows": version.rows,
        "size": version.size,
        "created_at": iso(version.created_at),
        "digest": version.digest,
        "run_id": version.run_id,
    }


def model_row(store: "Store", name: str) -> dict[str, Any]:
    """Give a model in one row."""
    model = store.models[name]
    latest = model.latest
    return {
        "model": name,
        "versions": len(model.versions()),
        "latest": latest.ref,
        "aliases": dict(model.aliases()),
        "created_at": iso(latest.created_at),
    }


def model_versions(model: "Model") -> list[dict[str, Any]]:
    """Give a model's versions, one a row, with the aliases that are on them now."""
    aliases = model.aliases()
    return [
        {
            "aliases": sorted(alias for alias, number in aliases.items() if number == one.number),
            **_model_version(one),
        }
        for one in model.versions()
    ]


def alias_entry(entry: "AliasEntry") -> dict[str, Any]:
    """Give one move of an alias in one row."""
    return {
        "number": entry.number,
        "alias": entry.alias,
        "version": entry.version,
        "replaced": entry.replaced,
        "at": iso(entry.at),
        "user": entry.user,
        "gate": entry.gate_report,
        "reason": entry.reason,
    }


def problem(found: "Problem") -> dict[str, Any]:
    """Give something damaged in one row."""
    return {"path": found.path, "what": found.what, "hurts": list(found.hurts)}


def short(digest: str) -> str:
    """Give the beginning of a digest, as references take it.

    Example:
        >>> short("sha256:1f3a9c5b7d2e4f6a8b")
        '1f3a9c5b7d2e'
    """
    return printable(digest.removeprefix("sha256:")[:_DIGITS])


def refs(links: list[dict[str, Any]]) -> str:
    """Give the references of what was used.

    Example:
        >>> refs([{"kind": "dataset", "ref": "flights:1", "digest": "sha256:1f3a"}])
        'flights:1'
    """
    return ", ".join(printable(str(link["ref"])) for link in links)


def verdict(gate_report: dict[str, Any]) -> str:
    """Give what a gate said, in a word.

    Example:
        >>> verdict({"passed": True, "conditions": []})
        'passed'
    """
    return "passed" if gate_report.get("passed") else "refused"


def _model_version(version: "ModelVersion") -> dict[str, Any]:
    return {
        "version": version.number,
        "ref": version.ref,
        "created_at": iso(version.created_at),
        "size": version.size,
        "metrics": dict(version.metrics),
        "datasets": [dict(one) for one in version.datasets],
        "digest": version.digest,
        "run_id": version.run_id,
        "user": version.user,
        "note": version.note,
    }


def _used(version: dict[str, Any]) -> str:
    return f"{version['ref']}#{short(version['digest'])}"
