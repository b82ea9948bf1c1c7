"""What is shown while sampling runs."""

from __future__ import annotations

from sample_fakes import response

from hybridroute.training.sample_progress import SampleProgress


def test_rate_and_time_left() -> None:
    now, told = [0.0], []
    shown = SampleProgress(write=told.append, is_terminal=False, clock=lambda: now[0])
    shown.begin("edge", left=10, already=2)
    for _ in range(4):
        now[0] += 30.0
        shown.took(response(completion_tokens=60))
    assert told[0] == "edge: 10 responses to draw, 2 already there\n"
    assert told[1:] == [
        "edge: 4/12 (33%), 0.033 responses/s, 2 tokens/s, 0:04:00 left\n",
        "edge: 6/12 (50%), 0.033 responses/s, 2 tokens/s, 0:03:00 left\n",
    ]


def test_a_terminal_gets_one_line_that_is_written_over() -> None:
    now, told = [0.0], []
    shown = SampleProgress(write=told.append, is_terminal=True, clock=lambda: now[0])
    shown.begin("edge", left=2, already=0)
    for _ in range(2):
        now[0] += 1.0
        shown.took(response(response=None, error="too long", finish_reason="error"))
    shown.end()
    shown.end()
    assert [text.count("\n") for text in told] == [1, 0, 0, 0, 1]
    assert told[3] == "\r\x1b[Kedge: 2/2 (100%), 1 responses/s, 0 tokens/s, 0:00:00 left, 2 errors"


def test_an_arm_with_nothing_to_do_shows_no_rate() -> None:
    told: list[str] = []
    shown = SampleProgress(write=told.append, is_terminal=False)
    shown.begin("edge", left=0, already=5)
    shown.end()
    assert told == ["edge: 0 responses to draw, 5 already there\n"]
