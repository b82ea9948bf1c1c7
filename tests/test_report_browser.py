"""The report's page in a real browser: whole, alone, named, and no wider than a phone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from browser import opened_browser
from report_cases import CLOUD, EDGE, fractional_table, judged_of
from tiny_bundle import write_tiny_bundle

from hybridroute.edge_runtime.manifest import CalibratedArm
from hybridroute.training.report_page.assemble import Wanted, report_of
from hybridroute.training.report_page.files import check_report_place, write_report

FIGURES = 5
LONG = "a-router-with-a-name-that-does-not-end-" * 3


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with opened_browser() as opened:
        yield opened


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A report of every section: several metrics and domains, other bundles, a long name."""
    base = tmp_path_factory.mktemp("report")
    arms = (CalibratedArm(name="edge", model=EDGE), CalibratedArm(name="cloud", model=CLOUD))
    held = [write_tiny_bundle(base / str(seed), arms=arms, seed=seed) for seed in range(1, 4)]
    against = (("det", held[1]), (LONG, held[2]))
    report = report_of(held[0], judged_of(held[0], fractional_table(60)), Wanted(against=against))
    check_report_place(base / "out")
    return write_report(report, base / "out").resolve().as_uri()


@pytest.fixture
def page(browser: Any, address: str) -> Iterator[Any]:
    """The page at a phone's width; a request, a script's error or a complaint fails the test."""
    context = browser.new_context(viewport={"width": 360, "height": 800})
    opened = context.new_page()
    complaints: list[str] = []
    asked: list[str] = []
    opened.on("console", lambda said: complaints.append(said.text))
    opened.on("pageerror", lambda error: complaints.append(str(error)))
    opened.on("request", lambda request: asked.append(request.url))
    opened.goto(address)
    yield opened
    assert complaints == []
    assert [url for url in asked if url != address and not url.startswith("data:")] == []
    context.close()


def test_every_figure_is_drawn_and_says_what_it_shows(page: Any) -> None:
    figures = page.evaluate(
        "[...document.images].map((e) => [e.alt, e.complete && e.naturalWidth > 100])"
    )
    assert len(figures) == FIGURES
    assert all(drawn and len(alt.split()) > 3 for alt, drawn in figures)
    assert len({alt for alt, _ in figures}) == FIGURES


@pytest.mark.parametrize("width", [320, 360, 1280])
def test_it_fits(page: Any, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.click("details > summary")
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_dark_paper_has_its_own_figures(page: Any) -> None:
    sources = "[...document.images].map((e) => e.currentSrc)"
    light = page.evaluate(sources)
    page.emulate_media(color_scheme="dark")
    page.wait_for_function(f"(light) => {sources}.every((e, at) => e !== light[at])", arg=light)


def test_every_link_leads_to_a_section_of_the_page(page: Any) -> None:
    lost = page.evaluate(
        """() => [...document.links].map((e) => e.getAttribute('href'))
        .filter((to) => !to.startsWith('#') || !document.querySelector(to))"""
    )
    assert lost == []
    assert page.title()
