from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybridroute.cloud.sse import SseEvent, events, lines


def read(*chunks: bytes) -> list[SseEvent]:
    return list(events(chunks))


def cut(data: bytes, places: list[int]) -> Iterator[bytes]:
    edges = [0, *sorted(place % (len(data) + 1) for place in places), len(data)]
    return (data[a:b] for a, b in pairwise(edges))


def test_one_event_with_its_line() -> None:
    assert read(b": hi\n\ndata: {}\n\n") == [SseEvent(data="{}", line=3)]


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_every_line_ending(end: bytes) -> None:
    data = end.join([b"event: note", b"data: a", b"data: b", b"", b"data:c", b"", b""])
    assert read(data) == [
        SseEvent(data="a\nb", event="note", line=2),
        SseEvent(data="c", line=5),
    ]


def test_only_one_space_is_taken_off() -> None:
    assert read(b"data:  two\n\n")[0].data == " two"


def test_byte_order_mark_comments_id_and_retry_are_skipped() -> None:
    data = b"\xef\xbb\xbfdata: a\n: keep-alive\nid: 1\nretry: 5\n\n"
    assert read(data) == [SseEvent(data="a", line=1)]


def test_byte_order_mark_cut_in_two() -> None:
    assert read(b"\xef", b"\xbb\xbfdata: a\n\n") == [SseEvent(data="a", line=1)]


def test_an_event_without_data_is_none() -> None:
    assert read(b"event: ping\n\ndata: a\n\n") == [SseEvent(data="a", line=3)]


def test_empty_data_counts() -> None:
    assert read(b"data\n\n") == [SseEvent(data="", line=1)]


def test_done_without_blank_line_at_the_end() -> None:
    assert [event.data for event in read(b"data: a\n\ndata: [DONE]")] == ["a", "[DONE]"]


def test_not_utf8_becomes_replacement_characters() -> None:
    assert read(b"data: \xff\n\n")[0].data == "\ufffd"


def test_unicode_line_separators_do_not_end_a_line() -> None:
    text = "a\u2028b\x85c\x0bd"
    assert read(f"data: {text}\n\n".encode())[0].data == text


def test_an_event_comes_with_its_blank_line_and_not_later() -> None:
    handed: list[int] = []

    def chunks() -> Iterator[bytes]:
        for number, chunk in enumerate([b"data: a\r", b"\r", b"\ndata: b\r\n\r\n"]):
            handed.append(number)
            yield chunk

    assert next(events(chunks())).data == "a"
    assert handed == [0, 1]


def test_return_and_newline_cut_apart_by_an_empty_chunk() -> None:
    assert list(lines([b"a\r", b"", b"\nb\n"])) == [b"a", b"b"]


SAMPLE = st.lists(
    st.sampled_from(
        ["data: été 漢字 😀", "data: {}", ": c", "", "", "event: error", "data", "id: 3", "junk"]
    ),
    max_size=12,
)


@given(
    texts=SAMPLE,
    ends=st.lists(st.sampled_from(["\n", "\r\n", "\r"]), min_size=12, max_size=12),
    places=st.lists(st.integers(0, 400), max_size=30),
    bom=st.booleans(),
)
def test_cuts_make_no_difference(
    texts: list[str], ends: list[str], places: list[int], bom: bool
) -> None:
    joined = "".join(text + end for text, end in zip(texts, ends, strict=False))
    data = (b"\xef\xbb\xbf" if bom else b"") + joined.encode()
    assert list(events(cut(data, places))) == list(events([data]))


@given(
    messages=st.lists(
        st.text(st.characters(exclude_characters="\r\n", exclude_categories=("Cs",))), max_size=6
    ),
    places=st.lists(st.integers(0, 2000), max_size=20),
)
def test_what_is_written_is_read(messages: list[str], places: list[int]) -> None:
    data = "".join(f"data: {message}\r\n\r\n" for message in messages).encode()
    assert [event.data for event in events(cut(data, places))] == messages


@given(data=st.binary(max_size=200), places=st.lists(st.integers(0, 200), max_size=10))
def test_any_bytes_can_be_read(data: bytes, places: list[int]) -> None:
    assert list(events(cut(data, places))) == list(events([data]))
