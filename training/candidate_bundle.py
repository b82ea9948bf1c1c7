"""A fitted and exported candidate as a bundle: the one that ships, and those kept beside it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hybridroute.edge_runtime.bundle import Bundle, check_place
from hybridroute.edge_runtime.onnx_scorer import OnnxScorer
from hybridroute.training.candidates import Attempt, Candidate, Line
from hybridroute.training.device_export import DeviceModel
from hybridroute.training.metric_name import metric_of
from hybridroute.training.new_bundle import new_manifest, with_report, write_bundle


def candidate_bundle(
    line: Line,
    candidate: Candidate,
    device: DeviceModel,
    *,
    place: Path,
    name: str,
    more: Mapping[str, Any],
) -> tuple[Bundle, dict[str, Any]]:
    """Calibrate, and write the bundle; its card stays empty until there is a report.

    Returns
    -------
    bundle, facts
        The facts of the run, with ``more``, as they stand in the manifest.
    """
    line.on_stage(f"calibrating on {len(line.split.calibrate):,} rows")
    facts = {**_run_facts(line, candidate, device), **more}
    scorer = OnnxScorer(device.onnx, line.tokenizer, score_kind=candidate.model.score_kind)
    manifest = new_manifest(line.plan, line.split, candidate.config, scorer, facts, name=name)
    tokenizer = line.tokenizer.to_json().encode("utf-8")
    return write_bundle(place, manifest, device.onnx, tokenizer), facts


@dataclass(frozen=True, slots=True, kw_only=True)
class CandidateFolder:
    """Where every candidate's bundle is kept, each in a folder named for it."""

    path: Path

    def keep(self, line: Line, attempt: Attempt, candidate: Candidate, device: DeviceModel) -> Path:
        """Write one candidate's bundle. No test row is looked at.

        Raises
        ------
        BundleError
            If it cannot be written.
        """
        bundle, facts = candidate_bundle(
            line,
            candidate,
            device,
            place=self.place(attempt),
            name=f"{line.plan.name} ({attempt.name})",
            more={},
        )
        return with_report(bundle, facts).path

    def place(self, attempt: Attempt) -> Path:
        """The candidate's folder: its name in the table, words joined by hyphens."""
        return self.path / re.sub(r"[^a-z0-9]+", "-", attempt.name.lower())

    def check(self, attempts: list[Attempt]) -> None:
        """Raise BundleError now if a candidate could not be written after its fit."""
        for attempt in attempts:
            check_place(self.place(attempt))


def _run_facts(line: Line, chosen: Candidate, device: DeviceModel) -> dict[str, Any]:
    plan, split = line.plan, line.split
    return {
        "command": plan.command,
        "sources": list(plan.sources),
        "licence": plan.licence,
        "data": plan.outcomes.source,
        "split": split.facts,
        "config": chosen.config.to_dict(),
        "seeds": [
            {"seed": item.seed, "select": item.value, "best_step": item.best_step}
            for item in chosen.seeds
        ],
        "chosen_seed": chosen.config.seed,
        "weights": device.weights,
        "kept_fp32": len(device.kept_fp32),
        "parity": device.parity.to_dict(),
        "fp32_parity": device.fp32_parity.to_dict(),
        "labels": chosen.labels.summary(),
        "quality": metric_of(split.fit).to_dict(),
        "score_map": {"slope": chosen.score_map.slope, "offset": chosen.score_map.offset},
        "quality_range": [line.scale.low, line.scale.high],
    }
