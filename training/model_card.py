"""The bundle's README.md, written from the run's own numbers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from hybridroute.edge_runtime.manifest import Manifest
from hybridroute.training.card_front import front_matter
from hybridroute.training.left_out import LeftOut
from hybridroute.training.metric_name import AS_GIVEN
from hybridroute.training.parity import APGR_ROWS
from hybridroute.training.rows_seen import CALIBRATION_HASHES

_PARTS = {
    "unseen": "Test rows ({by}s it never saw)",
    "seen": "Held-out rows of domains it was fitted on",
}


def model_card(manifest: Manifest, files: Mapping[str, bytes]) -> str:
    """The model card as Markdown."""
    facts = manifest.training
    size = sum(len(data) for data in files.values()) / 1e6
    parts = [
        f"{front_matter(manifest, form='onnx')}# {manifest.name}\n",
        _what(manifest, size),
        _how_made(manifest, facts),
        *_results(facts),
        _limits(manifest, facts),
        _repeat(facts),
    ]
    return "\n".join(parts)


def checkpoint_card(manifest: Manifest) -> str:
    """The card of the folder that the same run's router can be trained on from."""
    facts = manifest.training
    edge, cloud = (arm.model for arm in manifest.arms)
    what = (
        f"The router of hybridroute that chooses between `{edge}` (the edge) and `{cloud}` (the "
        "cloud), as it was fitted: safetensors, before its export to ONNX.\n\n"
        "```python\nfrom hybridroute.training.pretrained import PretrainedRouter\n\n"
        'router = PretrainedRouter.from_pretrained("FOLDER")\n'
        'router.score(["What is 2+2?"])\n```\n\n'
        "`hybridroute train --encoder FOLDER` starts from its encoder.\n"
    )
    parts = [
        f"{front_matter(manifest, form='safetensors')}# {manifest.name}, to be trained on\n",
        what,
        _how_made(manifest, facts),
        *_results(facts),
        _repeat(facts),
    ]
    return "\n".join(parts)


def _what(manifest: Manifest, size: float) -> str:
    edge, cloud = (arm.model for arm in manifest.arms)
    fit = manifest.training["config"].get("fit", "deberta")
    gap = (
        f"the gap q_edge - q_cloud that a `{fit}` head on the frozen encoder expects"
        if fit != "deberta"
        else "p_edge - p_cloud of one quality head per arm"
    )
    kind = (
        f"`gap`: sigmoid(a g + b) of g, {gap}. It orders queries; it is not a probability"
        if manifest.score_kind == "gap"
        else "`label`: an estimate of the label's probability"
    )
    return (
        "A router for hybridroute: it reads a query and says, before any model is called, whether "
        f"`{edge}` (the edge) will answer about as well as `{cloud}` (the cloud).\n\n"
        f"- Score: {kind}.\n"
        f"- Input: the user's turns (`{manifest.text_rule}`), the last {manifest.max_tokens} "
        "tokens.\n"
        f"- Size: {size:.1f} MB.\n"
        "- Out of scope: a query with more than "
        f"{manifest.unknown_token_limit:.0%} unknown tokens. The tokenizer is the encoder's own; "
        "the packaged MiniLM's is English.\n"
    )


