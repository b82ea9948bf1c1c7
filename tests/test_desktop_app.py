"""The desktop example under a virtual display: type, see, turn, stop, and lose the cloud."""

from __future__ import annotations

import gc
import importlib.util
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cloud_server as play
import pytest
from cloud_cases import settings
from sdk_fakes import EDGE_MODEL, FakeScorer, FakeStream, bundle, chunk, cloud_arm, edge_arm

from hybridroute import HybridClient

PROGRAM = Path(__file__).resolve().parents[1] / "examples" / "desktop_app.py"


class LastTurn(FakeScorer):
    """Judges the newest turn alone, so that one conversation can be split."""

    def assess(self, text: str) -> Any:
        return super().assess(text.rpartition("\n")[2])


class Gated(FakeStream):
    """Gives each further chunk only when it is let through; closing lets go."""

    def __init__(self, items: list[Any], gate: threading.Semaphore) -> None:
        super().__init__(items)
        self._gate = gate

    def __next__(self) -> Any:
        self._gate.acquire()
        return super().__next__()

    def close(self) -> None:
        super().close()
        self._gate.release()


class GatedArm(type(edge_arm())):
    """Its stream's chunks come one by one, as the test lets them."""

    def stream(self, request: Any) -> Any:
        self._called(request)
        self.gate = threading.Semaphore(0)
        self.streams.append(Gated(list(self.script or []), self.gate))
        return self.streams[-1]


@pytest.fixture(scope="module")
def display() -> Iterator[str]:
    pytest.importorskip("tkinter")
    if shutil.which("Xvfb") is None:
        pytest.skip("no Xvfb is installed (Debian's package xvfb)")
    read, write = os.pipe()
    command = ["Xvfb", "-displayfd", str(write), "-screen", "0", "1000x800x24", "-nolisten", "tcp"]
    with subprocess.Popen(command, pass_fds=[write], stderr=subprocess.DEVNULL) as server:
        os.close(write)
        with os.fdopen(read) as said:
            number = said.readline().strip()
        assert number, "Xvfb did not start"
        yield f":{number}"
        server.terminate()


@pytest.fixture(scope="module")
def program() -> Iterator[Any]:
    pytest.importorskip("tkinter")
    spec = importlib.util.spec_from_file_location("desktop_app", PROGRAM)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["desktop_app"] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules["desktop_app"]


class Shown:
    """A window that is open, driven by its keys and buttons."""

    def __init__(self, program: Any, display: str, client: HybridClient) -> None:
        self.root = program.tk.Tk(screenName=display)
        self.faults: list[Any] = []
        self.root.report_callback_exception = lambda *fault: self.faults.append(fault)
        self.window = program.ChatWindow(self.root, client)
        self.root.update()

    @property
    def text(self) -> str:
        return self.window.transcript.text.get("1.0", "end")

    def until(self, condition: Callable[[], bool]) -> None:
        ends = time.monotonic() + 10
        while not condition():
            assert time.monotonic() < ends, f"it never came; shown is {self.text!r}"
            self.root.update()
            time.sleep(0.005)
        assert self.faults == []

    def sees(self, words: str) -> None:
        self.until(lambda: words in self.text)

    def press(self, key: str) -> None:
        self.window.entry.focus_force()
        self.root.update()
        self.window.entry.event_generate(key)

    def ask(self, question: str) -> None:
        self.window.entry.insert("end", question)
        self.press("<Return>")

    def answer(self, question: str) -> str:
        """Ask, and wait for the end; what was added."""
        before = len(self.text)
        self.ask(question)
        self.until(lambda: len(self.text) > before and self.idle)
        return self.text[before - 1 :]

    @property
    def idle(self) -> bool:
        return str(self.window.stop_button["state"]) == "disabled"


@pytest.fixture
def show(program: Any, display: str) -> Iterator[Callable[..., Shown]]:
    opened: list[tuple[Shown, HybridClient]] = []

    def make(**given: Any) -> Shown:
        held = {"edge": edge_arm(), "cloud": cloud_arm(), "dial": 0.5, **given}
        client = HybridClient(bundle(LastTurn()), **held)
        opened.append((Shown(program, display, client), client))
        return opened[-1][0]

    yield make
    while opened:
        shown, client = opened.pop()
        shown.window.close()
        client.close()
        assert shown.faults == []
        del shown, client
    gc.collect()  # Tk must be freed by the thread that made it


