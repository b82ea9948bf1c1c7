"""The whole report: every section, nothing fetched, hostile names shown as text, odd tables."""

from __future__ import annotations

import base64
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from report_cases import CLOUD, EDGE, fractional_table, judged_of, table_of
from tiny_bundle import write_tiny_bundle
from tiny_encoder import tiny_bert

from hybridroute.edge_runtime.bundle import Bundle
from hybridroute.edge_runtime.errors import ConfigError
from hybridroute.edge_runtime.manifest import CalibratedArm
from hybridroute.training.calibrate import calibrate
from hybridroute.training.outcomes import OutcomeTable
from hybridroute.training.report_page import fitted_baselines
from hybridroute.training.report_page.assemble import THIS, Wanted, report_of
from hybridroute.training.report_page.contents import Report
from hybridroute.training.report_page.files import check_report_place, write_report
from hybridroute.training.report_page.page import page_of
from hybridroute.training.report_page.rendering import Drawn
from hybridroute.training.rows_seen import CALIBRATION_HASHES

SECTIONS = (
    *("summary", "drop", "routers", "gap-difference", "dial", "domains"),
    *("reliability", "labels", "metrics", "method"),
)
HOSTILE = "<script>alert('$x$')</script>&\"'"
ARMS = (CalibratedArm(name="edge", model=EDGE), CalibratedArm(name="cloud", model=CLOUD))
PNG = b"\x89PNG\r\n\x1a\n"
_FIGURES = ("drop", "gap", "labels", "shift", "reliability")


class Seen(HTMLParser):
    """Tags, ids, and everything that could be fetched."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.handlers: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        for name, value in attrs:
            if name == "id":
                self.ids.append(value or "")
            if name in ("src", "srcset", "href", "action", "data", "poster"):
                self.links.append(value or "")
            if name.startswith("on"):
                self.handlers.append(name)


def _bundle(path: Path, *, training: dict[str, Any] | None = None, **options: Any) -> Bundle:
    made = write_tiny_bundle(path, arms=ARMS, **options)
    manifest = replace(made.manifest, training=training or {})
    return Bundle.write(path, manifest, {name: made.read(name) for name in made.manifest.files})


def _without_pictures(report: Report) -> Seen:
    """The page around empty figures: drawing is what takes time."""
    return Seen(_page(report))


def _page(report: Report) -> str:
    blank = Drawn(alt="", light=PNG, dark=PNG)
    return page_of(report, dict.fromkeys(_FIGURES, blank))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report on fractional qualities of three metrics, two bundles, and hostile names."""
    base = tmp_path_factory.mktemp("report")
    table = fractional_table(60)
    table = OutcomeTable(
        rows=tuple(replace(row, domain=f"{row.domain} {HOSTILE}") for row in table.rows),
        source=HOSTILE,
    )
    first = _bundle(
        base / "a",
        training={
            "quality": {"name": "bartscore", "source": "BARTScore"},
            "labels": {"kind": "prob"},
        },
    )
    held = calibrate(
        first.scorer().score(table.texts()),
        table.mean_quality(EDGE),
        table.mean_quality(CLOUD),
        "rows",
    )
    first = _bundle(base / "a", training=first.manifest.training, calibration=held)
    second = _bundle(
        base / "b", training={"quality": {"name": HOSTILE, "source": "x"}}, seed=3, score_kind="gap"
    )
    report = report_of(first, judged_of(first, table), Wanted(against=((HOSTILE, second),)))
    check_report_place(base / "out")
    write_report(report, base / "out")
    return base / "out"


def test_the_folder_holds_page_figures_and_numbers(folder: Path) -> None:
    names = {path.name for path in folder.iterdir()}
    figures = {"drop.png", "gap-difference.png", "reliability.png", "labels.png", "t-star.png"}
    assert names == {"report.html", "report.json", *figures}
    for name in figures:
        assert (folder / name).read_bytes().startswith(PNG)


def test_rows_out_of_scope_are_the_clouds_on_every_line_and_told(tmp_path: Path) -> None:
    """Of each bundle by its own tokenizer's limit; here the other one reads everything."""
    quality = [[float(at % 4 in (1, 3))] for at in range(40)]
    prompts = [f"question {at}" if at % 4 else f"这是什么东西{at}" for at in range(40)]
    table = table_of(quality, [[1.0]] * 40, prompts=prompts)
    first = _bundle(tmp_path / "a", weights={"[UNK]": 9.0})
    second = _bundle(tmp_path / "b", weights={"[UNK]": 9.0}, unknown_token_limit=1.0)
    report = report_of(first, judged_of(first, table), Wanted(against=(("other", second),)))
    assert report.judged["n_out_of_scope"] == 10
    assert report.reliability[0].ece != report.reliability[1].ece
    assert [sum(item.n for item in held.bins) for held in report.reliability] == [30, 40]
    assert report.standings[0].apgr > report.standings[1].apgr + 0.1
    page = _page(report)
    assert "n_out_of_scope = 10" in page
    assert "Queries out of scope are left out" in page
    plain = report_of(second, judged_of(second, table), Wanted())
    assert "out of scope" not in _page(plain)


