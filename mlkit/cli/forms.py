"""How people are shown what isn't plain to read: digests, ids, sizes, gates, signatures."""

from collections.abc import Mapping, Sequence
from typing import Any

from mlkit.cli.output import Part, moment, printable
from mlkit.display.formats import show_bytes, show_span
from mlkit.schema.signature import Signature

_DIGITS = 12
_ID = len("01a20abb-977d-746e")


def short(digest: str) -> str:
    """Give the beginning of a digest, as references take it.

    Example:
        >>> short("sha256:1f3a9c5b7d2e4f6a8b")
        '1f3a9c5b7d2e'
    """
    return printable(digest.removeprefix("sha256:")[:_DIGITS])


def refs(links: Sequence[Any]) -> str:
    """Give the references of what was used.

    Example:
        >>> refs([{"kind": "dataset", "ref": "flights:1", "digest": "sha256:1f3a"}])
        'flights:1'
    """
    return ", ".join(
        printable(str(link["ref"] if isinstance(link, Mapping) else link)) for link in links
    )


def beginning(run_id: str) -> str:
    """Give the beginning of a run's id, as `show` takes it.

    Example:
        >>> beginning("01a20abb-977d-746e-b9a3-7ff22db8f57b")
        '01a20abb-977d-746e'
    """
    return printable(run_id[:_ID])


def verdict(gate_report: dict[str, Any]) -> str:
    """Give what a gate said: that it was passed, or what was not.

    Example:
        >>> verdict({"passed": True, "conditions": []})
        'passed'
    """
    if gate_report.get("passed"):
        return "passed"
    conditions = gate_report.get("conditions")
    told = conditions if isinstance(conditions, list) else []  # other gates may report otherwise
    failed = [one for one in told if isinstance(one, Mapping) and not one.get("passed")]
    why = "; ".join(f"{one.get('condition')}: {one.get('why')}" for one in failed)
    return printable(f"refused ({why})" if why else "refused")


def sizes(files: Mapping[str, int]) -> dict[str, str]:
    """Give the sizes of files with their units.

    Example:
        >>> sizes({"report.txt": 12})
        {'report.txt': '12 B'}
    """
    return {name: show_bytes(size) for name, size in files.items()}


def code(state: Mapping[str, Any]) -> dict[str, Any]:
    r"""Give the state of the code, of a diff only its length.

    Example:
        >>> code({"commit": "30da7bd", "remote": "", "dirty": True, "diff": "-a\n+b\n"})
        {'commit': '30da7bd', 'dirty': True, 'diff': '2 lines; --json has them'}
    """
    told = {name: value for name, value in state.items() if value != ""}
    if "diff" in told:
        count = len(str(told["diff"]).splitlines())
        told["diff"] = f"{count:,} line{'' if count == 1 else 's'}; --json has them"
    return told


def machine(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Give what a machine is, its memory with a unit.

    Example:
        >>> machine({"cpus": 2, "memory": 512})
        {'cpus': 2, 'memory': '512 B'}
    """
    memory = facts.get("memory")
    return {**facts, "memory": show_bytes(memory)} if isinstance(memory, int) else dict(facts)


def _files(files: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    return {
        name: f"{show_bytes(file['size'])}, {short(file['digest'])}" for name, file in files.items()
    }


def _signature(document: dict[str, Any]) -> str:
    return str(Signature.from_json(document))


RUN: dict[str, Part] = {
    "started_at": moment,
    "ended_at": moment,
    "deleted_at": moment,
    "duration": show_span,
    "artifacts": sizes,
    "code": code,
    "machine": machine,
}
"""The fields of a run."""

VERSION: dict[str, Part] = {
    "created_at": moment,
    "size": show_bytes,
    "inputs": refs,
    "datasets": refs,
    "files": _files,
    "signature": _signature,
}
"""The fields of a version."""
