"""The tables that ``hybridroute label`` prints at its end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hybridroute.cli.output import console

if TYPE_CHECKING:
    from rich.console import Console

_CURVE_POINTS = 12


def show_labelled(found: dict[str, Any]) -> None:
    """Print what `hybridroute label` found, for a person."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    shown = console()
    names = ", ".join(one["name"] for one in found["qualities"])
    shown.print(
        f"{found['prompts']} prompts labelled by {names}: {found['out']}",
        markup=False,
        soft_wrap=True,
    )
    arms = Table("arm", "prompts", "responses", "blank", "errors", box=SIMPLE_HEAD)
    for arm, count in found["arms"].items():
        keys = ("prompts", "responses", "blank", "errors")
        arms.add_row(arm, *(str(count[key]) for key in keys))
    shown.print(arms)
    if found["pair"] is not None:
        _show_pair(shown, found["pair"])


def _show_pair(shown: Console, pair: dict[str, Any]) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    title = f"labels of {pair['n']} prompts: edge {pair['edge']}, cloud {pair['cloud']}"
    labels = Table("label", "at 0", "at 1", "Gini difference", title=title, box=SIMPLE_HEAD)
    for kind in ("prob", "trans"):
        held = pair[kind]
        name = kind if held["t_star"] is None else f"{kind}, t* = {held['t_star']:.4g}"
        labels.add_row(
            name,
            f"{held['share_zero']:.1%}",
            f"{held['share_one']:.1%}",
            f"{held['gini_after']:.4f}",
        )
    shown.print(labels)
    curve = Table("t", "Gini difference", title="the search for t*", box=SIMPLE_HEAD)
    for t, gini in _thinned(pair["trans"]["curve"], pair["trans"]["t_star"]):
        mark = "  <- t*" if t == pair["trans"]["t_star"] else ""
        curve.add_row(f"{t:.4g}", f"{gini:.4f}{mark}")
    shown.print(curve)
    head = ("domain", "n", "q edge", "q cloud", "edge wins", "tie", "cloud wins")
    domains = Table(*head, title="which arm wins where", box=SIMPLE_HEAD)
    for row in pair["domains"]:
        domains.add_row(
            row["domain"],
            str(row["n"]),
            f"{row['edge_quality']:.4g}",
            f"{row['cloud_quality']:.4g}",
            *(f"{row[key]:.1%}" for key in ("edge_wins", "ties", "cloud_wins")),
        )
    shown.print(domains)


def _thinned(curve: list[list[float]], t_star: float) -> list[list[float]]:
    """About a dozen points, evenly by rank, t* among them."""
    last = len(curve) - 1
    places = {round(last * step / (_CURVE_POINTS - 1)) for step in range(_CURVE_POINTS)}
    places |= {place for place, point in enumerate(curve) if point[0] == t_star}
    return [curve[place] for place in sorted(places)]
