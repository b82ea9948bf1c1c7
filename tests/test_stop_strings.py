"""Stop strings never leak, however the text is cut into pieces."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hybridroute.edge_runtime.stop_strings import StopFilter

SHORT = st.text(alphabet="ab", min_size=1, max_size=4)


def cut_first(text: str, stops: list[str]) -> tuple[str, bool]:
    """What should pass, letter by letter: the text up to where the first stop string completes."""
    for end in range(1, len(text) + 1):
        places = [end - len(stop) for stop in stops if text[:end].endswith(stop)]
        if places:
            return text[: min(places)], True
    return text, False


@given(st.lists(SHORT, max_size=8), st.lists(SHORT, max_size=3))
def test_one_letter_at_a_time_stops_at_the_first_completed(
    pieces: list[str], stops: list[str]
) -> None:
    text = "".join(pieces)
    held = StopFilter(stops)
    passed = "".join(held.feed(letter) for letter in text) + held.finish()
    assert (passed, held.stopped) == cut_first(text, stops)


@given(st.lists(SHORT, max_size=8), st.lists(SHORT, max_size=3))
def test_no_cut_leaks_a_stop_string(pieces: list[str], stops: list[str]) -> None:
    text = "".join(pieces)
    held = StopFilter(stops)
    passed = "".join(held.feed(piece) for piece in pieces) + held.finish()
    assert text.startswith(passed)
    assert not any(stop in passed for stop in stops)
    assert held.stopped == any(stop in text for stop in stops)
    assert held.stopped or passed == text


def test_text_is_held_only_while_it_may_be_a_stop() -> None:
    held = StopFilter(["END"])
    assert [held.feed(piece) for piece in ("aE", "N", "x", "E", "ND", "z")] == [
        "a",
        "",
        "ENx",
        "",
        "",
        "",
    ]
    assert held.stopped
    assert held.finish() == ""


def test_an_empty_stop_string_is_no_stop() -> None:
    held = StopFilter([""])
    assert held.feed("abc") == "abc"
