"""Which options of ``hybridroute train`` go together: what would be ignored is wrong usage."""

from __future__ import annotations

from collections.abc import Mapping

import typer

from hybridroute.training.wrong_usage import wrong_usage


def check_usage(
    estimator: str | None, of_pairs: Mapping[str, object], of_pools: Mapping[str, object]
) -> None:
    """Refuse options that the other kind of training has, a pair without its arms, and a name that
    no estimator has.

    Parameters
    ----------
    of_pairs : mapping of str to object
        What the options of two arms were given, by the option as it is typed; false where nothing,
        or what they are anyway. ``--edge`` and ``--cloud`` among them.
    of_pools : mapping of str to object
        The same of those that go with ``--estimator``.

    Raises
    ------
    typer.BadParameter
        Names the option and the way out.
    """
    if estimator is None:
        _refuse(of_pools, "it is for a pool; give --estimator too, or leave it out")
        if not (of_pairs["--edge"] and of_pairs["--cloud"]):
            raise typer.BadParameter("give both, or --estimator", param_hint="--edge and --cloud")
        return
    _refuse(of_pairs, "it is for two arms; leave it out with --estimator")
    from hybridroute.training.pool.registry import check_names

    with wrong_usage("--estimator"):
        check_names([estimator])


def _refuse(given: Mapping[str, object], why: str) -> None:
    for name, value in given.items():
        if value:
            raise typer.BadParameter(why, param_hint=name)


def seeds_of(text: str) -> tuple[int, ...]:
    """``1,2,3`` as numbers; wrong usage where they are none."""
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError as exc:
        raise typer.BadParameter(
            f"{text!r} is not whole numbers with commas", param_hint="--seeds"
        ) from exc
