"""All that the report says, as numbers and text, before any of it is drawn."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hybridroute.edge_runtime.chat import plain
from hybridroute.training.left_out import LeftOut
from hybridroute.training.report_page.areas import Standing
from hybridroute.training.report_page.at_setting import AtSetting, DomainRow
from hybridroute.training.report_page.label_shift import LabelShift
from hybridroute.training.report_page.metric_matrix import Matrix
from hybridroute.training.report_page.reliability import Reliability
from hybridroute.training.report_page.series import Line


@dataclass(frozen=True, slots=True, kw_only=True)
class BundleFacts:
    """What a bundle states of itself.

    ``labels`` is the kind it was fitted to, ``labelled_with`` the quality function they were made
    from, ``training_rows`` the prompts it was fitted or selected on; None where it does not say.
    """

    name: str
    title: str
    path: str
    score_kind: str
    created: str
    labels: str | None
    labelled_with: str | None
    training_rows: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The whole report.

    Parameters
    ----------
    bundles : tuple of BundleFacts
        The judged one first.
    n : int
        Rows judged.
    n_seen_in_training : int
        Rows that some bundle here was fitted or selected on. They are left out, unless that leaves
        none: ``judged_on_seen`` then says so.
    n_seen_in_calibration : int or None
        Judged rows that set the judged bundle's dial; None where it does not store them.
    left_out : LeftOut
        Rows that were not judged for another reason.
    judged : mapping
        The judged bundle's numbers, as ``judge.numbers_of`` gives them.
    lines : tuple of Line
        One a router, at ``cost_advantages``.
    standings : tuple of Standing
        In the order of ``lines``.
    relative_refused : str or None
        Why drops have no relative form here.
    """

    hybridroute_version: str
    made: str
    edge: str
    cloud: str
    bundles: tuple[BundleFacts, ...]
    source: str
    n: int
    n_seen_in_training: int
    n_seen_in_calibration: int | None
    judged_on_seen: bool
    left_out: LeftOut
    resamples: int
    resampled: str
    reading: tuple[str, str]
    judged: Mapping[str, Any]
    at_setting: AtSetting
    cost_advantages: tuple[float, ...]
    relative_refused: str | None
    lines: tuple[Line, ...]
    standings: tuple[Standing, ...]
    reliability: tuple[Reliability, ...]
    labels: LabelShift
    domains: tuple[DomainRow, ...]
    matrix: Matrix | None
    notes: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """The JSON object of report.json; every number finite or null."""
        held: dict[str, Any] = plain(self)
        held.update(held.pop("left_out"))
        return held
