"""How a prompt is cut into pieces."""

from __future__ import annotations

import pytest

from hybridroute.edge_runtime.llama_cpp_context import PROMPT_BLOCK, prompt_ends


@pytest.mark.parametrize("count", [1, 2, 8, 9, 10, 24, 25, 26, 63, 64, 65, 66, 128, 1000])
def test_pieces_rise_to_the_end_and_are_never_too_long(count: int) -> None:
    ends = prompt_ends(count)
    sizes = [end - begin for begin, end in zip([0, *ends], ends, strict=False)]
    assert ends[-1] == count
    assert all(0 < size <= PROMPT_BLOCK for size in sizes)
    assert sizes[-1] == 1


@pytest.mark.parametrize(("short", "long"), [(70, 71), (100, 900), (10, 300)])
def test_a_longer_prompt_is_cut_at_the_same_places(short: int, long: int) -> None:
    whole = prompt_ends(short)[:-2]
    assert prompt_ends(long)[: len(whole)] == whole
