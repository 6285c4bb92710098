"""What a store returns, as plain values by name."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from attrs import asdict

from mlkit._core.clock import iso
from mlkit.cli.forms import short

if TYPE_CHECKING:
    from mlkit.data.dataset import Dataset
    from mlkit.data.version import DatasetVersion
    from mlkit.models.model import Model
    from mlkit.models.package import ModelVersion
    from mlkit.models.refusals import Refusal
    from mlkit.objects.aliases import AliasEntry
    from mlkit.objects.verify import Problem
    from mlkit.query.lineage import Lineage
    from mlkit.store.gc_report import GcReport
    from mlkit.store.merge_report import MergeReport
    from mlkit.store.store import Store
    from mlkit.tracking.reading import Run

_SECOND = 1_000_000_000


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
        "deleted_at": None if run.deleted_at is None else iso(run.deleted_at),
        "user": run.user,
        "inputs": [_used(one) for one in run.inputs],
        "outputs": [_used(one) for one in run.outputs],
        "artifacts": {name: artifact.size for name, artifact in run.artifacts().items()},
        "notes": [note["text"] for note in run.notes],
        "code": run.provenance.get("code"),
        "machine": run.provenance.get("machine"),
        "error": run.error,
    }


def dataset_fields(version: "DatasetVersion", aliases: Mapping[str, int]) -> dict[str, Any]:
    """Give everything of a dataset's version but its content."""
    return {
        **dataset_version(version, aliases),
        "columns": dict(version.types),
        "inputs": list(version.inputs),
        "user": version.user,
        "url": version.url,
        "description": version.description,
        "tags": version.tags,
        "notes": [note["text"] for note in version.notes],
    }


def model_fields(version: "ModelVersion", aliases: Mapping[str, int]) -> dict[str, Any]:
    """Give everything of a model's version but its files' content."""
    signature = version.signature
    return {
        **_model_version(version, aliases),
        "serializer": f"{version.serializer} {version.serializer_version}",
        "signature": None if signature is None else signature.to_json(),
        "example": version.example,
        "files": {name: asdict(file) for name, file in version.files.items()},
        "python": version.python,
        "environment": dict(version.environment),
        "tags": dict(version.tags),
    }


def lineage_fields(lineage: "Lineage") -> dict[str, Any]:
    """Give a lineage as its nodes, the first of which was asked for, and its edges."""
    return {
        "nodes": [asdict(node) for node in lineage.nodes],
        "edges": [
            {
                "source": {"kind": edge.source[0], "ref": edge.source[1]},
                "relation": edge.relation,
                "target": {"kind": edge.target[0], "ref": edge.target[1]},
            }
            for edge in lineage.edges
        ],
    }


def dataset_row(store: "Store", name: str) -> dict[str, Any]:
    """Give a dataset in one row."""
    dataset = store.datasets[name]
    latest = dataset.latest
    return {
        "dataset": name,
        "versions": len(dataset.versions()),
        "latest": latest.ref,
        "aliases": dataset.aliases(),
        "created_at": iso(latest.created_at),
        "digest": latest.digest,
    }


def dataset_versions(dataset: "Dataset") -> list[dict[str, Any]]:
    """Give a dataset's versions, one a row, with the aliases that are on them now."""
    aliases = dataset.aliases()
    return [dataset_version(one, aliases) for one in dataset.versions()]


def dataset_version(version: "DatasetVersion", aliases: Mapping[str, int]) -> dict[str, Any]:
    """Give a dataset's version in one row."""
    return {
        "aliases": _held(version.number, aliases),
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
    return [_model_version(one, aliases) for one in model.versions()]


def alias_moves(of: "Dataset | Model", alias: str) -> list[dict[str, Any]]:
    """Give what was done with an alias, and what a gate refused, the oldest first.

    Raises:
        NotFound: There is no such alias, nor was it ever refused.
    """
    refusals = of.refusals() if hasattr(of, "refusals") else []
    refused = [_refusal(one) for one in refusals if one.alias == alias]
    if refused and alias not in of.aliases():
        return refused
    moves = [_move(one) for one in of.history(alias)]
    return sorted([*moves, *refused], key=lambda row: str(row["at"]))


def _move(entry: "AliasEntry") -> dict[str, Any]:
    return {
        "number": entry.number,
        "alias": entry.alias,
        "action": entry.action,
        "version": entry.version,
        "replaced": entry.replaced,
        "holder": entry.version,
        "at": iso(entry.at),
        "user": entry.user,
        "gate": entry.gate_report,
        "reason": entry.reason,
        "run_id": entry.run_id,
    }


def _refusal(refusal: "Refusal") -> dict[str, Any]:
    return {
        "number": None,
        "alias": refusal.alias,
        "action": "refused",
        "version": refusal.version,
        "replaced": None,
        "holder": refusal.holder,
        "at": iso(refusal.at),
        "user": refusal.user,
        "gate": refusal.gate_report,
        "reason": refusal.reason,
        "run_id": refusal.run_id,
    }


def problem(found: "Problem") -> dict[str, Any]:
    """Give something damaged in one row."""
    return {"path": found.path, "what": found.what, "hurts": list(found.hurts)}


def gc_fields(report: "GcReport") -> dict[str, Any]:
    """Give what collecting garbage has freed."""
    return {
        "dry_run": report.dry_run,
        "objects": report.objects,
        "bytes": report.bytes,
        "freed": [asdict(one) for one in report.freed],
        "runs": list(report.runs),
        "young": report.young,
        "unknown": report.unknown,
    }


def merge_fields(report: "MergeReport") -> dict[str, Any]:
    """Give what was copied from one store to another."""
    return {
        "source": report.source,
        "target": report.target,
        "complete": report.is_complete,
        "objects": report.objects,
        "bytes": report.bytes,
        "parts": [asdict(one) for one in report.parts],
        "renumbered": [{"there": old, "here": new} for old, new in report.renumbered],
        "problems": [problem(one) for one in report.problems],
    }


def _model_version(version: "ModelVersion", aliases: Mapping[str, int]) -> dict[str, Any]:
    return {
        "aliases": _held(version.number, aliases),
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


def _held(version: int, aliases: Mapping[str, int]) -> list[str]:
    """Give the aliases that a version holds."""
    return sorted(alias for alias, number in aliases.items() if number == version)


def _used(version: dict[str, Any]) -> str:
    return f"{version['ref']}#{short(version['digest'])}"