def test_every_section_is_there_and_linked(folder: Path) -> None:
    seen = Seen((folder / "report.html").read_text(encoding="utf-8"))
    assert seen.ids == list(SECTIONS)
    assert {link for link in seen.links if link.startswith("#")} == {
        f"#{name}" for name in SECTIONS[1:]
    }


def test_nothing_is_fetched_from_anywhere(folder: Path) -> None:
    text = (folder / "report.html").read_text(encoding="utf-8")
    seen = Seen(text)
    assert all(link.startswith(("#", "data:image/png;base64,")) for link in seen.links)
    assert "default-src 'none'" in text
    assert re.findall(r"https?://|@import|url\(", text) == []


def test_the_figures_inside_are_those_beside(folder: Path) -> None:
    text = (folder / "report.html").read_text(encoding="utf-8")
    inlined = {base64.b64decode(held) for held in re.findall(r'src="data:[^,]+,([^"]+)"', text)}
    assert inlined == {path.read_bytes() for path in folder.glob("*.png")}
    assert text.count("screen and (prefers-color-scheme: dark)") == 5


def test_hostile_names_are_text(folder: Path) -> None:
    text = (folder / "report.html").read_text(encoding="utf-8")
    seen = Seen(text)
    assert "script" not in seen.tags
    assert seen.handlers == []
    assert "<script" not in text
    assert text.count("&lt;script&gt;") >= 5


def test_the_numbers_are_whole_and_the_pages(folder: Path) -> None:
    held = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    assert held["n"] == 60
    assert (held["rows_without_the_pair"], held["conflicting_duplicates"]) == (0, 0)
    assert "left_out" not in held
    assert [line["name"] for line in held["lines"]] == [THIS, HOSTILE, "length", "random", "oracle"]
    assert [line["name"] for line in held["standings"]] == [line["name"] for line in held["lines"]]
    assert len(held["lines"][0]["drop"]["low"]) == len(held["cost_advantages"])
    assert [row["name"] for row in held["reliability"]] == [THIS]
    assert held["matrix"]["metrics"] == ["bartscore", "exact_match"]
    assert held["matrix"]["rows"][0]["cells"][0]["own"] is True
    assert held["labels"]["t_star"] > 0.0
    assert {row["domain"] for row in held["domains"]} == {f"chat {HOSTILE}", f"code {HOSTILE}"}
    assert [row["dial"] for row in held["judged"]["dials"]] == [0.25, 0.5, 0.75, 0.9]
    assert any("--fit-outcomes" in note for note in held["notes"])
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert f"{held['judged']['apgr']:.3f}" in page
    assert f"n = {held['n']}" in page


def test_a_score_that_is_no_probability_says_so(tmp_path: Path) -> None:
    bundle = _bundle(tmp_path / "b", score_kind="gap")
    report = report_of(bundle, judged_of(bundle, fractional_table(12)), Wanted())
    assert report.reliability == ()
    blank = Drawn(alt="", light=PNG, dark=PNG)
    text = page_of(report, dict.fromkeys(("drop", "gap", "labels", "shift"), blank))
    assert "No diagram" in text
    assert "claims no probability" in text
    assert "add others with" in text


@pytest.mark.parametrize(
    ("edge", "cloud"),
    [
        pytest.param([[1.0]] * 8, [[0.0]] * 8, id="the edge is better"),
        pytest.param([[0.5], [1.0]] * 4, [[1.0], [0.5]] * 4, id="level"),
        pytest.param([[1.0]] * 8, [[1.0]] * 8, id="never different"),
        pytest.param([[0.0], [1.0], [0.0]], [[1.0], [1.0], [1.0]], id="three rows"),
        pytest.param([[0.25]], [[0.5]], id="one row"),
        pytest.param([[-1e-6]] * 9, [[1e-6]] * 9, id="around zero"),
    ],
)
def test_odd_tables_have_a_page_too(
    tmp_path: Path, edge: list[list[float]], cloud: list[list[float]]
) -> None:
    """No domain anywhere, and pairs that have no PGR."""
    bundle = _bundle(tmp_path / "b")
    report = report_of(bundle, judged_of(bundle, table_of(edge, cloud)), Wanted())
    assert json.loads(json.dumps(report.to_dict(), allow_nan=False))["n"] == len(edge)
    assert len(report.domains) == 1
    seen = _without_pictures(report)
    assert seen.ids == list(SECTIONS)


def test_three_rows_are_drawn(tmp_path: Path) -> None:
    bundle = _bundle(tmp_path / "b")
    table = table_of([[0.0], [1.0], [0.0]], [[1.0], [1.0], [1.0]])
    page = write_report(report_of(bundle, judged_of(bundle, table), Wanted()), tmp_path)
    text = page.read_text(encoding="utf-8")
    assert "trans equals prob here" in text
    assert "takes two values only" in text


