"""The page in a real browser: ask, see the arm, turn the dial, see the split change."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from browser import opened_browser
from sdk_fakes import EDGE_MODEL, FakeScorer, answer, bundle, cloud_arm, edge_arm
from serve_process import reloaded, served_in
from server_run import ServerRun, serving
from tiny_bundle import write_tiny_bundle

from hybridroute.controller import ControllerSettings
from hybridroute.controller_targets import Share
from hybridroute.edge_runtime.promises import PromiseRow, Promises

NASTY = "<img src=x onerror=\"document.title='hacked'\"><b>bold</b>"


class LastTurn(FakeScorer):
    """Judges the newest turn alone, so that one conversation can be split."""

    def assess(self, text: str) -> Any:
        return super().assess(text.rpartition("\n")[2])


class Talker(type(edge_arm())):
    """Says the same in every answer."""

    def stream(self, request: Any) -> Any:
        self.script = answer(f"{self.name} says ", NASTY)
        return super().stream(request)


@pytest.fixture(scope="module")
def server() -> Iterator[ServerRun]:
    arms = {
        made.name: Talker(made.name, made.model, made.place) for made in (edge_arm(), cloud_arm())
    }
    with ServerRun(serving(bundle=bundle(LastTurn()), **arms)) as running:
        yield running


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with opened_browser() as opened:
        yield opened


@pytest.fixture
def page(browser: Any, server: ServerRun) -> Iterator[Any]:
    """The page at a phone's width; a script's error, or a breach of the policy, fails the test."""
    server.put("/v1/hybridroute/dial", {"dial": 0.5})
    context = browser.new_context(viewport={"width": 390, "height": 800})
    opened = context.new_page()
    complaints: list[str] = []
    opened.on("console", lambda said: complaints.append(said.text))
    opened.on("pageerror", lambda error: complaints.append(str(error)))
    asked: list[str] = []
    opened.on("request", lambda request: asked.append(request.url))
    opened.goto(server.url)
    opened.wait_for_selector("#dial:not([disabled])")
    yield opened
    assert [said for said in complaints if "status of 400" not in said] == []
    assert [url for url in asked if not url.startswith(server.url)] == []
    context.close()


def _ask(page: Any, text: str) -> Any:
    """Type and send by keyboard; the answer's box once it is whole."""
    before = page.locator(".answer").count()
    page.fill("#ask", text)
    page.keyboard.press("Enter")
    box = page.locator(".answer").nth(before)
    box.locator(".time:not(:empty)").wait_for()
    return box


def test_the_arm_and_the_reason_stand_by_each_answer(page: Any) -> None:
    edge, cloud = _ask(page, "0.9 easy"), _ask(page, "0.1 hard")
    assert edge.get_attribute("data-arm") == "edge"
    assert cloud.get_attribute("data-arm") == "cloud"
    assert "on this device" in edge.locator(".tag").inner_text()
    assert edge.locator(".numbers").all_inner_texts() == ["0.900 ≥ 0.450"]
    assert "the score 0.100 is below the threshold 0.450" in cloud.inner_text()
    assert cloud.locator("svg.meter").get_attribute("aria-label").startswith("score 0.100")


def test_turning_the_dial_changes_who_answers(page: Any, server: ServerRun) -> None:
    assert _ask(page, "0.6 middling").get_attribute("data-arm") == "edge"
    before = {name: page.inner_text(f"#expect-{name}") for name in ("share", "drop", "threshold")}
    assert before == {"share": "60 %", "drop": "0.150\n20.0 %", "threshold": "0.450"}
    marker = page.locator(".marker").get_attribute("cx")
    page.focus("#dial")
    page.keyboard.press("End")
    assert page.inner_text("#dial-value") == "1.00"
    assert page.inner_text("#expect-share") == "20 %"
    assert page.inner_text("#expect-threshold") == "0.900"
    assert page.locator(".marker").get_attribute("cx") != marker
    assert "0.800" in page.locator(".curve svg").get_attribute("aria-label")
    for _ in range(100):
        if server.get("/v1/hybridroute/dial").json()["dial"] == 1.0:
            break
        page.wait_for_timeout(50)
    assert _ask(page, "0.6 middling").get_attribute("data-arm") == "cloud"
    page.locator("#last tr:first-child .tag", has_text="cloud").wait_for()
    said = page.inner_text("#share-text")
    stats = server.get("/v1/hybridroute/stats").json()
    assert said.startswith(f"{stats['cost_advantage']:.0%}".replace("%", " %"))
    assert page.locator("#last tr").count() == stats["answers"]