def test_arm_and_words_come_in_pieces_and_the_reason_at_the_end(show: Any) -> None:
    edge = GatedArm("edge", EDGE_MODEL, "device", script=[chunk("One "), chunk("two")])
    shown = show(edge=edge)
    shown.ask("0.9 easy")
    shown.until(lambda: bool(edge.streams))
    assert "On this device" not in shown.text
    edge.gate.release()
    shown.sees("On this device (small-1)\nOne ")
    assert "two" not in shown.text
    assert not shown.idle
    shown.window.dial.scale.set(0.7)  # the window is alive meanwhile
    shown.until(lambda: "Dial 0.70" in shown.window.dial.said["text"])
    edge.gate.release(2)
    shown.sees("One two\nedge (small-1) answers because the score 0.900 is at or above the thresh")
    shown.until(lambda: shown.idle)


def test_the_slider_turns_the_next_answer_and_says_what_to_expect(show: Any) -> None:
    shown = show()
    said = shown.window.dial.said
    assert said["text"].endswith("about 40% of queries to the cloud, quality drop 0.150")
    assert "On this device" in shown.answer("0.6 middling")
    shown.window.dial.scale.focus_force()
    shown.root.update()
    shown.window.dial.scale.event_generate("<End>")
    shown.until(lambda: said["text"].startswith("Dial 1.00: expect about 80%"))
    added = shown.answer("0.6 middling")
    assert "In the cloud (large-1)\ncloud\ncloud (large-1) answers because" in added
    assert "the score 0.600 is below the threshold 0.900 (dial 1)" in added


def test_other_models_are_said_to_be_uncalibrated(show: Any) -> None:
    shown = show(edge=edge_arm(model="another"))
    assert "not calibrated" in shown.window.dial.said["text"]


@pytest.mark.parametrize("how", ["key", "button"])
def test_stopping_ends_the_generation_and_the_next_question_is_answered(
    show: Any, how: str
) -> None:
    edge = GatedArm("edge", EDGE_MODEL, "device", script=[chunk("word ")] * 10_000)
    shown = show(edge=edge)
    shown.ask("0.9 a long story")
    shown.until(lambda: bool(edge.streams))
    edge.gate.release(3)
    shown.sees("word word")
    shown.press("<Escape>") if how == "key" else shown.window.stop_button.invoke()
    shown.sees("Stopped.")
    assert edge.streams[0].closed
    assert "In the cloud" in shown.answer("0.1 hard")


def test_stopping_before_the_first_word_leaves_the_question_out(show: Any) -> None:
    edge = GatedArm("edge", EDGE_MODEL, "device", script=[chunk("word ")])
    cloud = cloud_arm()
    shown = show(edge=edge, cloud=cloud)
    shown.ask("0.9 easy")
    shown.until(lambda: bool(edge.streams))
    shown.press("<Escape>")
    shown.sees("Stopped.")
    shown.answer("0.1 hard")
    assert [message["content"] for message in cloud.requests[0].messages] == ["0.1 hard"]


def test_the_device_answers_while_the_cloud_is_away(show: Any) -> None:
    reply = play.stream(play.piece("from afar"), play.piece(finish="stop"))
    with play.CloudServer(reply) as server:
        shown = show(cloud=settings(server.url))
        assert "In the cloud (big)\nfrom afar" in shown.answer("0.1 hard")
        port = server.port
    added = shown.answer("0.1 a question of more words than a follow-up has")
    assert (
        "On this device (small-1)\nedge\nedge (small-1) answers because cloud failed (Arm" in added
    )
    assert "The score was 0.100, the threshold 0.500." in added
    assert "cloud did not answer;" in shown.window.note["text"]
    with play.CloudServer(reply, port=port):
        assert "In the cloud (big)\nfrom afar" in shown.answer("0.1 hard: " + "word " * 8)
    assert shown.window.note["text"] == ""


def test_a_stream_cut_in_the_middle_keeps_what_came(show: Any) -> None:
    half = play.events(play.piece("half "), done=False)
    with play.CloudServer(play.raw(play.PLAIN_STREAM_HEAD + half)) as server:
        shown = show(cloud=settings(server.url))
        added = shown.answer("0.1 hard")
    assert "half \nBroken off: " in added
    assert "On this device" in shown.answer("0.9 easy")


def test_enter_with_shift_is_a_new_line_and_blank_is_not_sent(show: Any) -> None:
    shown = show()
    shown.ask("  ")
    assert shown.text.strip() == ""
    shown.window.entry.delete("1.0", "end")
    shown.window.entry.insert("end", "0.9 a")
    shown.press("<Shift-Return>")
    assert shown.window.entry.get("1.0", "end") == "0.9 a\n\n"
