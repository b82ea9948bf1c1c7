"""Every estimator on three sets of records, by one protocol: the tables of docs/peers.md.

``python -m benchmarks.peers --data DIR``, where DIR holds ``routerdc``, ``routerbench`` and
``routellm/mmlu``. The states of the frozen encoder are kept between runs. ``--also deberta`` adds
the fine-tuned estimator, whose fits take minutes each.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hybridroute.training.fit_config import FitConfig
from hybridroute.training.judging.all_runs import Plan
from hybridroute.training.judging.comparison import Comparison
from hybridroute.training.judging.comparison_row import ComparisonRow
from hybridroute.training.judging.contenders import NAMES, contenders_of
from hybridroute.training.judging.contest import contest
from hybridroute.training.judging.embedded import embedded
from hybridroute.training.judging.folds import HeldOut
from hybridroute.training.judging.paired import Average
from hybridroute.training.judging.reading import from_outcomes
from hybridroute.training.judging.records import records_of
from hybridroute.training.readers import read_outcomes
from hybridroute.training.torch_setup import chosen_precision

MAX_TOKENS = 128


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One table: its heading, where its records are, and how they are judged."""

    heading: str
    folder: str
    held_out: HeldOut
    average: Average = "rows"
    duplicates: bool = False


SETTINGS = (
    Setting(
        heading="RouterDC's records: its train files to its test files",
        folder="routerdc",
        held_out="given",
        average="domains",
        duplicates=True,
    ),
    Setting(
        heading="RouterBench's records: new prompts of known tasks",
        folder="routerbench",
        held_out="prompts",
    ),
    Setting(
        heading="RouterBench's records: a task never seen",
        folder="routerbench",
        held_out="domains",
    ),
    Setting(
        heading="RouteLLM's MMLU records: new prompts of known subjects",
        folder="routellm/mmlu",
        held_out="prompts",
    ),
    Setting(
        heading="RouteLLM's MMLU records: subjects never seen",
        folder="routellm/mmlu",
        held_out="domains",
    ),
)


def judged(setting: Setting, data: Path, *, seeds: int, names: Sequence[str] = NAMES) -> Comparison:
    """Read, embed and compare; each step is told on stderr."""
    given = from_outcomes(read_outcomes([data / setting.folder]), None, None)
    records = records_of(given.train, given.test, keep_duplicates=setting.duplicates)
    queries, timer, scope = embedded(records.table.texts, encoder="minilm", max_tokens=MAX_TOKENS)
    plan = Plan(
        held_out=setting.held_out, seeds=seeds, average=setting.average, timer=timer, scope=scope
    )
    tuning = FitConfig(max_tokens=MAX_TOKENS, epochs=2, precision=chosen_precision("auto"))
    contenders = contenders_of(names, fine_tuning=tuning)
    return contest(records, queries, contenders, plan, on_step=_told).found


def _told(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)


def table_of(found: Comparison) -> str:
    """The comparison in Markdown, published figures in a column of their own."""
    two, cost = found.estimators[0].two_arms is not None, found.protocol.cost_range is not None
    served = found.shows_served
    titles = ["router", "quality [95 %]", *(["as served"] if served else [])]
    titles += ["eff. p", "minus best single [95 %]"]
    titles += ["APGR [95 %]", "CPT50 / 80"] if two else []
    titles += ["$ / 1,000", "AIQ", "AIQ minus Zero's [95 %]", "CPT50 / 80"] if cost else []
    titles += ["E_p", "fit s", "route ms p50 / p95"]
    lines = [_line(titles), _line(["---"] * len(titles))]
    for entry in (*found.estimators, *found.baselines):
        cells = [entry.name, _with_interval(entry.quality, entry.ci95)]
        cells += [_number(entry.served_quality)] if served else []
        cells.append(_number(entry.effective_p))
        lead = entry.over_best_single
        cells.append("" if lead is None else _with_interval(lead.difference, lead.ci95, sign=True))
        cells += _two_arms(entry) if two else []
        cells += _money(entry) if cost else []
        cells += [f"{entry.e_p:.2f}", _number(entry.fit_s, 2), _milliseconds(entry)]
        lines.append(_line(cells))
    return "\n".join(lines)


