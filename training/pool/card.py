"""The README.md of a pool's bundle, written from the run's own numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hybridroute.edge_runtime.manifest import Manifest
from hybridroute.edge_runtime.pool import Pool
from hybridroute.training.card_front import front_matter
from hybridroute.training.model_card import and_calibration_hashes, markdown_table, unread_in_words

_KINDS = {
    "quality": "an estimate of the mean quality, which can be weighed against a cost",
    "margin": "log-odds: the differences of two arms' estimates mean something",
    "ordinal": "ordinal: only which arm has the largest means anything",
}


def pool_card(manifest: Manifest, files: Mapping[str, bytes]) -> str:
    """The model card as Markdown."""
    pool, facts = manifest.pool, manifest.training
    assert pool is not None  # noqa: S101 (narrows the type: this is a pool's card)
    size = sum(len(data) for data in files.values()) / 1e6
    parts = [
        f"{front_matter(manifest, form='onnx')}# {manifest.name}\n",
        _what(manifest, pool, size),
        _arms(pool),
        _how_made(manifest, pool, facts),
        _results(facts["report"]["test"]) if "report" in facts else "",
        _limits(manifest, facts),
        f"## To repeat\n\n```\n{facts['command']}\n```\n",
    ]
    return "\n".join(part for part in parts if part)


def _what(manifest: Manifest, pool: Pool, size: float) -> str:
    return (
        f"A router for hybridroute: it reads a query and says of each of {len(pool.arms)} arms, "
        "before any is called, how well it will answer.\n\n"
        f"- Estimates: `{manifest.score_kind}`, {_KINDS[manifest.score_kind]}.\n"
        f"- Estimator: `{pool.estimator}`.\n"
        f"- Input: the user's turns (`{manifest.text_rule}`), the last {manifest.max_tokens} "
        f"tokens.\n- Size: {size:.1f} MB.\n"
        f"- Out of scope: a query with more than {manifest.unknown_token_limit:.0%} unknown "
        "tokens. It goes to the best single arm.\n"
    )


def _arms(pool: Pool) -> str:
    rows = []
    for arm in pool.arms:
        slope = 1000.0 * arm.usd_per_character
        costs = [f"{arm.base_usd:.3g}", f"{slope:.3g}"]
        rows.append([arm.name, arm.model, f"{arm.quality:.4f}", *costs])
    titles = ["arm", "model", "mean q", "USD a query", "and USD per 1000 characters"]
    return "## Arms, the cheapest first\n\n" + markdown_table(titles, rows)


def _how_made(manifest: Manifest, pool: Pool, facts: Mapping[str, Any]) -> str:
    split, parity = facts["split"], facts["parity"]
    rows = ", ".join(f"{name} {count}" for name, count in split["rows"].items())
    flat = f" **Flat**: {pool.flat_reason}." if pool.flat else ""
    lines = [
        "## How it was made\n",
        *(f"- Data: {source}" for source in facts["sources"] or [facts["data"]]),
        f"- Split by {split['by']} hash, seed {split['seed']}: {rows}; "
        f"{split['duplicates']} duplicate prompts merged, {split['conflicting_duplicates']} of "
        "them with other qualities.",
        f"- Encoder `{facts['config']['encoder']}`, {manifest.max_tokens} tokens, in int8; fitted "
        f"in {facts['fit_s']:.1f} s.",
        f"- Against the fit, the exported router's estimates on {parity['n']} rows: p99 "
        f"{parity['p99']:.2g}, max {parity['largest']:.2g}.",
        f"- Costs: {facts['costs']}.",
        f"- Calibrated on {pool.n} rows; the best single arm is `{pool.best_single}`.{flat}",
    ]
    return "\n".join(lines) + "\n"


def _results(found: Mapping[str, Any]) -> str:
    effective = found["effective_p"]
    rows = [
        [
            "this router, cost unweighed",
            _interval(found["routed"]),
            f"{found['routed_usd']:.3g}",
        ],
        *(
            [f"this router, dial {item['dial']:g}", _interval(item), f"{item['usd']:.3g}"]
            for item in found["dials"]
        ),
        [f"best single arm, {found['best_single']}", f"{found['best_single_quality']:.4f}", ""],
        ["random", f"{found['random']:.4f}", ""],
        ["oracle", f"{found['oracle']:.4f}", ""],
    ]
    titles = ["choice", "mean q (95 %)", "expected USD a query"]
    held = "none: all arms are level" if effective is None else f"{effective:.3f}"
    return (
        f"## Test rows\n\n{found['n']} rows{unread_in_words(found)}.\n\n"
        f"{markdown_table(titles, rows)}\n"
        "Effective p, (routed - random) / (oracle - random), cost unweighed: " + held + ".\n"
    )


def _interval(found: Mapping[str, float]) -> str:
    return f"{found['quality']:.4f} [{found['low']:.4f}, {found['high']:.4f}]"


def _limits(manifest: Manifest, facts: Mapping[str, Any]) -> str:
    return (
        "## Limits\n\n"
        "- Expected cost and quality hold for these models and for traffic like the calibration "
        "rows. With other models the SDK says `calibrated: false`.\n"
        "- The dial is an average over traffic, not a grade for one answer.\n"
        f"- It has learnt from {facts['split']['rows']['fit']} queries. Other kinds of queries may "
        "be ordered no better than by chance.\n"
        f"- {len(manifest.training_hashes)} short prompt hashes of its fitted rows"
        f"{and_calibration_hashes(facts)} stand in the manifest, so that an evaluation can count "
        "what it has seen.\n"
    )
