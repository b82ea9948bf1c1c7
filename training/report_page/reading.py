"""What the numbers say, in two sentences for somebody who decides about money."""

from __future__ import annotations

from typing import Any

from hybridroute.training.report_page.at_setting import AtSetting


def percent(value: float) -> str:
    """A share as text: ``61 %``, with one decimal under 10 %."""
    shown = 100.0 * value
    return with_minus(f"{shown:.1f} %" if abs(shown) < 9.95 else f"{shown:.0f} %")


def amount(value: float) -> str:
    """A quality as text: three decimals, four or two digits where those would show nothing."""
    if value == 0.0 or abs(value) >= 0.0005:
        return with_minus(f"{value:.3f}")
    if abs(value) >= 0.00005:
        return with_minus(f"{value:.4f}")
    return with_minus(f"{value:.1e}")


def with_minus(text: str) -> str:
    """A real minus sign; no sign before zero."""
    if text.startswith(("-", "+")) and not any(digit in text for digit in "123456789"):
        text = text[1:]
    return text.replace("-", "\N{MINUS SIGN}")


def reading_of(at: AtSetting, judged: dict[str, Any]) -> tuple[str, str]:
    """What the setting saves and costs; and how that compares with chance and the best there is.

    Parameters
    ----------
    at : AtSetting
    judged : dict
        As ``judge.numbers_of`` gives it.
    """
    return _saves_and_costs(at, judged), _compared(at, judged)


def _saves_and_costs(at: AtSetting, judged: dict[str, Any]) -> str:
    money = "," if at.usd_saved is None else f", which saves {percent(at.usd_saved)} of the cost,"
    head = (
        f"At {at.setting}, {percent(at.edge_share)} of these {judged['n']:,} queries are answered "
        f"on the device instead of in the cloud{money} and mean quality is "
        f"{amount(at.routed_quality)} where the cloud alone gives {amount(judged['cloud_quality'])}"
    )
    limits = f"95 % interval {amount(at.drop_low)} to {amount(at.drop_high)}"
    if at.drop_low <= 0.0 <= at.drop_high:
        return f"{head}, a drop of {amount(at.drop)} that cannot be told from none ({limits})."
    size = "" if at.relative_drop is None else f", or {percent(abs(at.relative_drop))}"
    way = "lower" if at.drop > 0.0 else "higher"
    if at.drop < 0.0:
        limits = f"95 % interval {amount(-at.drop_high)} to {amount(-at.drop_low)}"
    return f"{head}: {amount(abs(at.drop))}{size} {way} ({limits})."


def _compared(at: AtSetting, judged: dict[str, Any]) -> str:
    chance = (
        f"Choosing as many queries by chance would {_cost(at.random_drop)} and the best possible "
        f"choice would {_cost(at.oracle_drop)}"
    )
    if judged["apgr"] is None:
        best = max(judged["edge_quality"], judged["cloud_quality"])
        return (
            f"{chance}; the cloud is not clearly better than the device over these rows as a "
            f"whole, so what counts is whether routing beats the better arm alone "
            f"({amount(best)})."
        )
    if judged["cpt50"] is None:
        return f"{chance}; this router never recovers half of what the cloud adds."
    return (
        f"{chance}; to recover half of what the cloud adds, this router calls it for "
        f"{judged['cpt50']:.0f} % of the queries where chance needs about 50 %."
    )


def _cost(drop: float) -> str:
    way = "gain" if drop < 0.0 else "cost"
    return f"{way} {amount(abs(drop))} of quality"