def _how_made(manifest: Manifest, facts: Mapping[str, Any]) -> str:
    config, split, labels = facts["config"], facts["split"], facts["labels"]
    rows = ", ".join(f"{name} {count}" for name, count in split["rows"].items())
    seeds = ", ".join(
        f"{item['seed']}: {item['select']:.4f}"
        for item in facts["seeds"]
        if item["select"] is not None
    )
    parity = facts["parity"]
    lines = [
        "## How it was made\n",
        *(f"- Data: {source}" for source in facts["sources"] or [facts["data"]]),
        f"- Split by {split['by']} hash, seed {split['seed']}: {rows}.",
        *_left_out(split),
        _labels(labels, facts["quality"]),
        _fitted(config),
        *(
            ["- Selection value (area over random in units of q) by seed: " + seeds + "."]
            if seeds
            else []
        ),
        f"- Weights {facts['weights']}{_kept(facts)}; against torch on {parity['n']} texts: p99 "
        f"{parity['p99']:.4f}, max {parity['largest']:.4f}, APGR moved {parity['apgr_moved']:.4f}"
        f"{_on_rows(parity)}.",
    ]
    calibration = manifest.calibration
    if calibration is not None:
        flat = f" **Flat**: {calibration.flat_reason}." if calibration.flat else ""
        lines.append(
            f"- Calibrated on {calibration.n} rows: mean q edge {calibration.edge_quality:.4f}, "
            f"cloud {calibration.cloud_quality:.4f}, best split {calibration.best_quality:.4f}."
            + flat
        )
    return "\n".join(lines) + "\n" + _candidates(facts.get("selection"))


def _left_out(split: Mapping[str, Any]) -> Iterable[str]:
    """Said only where rows were left out."""
    words = LeftOut.of(split).in_words()
    if words:
        yield f"- Left out: {words}."
    others = split.get("left_out_of_other_tables") or {}
    parts = [LeftOut.of(others).in_words()]
    known = others.get("rows_in_the_main_table", 0)
    if known:
        parts.append(f"{known:,} whose prompt the main outcomes have")
    words = "; ".join(part for part in parts if part)
    if words:
        yield f"- Left out of the outcomes used for fitting only: {words}."


def _on_rows(parity: Mapping[str, Any]) -> str:
    """Older bundles do not state it."""
    rows = parity.get("rows")
    if rows is None:
        return ""
    few = f" (few: the limit is {APGR_ROWS / rows:.2g} times wider)" if rows < APGR_ROWS else ""
    return f" on {rows} selection and fit rows{few}"


def _kept(facts: Mapping[str, Any]) -> str:
    """Said only where dynamic int8 alone did not keep the limits; older bundles do not state it."""
    kept = facts.get("kept_fp32", 0)
    return f", {kept} product{'s' if kept > 1 else ''} of them computed in fp32" if kept else ""


def _fitted(config: Mapping[str, Any]) -> str:
    start = f"- Encoder `{config['encoder']}`, "
    read = f"pooling `{config['pooling']}`, {config['max_tokens']} tokens"
    if config.get("fit", "deberta") != "deberta":
        return f"{start}frozen, with a `{config['fit']}` head, {read}."
    return (
        f"{start}heads `{config['heads']}`, {read}, {config['epochs']} epochs, learning rate "
        f"{config['learning_rate']:g}, seed {config['seed']}."
    )


def _candidates(selection: Mapping[str, Any] | None) -> str:
    if selection is None:
        return ""
    rows = []
    for item in selection["candidates"]:
        name = f"**{item['name']}**" if item["chosen"] else item["name"]
        if item["failed"] is not None:
            reason = " ".join(item["failed"].replace("|", "/").split())
            rows.append([name, "failed", "-", reason])
            continue
        paired = ""
        if item["interval"] is not None:
            low, high = item["interval"]
            paired = f"{item['minus_first']:+.4f} [{low:+.4f}, {high:+.4f}]"
        rows.append([name, f"{item['select']:.4f}", f"{item['bytes'] / 1e6:.1f}", paired])
    titles = ["fitted", "area over random", "MB", "minus the first (paired 95 %)"]
    return (
        f"\nChosen on {selection['rows']} selection rows, by the exported graphs:\n\n"
        + markdown_table(titles, rows)
    )


def _labels(labels: Mapping[str, Any], quality: Mapping[str, Any]) -> str:
    shift = f" with t* = {labels['t_star']:.4g}" if labels["kind"] == "trans" else ""
    note = f" {labels['note']}." if labels["note"] else ""
    return (
        f"- Labels `{labels['kind']}`{shift} from {_metric(quality)}: "
        f"{labels['share_one']:.1%} are 1, "
        f"{labels['share_zero']:.1%} are 0.{note}"
    )