def test_somebody_else_turns_the_dial(page: Any, server: ServerRun) -> None:
    server.put("/v1/hybridroute/dial", {"dial": 0.25})
    page.locator("#dial-value", has_text="0.25").wait_for()
    server.put("/v1/hybridroute/dial", {"threshold": 0.63})
    page.locator("#dial-value", has_text="0.70").wait_for()


def test_a_promise_is_picked_and_its_bound_is_shown(browser: Any) -> None:
    held = Promises(
        source="mine.jsonl",
        n=1234,
        n_seen_in_training=0,
        quality_low=0.0,
        quality_high=1.0,
        kept=(
            _row(0.01, feasible=False, threshold=1.01),
            _row(0.02, feasible=True, threshold=0.63),
        ),
    )
    with ServerRun(serving(bundle=bundle(LastTurn(), promises=held))) as server:
        page = browser.new_page(viewport={"width": 320, "height": 800})
        page.goto(server.url)
        page.wait_for_selector("#promises:not([hidden])")
        assert page.locator("#promise option").count() == 2
        page.select_option("#promise", "0")
        page.locator("#promise-said", has_text="upper limit 0.0180, from 1234 outcomes").wait_for()
        assert server.get("/v1/hybridroute/dial").json()["threshold"] == 0.63
        assert page.evaluate("document.documentElement.scrollWidth") <= 320
        page.focus("#dial")
        page.keyboard.press("Home")
        page.locator("#promise-said", has_text="Standing").wait_for(state="hidden")
        assert page.input_value("#promise") == ""
        page.close()


def _row(max_drop: float, *, feasible: bool, threshold: float) -> PromiseRow:
    return PromiseRow(
        kind="absolute",
        max_drop=max_drop,
        confidence=0.9,
        feasible=feasible,
        threshold=threshold,
        cost_advantage=0.4,
        drop=0.012,
        drop_bound=0.018,
        test="three-valued",
    )


def test_what_turns_the_dial_is_said(page: Any, server: ServerRun) -> None:
    assert page.locator("#held").is_hidden()
    client = server.first.client
    client.control(ControllerSettings(hold=Share(cloud_share=0.3)))
    page.locator(
        "#held", has_text="A controller turns the dial to hold 30 % of requests"
    ).wait_for()
    client.control(None)
    page.locator("#held").wait_for(state="hidden")


def test_with_one_arm_no_share_is_promised(browser: Any) -> None:
    with ServerRun(serving(bundle=bundle(LastTurn()), cloud=None)) as server:
        page = browser.new_page(viewport={"width": 390, "height": 800})
        page.goto(server.url)
        page.wait_for_selector("#dial:not([disabled])")
        note = page.inner_text("#curve-note")
        assert note.startswith(f"No cloud is configured, so {EDGE_MODEL} answers everything on")
        assert "HYBRIDROUTE_CLOUD_MODEL" in note
        for key in ("Home", "End"):
            page.focus("#dial")
            page.keyboard.press(key)
            assert page.inner_text("#expect-share") == "100 %"
        assert page.locator("#dial-ends").is_hidden()
        assert "share of queries" not in page.inner_text("body")
        page.close()