def test_rows_that_were_seen_are_left_out(tmp_path: Path) -> None:
    table = fractional_table(30)
    hashes = table.prompt_hashes()
    bundle = _bundle(tmp_path / "a", training_hashes=hashes[:10])
    other = _bundle(tmp_path / "b", training_hashes=hashes[5:15])
    report = report_of(bundle, judged_of(bundle, table), Wanted(against=(("other", other),)))
    assert (report.n, report.n_seen_in_training, report.judged_on_seen) == (15, 15, False)
    assert report.judged["n"] == 15


def test_the_baselines_learn_from_what_the_router_learnt_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No row that is judged, and no row that another bundle alone has seen."""
    monkeypatch.setattr(fitted_baselines, "ENCODER", str(tiny_bert(tmp_path / "encoder")))
    table = fractional_table(60)
    hashes = table.prompt_hashes()
    bundle = _bundle(tmp_path / "a", training_hashes=hashes[:25])
    other = _bundle(tmp_path / "b", training_hashes=hashes[20:30], seed=3)
    report = report_of(bundle, judged_of(bundle, table), Wanted(against=(("det", other),)))
    names = [line.name for line in report.lines]
    assert names == [THIS, "det", "kNN, k = 5", "length", "random", "oracle"]
    assert report.n == 30
    said = "The baselines learn from the 25 rows this router was fitted or selected on"
    assert report.notes == (said,)
    fit = table.select(range(25))
    given = report_of(bundle, judged_of(bundle, table), Wanted(against=(("det", other),), fit=fit))
    assert given.lines[2] == report.lines[2]
    assert given.notes == (
        "The baselines learn from 25 rows given for it, none of them judged here",
    )


def test_a_router_of_the_same_scores_is_named(tmp_path: Path) -> None:
    """Its line lies on the judged one's."""
    first, twin = _bundle(tmp_path / "a"), _bundle(tmp_path / "b")
    other = _bundle(tmp_path / "c", seed=3)
    wanted = Wanted(against=(("twin", twin), ("other", other)))
    notes = report_of(first, judged_of(first, fractional_table(20)), wanted).notes
    said = [note for note in notes if "same scores" in note]
    assert said == ["twin gives these rows the same scores as this router"]


def test_rows_that_set_the_dial_are_named(tmp_path: Path) -> None:
    table = fractional_table(60)
    bundle = _bundle(tmp_path / "a")
    qualities = table.mean_quality(EDGE), table.mean_quality(CLOUD)
    held = calibrate(bundle.scorer().score(table.texts()), *qualities, "rows")
    facts = {CALIBRATION_HASHES: table.prompt_hashes()[:4]}
    bundle = _bundle(tmp_path / "a", training=facts, calibration=held)
    report = report_of(bundle, judged_of(bundle, table), Wanted())
    assert report.n_seen_in_calibration == 4
    blank = Drawn(alt="", light=PNG, dark=PNG)
    names = ("drop", "gap", "labels", "shift", "reliability")
    assert "for which 4 of these rows were used" in page_of(report, dict.fromkeys(names, blank))


def test_where_all_were_seen_the_page_warns(tmp_path: Path) -> None:
    table = fractional_table(10)
    bundle = _bundle(tmp_path / "a", training_hashes=table.prompt_hashes())
    report = report_of(bundle, judged_of(bundle, table), Wanted())
    assert (report.n, report.n_seen_in_training, report.judged_on_seen) == (10, 10, True)
    blank = Drawn(alt="", light=PNG, dark=PNG)
    names = ("drop", "gap", "labels", "shift", "reliability")
    assert "seen in training.</strong>" in page_of(report, dict.fromkeys(names, blank))


def test_the_router_is_judged_as_it_is_by_evaluate(tmp_path: Path) -> None:
    table = fractional_table(40)
    bundle = _bundle(tmp_path / "a")
    report = report_of(bundle, judged_of(bundle, table), Wanted())
    this = report.standings[0]
    assert this.apgr == report.judged["apgr"]
    assert this.area == report.judged["area_over_random"]
    at_40 = report.lines[0].drop.middle[report.cost_advantages.index(0.4)]
    assert np.isclose(at_40, report.judged["drops"][2]["absolute"])


@pytest.mark.parametrize("name", [THIS, "random", "oracle", "length", "kNN 2"])
def test_the_reports_own_names_are_taken(tmp_path: Path, name: str) -> None:
    bundle = _bundle(tmp_path / "a")
    with pytest.raises(ConfigError, match="that name is taken"):
        Wanted(against=((name, bundle),))


def test_a_name_given_twice_is_refused(tmp_path: Path) -> None:
    bundle = _bundle(tmp_path / "a")
    with pytest.raises(ConfigError, match="give another one"):
        Wanted(against=(("det", bundle), ("det", bundle)))


def test_a_place_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("x", encoding="utf-8")
    with pytest.raises(ConfigError, match="no folder can be made"):
        check_report_place(tmp_path / "taken")
