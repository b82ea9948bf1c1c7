"""What ``hybridroute calibrate`` says of labelled outcomes, as JSON or to a person."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hybridroute.cli.output import console, print_json, say
from hybridroute.edge_runtime.chat import plain

if TYPE_CHECKING:
    from hybridroute.edge_runtime.manifest import Manifest
    from hybridroute.edge_runtime.promises import Promises
    from hybridroute.training.probability_fit import Chosen
    from hybridroute.training.promise.fit import Fitted
    from hybridroute.training.promise.outcomes import Limit, QualityRange, UnsupportedError


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibrated:
    """What a calibration came to.

    Parameters
    ----------
    counts : mapping of str to int
        Rows used (``n``), and left out by cause.
    fitted : Fitted or None
        Of the limit that was asked for.
    chosen : Chosen or None
        Of the maps of scores, where one was asked for.
    """

    edge: str
    cloud: str
    counts: Mapping[str, int]
    fitted: Fitted | None = None
    chosen: Chosen | None = None

    @property
    def n(self) -> int:
        """Rows used."""
        return self.counts["n"]

    def to_dict(self) -> dict[str, Any]:
        """A JSON object."""
        held = {} if self.fitted is None else self.fitted.to_dict()
        if self.chosen is not None:
            found = self.chosen.map
            held["probability_map"] = {
                "kind": "none" if found is None else found.kind,
                "cross_validated_brier": self.chosen.errors,
                "measured": plain(self.chosen.measured),
            }
        return {**held, **self.counts}


def say_infeasible(done: Calibrated, *, json: bool) -> None:
    """The outcomes do not support the limit: how many would."""
    fitted = done.fitted
    if fitted is None:
        return
    if json:
        print_json(done.to_dict())
    more = (
        "no threshold's drop is under the limit, so more outcomes would not help"
        if fitted.needed_n is None
        else f"about {fitted.needed_n} would, if they are like these"
    )
    say(
        f"hybridroute: {done.n} outcomes do not support a drop of at most "
        f"{fitted.limit.max_drop:g} ({fitted.limit.kind}) with {fitted.limit.confidence:g} "
        f"confidence: {more}. No bundle was written"
    )


@contextmanager
def refusals(limit: Limit | None, quality_range: QualityRange, *, json: bool) -> Iterator[None]:
    """With ``json``, outcomes that cannot carry a promise are a document besides the error."""
    from hybridroute.training.promise.outcomes import UnsupportedError

    try:
        yield
    except UnsupportedError as exc:
        if json:
            _print_unsupported(exc, limit, quality_range)
        raise


def _print_unsupported(
    refused: UnsupportedError, limit: Limit | None, quality_range: QualityRange
) -> None:
    from hybridroute.training.promise.fit import fewest_rows

    # One row says nothing of the models: the least that the limit alone takes.
    few = None if limit is None or refused.n > 1 else fewest_rows(limit, quality_range)
    print_json(
        {
            **({} if limit is None else plain(limit)),
            "feasible": False,
            "n": refused.n,
            "needed_n": few,
            "reason": str(refused),
        }
    )


def show(done: Calibrated, manifest: Manifest, out: Path, *, json: bool) -> None:
    """What was written."""
    promises = manifest.promises
    if json:
        names = {"bundle": str(out), "edge": done.edge, "cloud": done.cloud}
        kept = [] if promises is None else plain(promises.kept)
        print_json({**done.to_dict(), **names, "promises": kept})
        return
    shown = console()
    if promises is not None:
        _show_promises(promises)
    for line in (*_of_limit(done.fitted), *_of_map(done.chosen), *_of_rows(done)):
        shown.print(line, markup=False)
    shown.print(
        f"Measured on {done.n} outcomes. The new bundle is in {out}; it holds for these two "
        "models and for queries like these (docs/promise.md).",
        markup=False,
    )


def _show_promises(promises: Promises) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    table = Table("at most", "confidence", "stay on the edge", "measured drop", box=SIMPLE_HEAD)
    for one in promises.kept:
        share = f"{one.cost_advantage:.1%}" if one.feasible else "infeasible"
        needed = "" if one.feasible or one.needed_n is None else f", needs {one.needed_n}"
        table.add_row(
            f"{one.max_drop:g} {one.kind}",
            f"{one.confidence:g}",
            share + needed,
            f"{one.drop:.4f}",
        )
    console().print(table)


def _of_limit(fitted: Fitted | None) -> list[str]:
    if fitted is None:
        return []
    lines = [
        f"A drop of at most {fitted.limit.max_drop:g} ({fitted.limit.kind}) with "
        f"{fitted.limit.confidence:g} confidence: {fitted.cost_advantage:.1%} of the queries "
        f"stay on the edge (threshold {fitted.threshold:.3f})."
    ]
    return lines if fitted.note is None else [*lines, f"Note: {fitted.note}."]


def _of_map(chosen: Chosen | None) -> list[str]:
    if chosen is None:
        return []
    held = chosen.measured
    if chosen.map is None:
        there = (
            "" if held is None else f" (ECE {held.ece_before:.3f}, Brier {held.brier_before:.4f})"
        )
        return [f"No map makes the scores better probabilities on these rows; they stay{there}."]
    measured = (
        ""
        if held is None
        else f": on {held.n} other rows ECE {held.ece_before:.3f} -> {held.ece_after:.3f}, Brier "
        f"{held.brier_before:.4f} -> {held.brier_after:.4f}"
    )
    return [f"Scores are mapped to probabilities by {chosen.map.kind}{measured}."]


def _of_rows(done: Calibrated) -> list[str]:
    seen = done.counts.get("n_seen_in_training", 0)
    return [f"{seen} rows were seen in training and left out."] if seen else []