def _metric(quality: Mapping[str, Any]) -> str:
    name, source = quality["name"], quality["source"]
    return f"quality as given in {source}" if name == AS_GIVEN else f"`{name}` ({source})"


def _results(facts: Mapping[str, Any]) -> Iterable[str]:
    split = facts["split"]
    for part, title in _PARTS.items():
        found = facts.get("report", {}).get(part)
        if found:
            heading = title.format(by=split["by"])
            yield f"## {heading}\n\n{_scores(found, split['domains'])}\n{_dials(found)}"


def _scores(found: Mapping[str, Any], domains: Mapping[str, Sequence[str]]) -> str:
    head = (
        f"{found['n']} rows{unread_in_words(found)}; mean q edge {found['edge_quality']:.4f}, "
        f"cloud {found['cloud_quality']:.4f}.\n"
    )
    if found["apgr"] is None:
        return f"{head}\nNo APGR: {found['pgr_undefined']}.\n"
    low, high = found["apgr_interval"]
    rows = [
        [
            "**this router**",
            f"{found['apgr']:.3f} [{low:.3f}, {high:.3f}]",
            _number(found["cpt50"]),
            _number(found["cpt80"]),
            "",
        ]
    ]
    for item in found.get("baselines", ()):
        low, high = item["interval"]
        rows.append(
            [
                item["name"],
                f"{item['apgr']:.3f}",
                _number(item["cpt50"]),
                _number(item["cpt80"]),
                f"{item['router_minus_this']:+.3f} [{low:+.3f}, {high:+.3f}]",
            ]
        )
    titles = ["router", "APGR", "CPT50 %", "CPT80 %", "this router minus it (paired 95 %)"]
    resampled = "domains, then rows" if any(domains.values()) else "rows"
    return f"{head}\n{markdown_table(titles, rows)}\nIntervals resample {resampled}.\n"


def unread_in_words(found: Mapping[str, Any]) -> str:
    """Said only where rows were out of scope; older bundles do not state it."""
    count = found.get("n_out_of_scope", 0)
    return f", {count} of them out of scope and counted as they are served" if count else ""


def _dials(found: Mapping[str, Any]) -> str:
    if not found["dials"]:
        return ""
    rows = [
        [
            f"{item['dial']:g}",
            "-" if item["realised"] is None else f"{item['realised']:.2f}",
            f"{item['expected_cloud_share']:.1%}",
            f"{item['cloud_share']:.1%}",
        ]
        for item in found["dials"]
    ]
    titles = ["dial asked", "dial realised", "cloud share expected", "cloud share"]
    return markdown_table(titles, rows)


def _limits(manifest: Manifest, facts: Mapping[str, Any]) -> str:
    return (
        "## Limits\n\n"
        "- Expected cost and quality hold for these two models and for traffic like the "
        "calibration rows. With other models the SDK says `calibrated: false`.\n"
        "- The dial is an average over traffic, not a grade for one answer.\n"
        f"- It has learnt from {facts['split']['rows']['fit']} queries of "
        f"{len(facts['split']['domains']['fit']) or 'unnamed'} domains. Other kinds of queries "
        "may be ordered no better than by chance.\n"
        f"- {len(manifest.training_hashes)} short prompt hashes of its fit and selection rows"
        f"{and_calibration_hashes(facts)} stand in the manifest, so that an evaluation can count "
        "what it has seen.\n"
    )


def and_calibration_hashes(facts: Mapping[str, Any]) -> str:
    """For a sentence on the hashes in a manifest; nothing where it holds none of these."""
    held = facts.get(CALIBRATION_HASHES)
    return f", and {len(held)} of its calibration rows," if held else ""


def _repeat(facts: Mapping[str, Any]) -> str:
    return f"## To repeat\n\n```\n{facts['command']}\n```\n"


def markdown_table(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [titles, ["---"] * len(titles), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f}"