@pytest.mark.skipif(sys.platform == "win32", reason="signals of a POSIX system")
def test_a_reload_that_changes_the_arms_changes_the_curve(browser: Any, tmp_path: Path) -> None:
    """The file's cloud goes, and comes back: the page follows without being loaded again."""
    held = write_tiny_bundle(tmp_path / "tiny").path
    file = tmp_path / "hybridroute.toml"
    edge = f'[router]\nbundle = "{held}"\n[edge]\nmodel = "none.gguf"\n'
    cloud = '[cloud]\nbase_url = "http://127.0.0.1:9/v1"\nmodel = "big-1"\napi_key_env = ""\n'
    file.write_text(edge + cloud, encoding="utf-8")
    with served_in(tmp_path) as served:
        page = browser.new_page()
        page.goto(served.url)
        page.locator("#curve-note", has_text="Not calibrated for these models").wait_for()
        file.write_text(edge, encoding="utf-8")
        reloaded(served, ok=True)
        page.locator("#curve-note", has_text="No cloud is configured").wait_for()
        assert page.locator("#arms .tag").count() == 1
        file.write_text(edge + cloud + "[server]\nmax_requests = 9\n", encoding="utf-8")
        reloaded(served, ok=True)
        page.locator("#curve-note", has_text="Not calibrated for these models").wait_for()
        page.locator("#missing", has_text="server.max_requests").wait_for()
        assert page.locator("#dial-ends").is_visible()
        page.close()


def test_what_a_model_says_is_text(page: Any) -> None:
    box = _ask(page, "0.9 easy")
    assert box.locator(".words").inner_text() == f"edge says {NASTY}"
    assert page.locator(".log img, .log b").count() == 0
    assert page.title() == "hybridroute"


def test_the_mode_of_the_page(page: Any) -> None:
    page.select_option("#mode", "only_in_cloud")
    box = _ask(page, "0.9 easy")
    assert box.get_attribute("data-arm") == "cloud"
    assert "the mode is only_in_cloud" in box.inner_text()


def test_a_refused_question_says_why(page: Any) -> None:
    page.select_option("#mode", "only_on_device")
    page.evaluate("document.querySelector('#mode option:checked').value = 'sideways'")
    page.fill("#ask", "x")
    page.keyboard.press("Enter")
    page.locator(".failed").wait_for()
    assert "mode is 'sideways'" in page.inner_text(".failed")
    assert page.locator("#send").is_visible()


@pytest.mark.parametrize("width", [320, 390, 1280])
def test_it_fits(page: Any, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    _ask(page, "0.9 " + "unbreakable" * 30)
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_everything_that_acts_has_a_name(page: Any) -> None:
    unnamed = page.evaluate(
        """() => [...document.querySelectorAll('button, select, textarea, input, svg[role=img]')]
        .filter((e) => !(e.labels?.length || e.getAttribute('aria-label') || e.textContent.trim()
            || e.getAttribute('aria-labelledby')))
        .map((e) => e.outerHTML)"""
    )
    assert unnamed == []


def test_the_key_is_asked_for(browser: Any) -> None:
    key = "k" * 32
    with ServerRun(serving(bundle=bundle(LastTurn())), key=key) as server:
        page = browser.new_page()
        page.goto(server.url)
        page.locator("#key").fill(key)
        page.keyboard.press("Enter")
        page.wait_for_selector("#dial:not([disabled])")
        assert _ask(page, "0.9 easy").get_attribute("data-arm") == "edge"
        assert page.evaluate("localStorage.length") == 0
        page.close()


def test_no_script_makes_markup_of_text() -> None:
    """And nothing is fetched from anywhere else, or runs inline, which the policy forbids."""
    home = files("hybridroute.server.page")
    texts = {item.name: item.read_text("utf-8") for item in home.iterdir() if "." in item.name}
    scripts = "".join(text for name, text in texts.items() if name.endswith(".js"))
    markup = r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\("
    assert re.findall(markup, scripts) == []
    shown = texts["index.html"] + texts["style.css"] + scripts.replace("http://www.w3.org/2000", "")
    assert re.findall(r"https?://|style=\"|onclick|<script(?! type=\"module\" src=)", shown) == []