def domains_of(found: Comparison) -> str:
    """Mean quality in each domain, in percent, where there are few."""
    names = sorted(found.estimators[0].by_domain)
    titles = ["router", *names, "mean"]
    lines = [_line(titles), _line(["---"] * len(titles))]
    for entry in (*found.estimators, *found.baselines):
        held = [entry.by_domain[name] for name in names]
        shown = [f"{100 * value:.2f}" for value in (*held, sum(held) / len(held))]
        lines.append(_line([entry.name, *shown]))
    return "\n".join(lines)


def published_of(found: Comparison) -> str:
    """What papers print, in a table of its own: of other runs, not to be ranked with these."""
    lines = [_line(["published", "figures", "source"]), _line(["---"] * 3)]
    for one in found.published:
        held = [f"{name} {100 * value:.2f}" for name, value in (one.by_domain or {}).items()]
        held += [f"APGR {one.apgr:.3f}, CPT {one.cpt50} / {one.cpt80}"] if one.apgr else []
        lines.append(_line([one.router, ", ".join(held), one.source]))
    return "\n".join(lines)


def _two_arms(entry: ComparisonRow) -> list[str]:
    held = entry.two_arms
    if held is None:
        return ["", ""]
    interval = "" if held.apgr is None else _with_interval(held.apgr, held.apgr_ci95)
    return [interval, f"{_number(held.cpt50, 1)} / {_number(held.cpt80, 1)}"]


def _money(entry: ComparisonRow) -> list[str]:
    held = entry.savings
    cost = "" if entry.cost is None else f"{1000 * entry.cost:.3g}"
    if held is None:
        return [cost, "", "", ""]
    lead = entry.aiq_over_zero
    over = "" if lead is None else _with_interval(lead.difference, lead.ci95, sign=True)
    return [cost, _number(held.aiq), over, f"{_number(held.cpt50, 1)} / {_number(held.cpt80, 1)}"]


def _milliseconds(entry: ComparisonRow) -> str:
    if entry.route_ms is None:
        return ""
    return f"{entry.route_ms:.1f} / {_number(entry.route_ms_p95, 1)}"


def _with_interval(
    value: float, interval: tuple[float, float] | None, *, sign: bool = False
) -> str:
    form = "+.3f" if sign else ".3f"
    if interval is None:
        return f"{value:{form}}"
    return f"{value:{form}} [{interval[0]:{form}}, {interval[1]:{form}}]"


def _number(value: float | None, places: int = 3) -> str:
    return "" if value is None else f"{value:.{places}f}"


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.peers", description=__doc__)
    parser.add_argument("--data", type=Path, default=os.environ.get("HYBRIDROUTE_DATA"))
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--only", default="", help="headings that hold this text")
    parser.add_argument("--also", action="append", default=[], help="an estimator; repeat")
    given = parser.parse_args()
    if given.data is None:
        parser.error("give --data DIR, or set HYBRIDROUTE_DATA")
    for setting in SETTINGS:
        if given.only not in setting.heading:
            continue
        started = time.perf_counter()
        found = judged(setting, Path(given.data), seeds=given.seeds, names=(*NAMES, *given.also))
        taken = time.perf_counter() - started
        held = found.protocol
        print(f"\n### {setting.heading}\n")
        print(
            f"{held.judged_rows:,} queries judged, {held.runs} runs, {held.train_rows:,} to train "
            f"on, {len(found.arms)} arms; winner on select rows: {found.winner}; {taken:.0f} s.\n"
        )
        print(table_of(found))
        if held.scope_in_words:
            print(f"\n{held.scope_in_words}")
        if len(found.estimators[0].by_domain) <= 5:
            print(f"\n{domains_of(found)}")
        if found.published:
            print(f"\n{published_of(found)}")
        for note in held.notes:
            print(f"\n{note}")


if __name__ == "__main__":
    main()
