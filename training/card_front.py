"""The YAML at the head of a model card, which hubs read: library, licence, tags, results.

Every value is written as JSON, which YAML contains.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from hybridroute.edge_runtime.manifest import Manifest

_HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+")
_BASES = {"minilm": "sentence-transformers/all-MiniLM-L6-v2"}
_METRICS = {"apgr": "APGR", "cpt50": "CPT(50 %), % of calls", "cpt80": "CPT(80 %), % of calls"}
_PARTS = {"unseen": "held-out rows, not seen in training", "seen": "held-out rows of seen domains"}


def front_matter(manifest: Manifest, *, form: str) -> str:
    """The head of a card, with its fences and a blank line.

    Parameters
    ----------
    manifest : Manifest
        Its ``training`` facts give licence, encoder and results, as far as they are there.
    form : str
        A tag for what the folder holds: ``"onnx"`` or ``"safetensors"``.
    """
    facts = manifest.training
    fields: dict[str, Any] = {
        "library_name": "hybridroute",
        "pipeline_tag": "text-classification",
        "license": facts.get("licence") or "unknown",
        "tags": ["hybridroute", "llm-routing", "hybrid-llm", form],
    }
    base = _base_model(str(facts.get("config", {}).get("encoder", "")))
    if base is not None:
        fields["base_model"] = base
    results = _results(facts)
    if results:
        fields["model-index"] = [{"name": manifest.name, "results": results}]
    lines = (f"{key}: {json.dumps(value, ensure_ascii=False)}" for key, value in fields.items())
    return "\n".join(["---", *lines, "---", "", ""])


def body_of(card: str) -> str:
    """The card without its head."""
    if not card.startswith("---\n"):
        return card
    _, fence, body = card.partition("\n---\n")
    return body.lstrip("\n") if fence else card


def _base_model(encoder: str) -> str | None:
    """The encoder's name on the hub; a folder's path is nobody else's business."""
    return _BASES.get(encoder) or (encoder if _HUB_NAME.fullmatch(encoder) else None)


def _results(facts: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    report = facts.get("report") or {}
    results = []
    for part, name in _PARTS.items():
        found = report.get(part) or {}
        metrics = [
            {"type": key, "name": title, "value": round(float(found[key]), 4)}
            for key, title in _METRICS.items()
            if found.get(key) is not None
        ]
        if metrics:
            task = {"type": "text-classification", "name": "query routing"}
            data = {"type": "outcomes", "name": f"{found['n']} {name}"}
            results.append({"task": task, "dataset": data, "metrics": metrics})
    return results
