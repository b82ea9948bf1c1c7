"""A client's logs: opened, rated in together, and closed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from sdk_fakes import bundle, cloud_arm, edge_arm, user

from hybridroute import HybridClient
from hybridroute.answered import Answered, Listeners
from hybridroute.client_logs import ClientLogs
from hybridroute.edge_runtime.chat import ChatRequest, Usage
from hybridroute.edge_runtime.errors import ConfigError, DataError
from hybridroute.ratings import read_ratings

CLIENT = HybridClient(bundle(), edge=edge_arm(), cloud=cloud_arm())
USAGE = Usage(prompt_tokens=1, completion_tokens=1, total_tokens=2)


def answered(text: str = "0.9 a prompt") -> Answered:
    """A request that was routed and answered, with an id of its own."""
    return Answered(
        decision=CLIENT.route(user(text)),
        outcome="done",
        usage=USAGE,
        streamed=False,
        total_ms=1.0,
        at=1.0,
        request=ChatRequest(messages=tuple(user(text))),
    )


def logs() -> tuple[ClientLogs, Listeners]:
    listeners = Listeners()
    return ClientLogs(bundle(), listeners), listeners


def qualities(path: Path) -> dict[str, Any]:
    return {one.id: one.quality for one in read_ratings(path)}


def test_a_log_is_told_from_its_opening_on(tmp_path: Path) -> None:
    held, listeners = logs()
    before, after = answered(), answered()
    listeners.tell(before)
    log = held.open(tmp_path / "log.db", prompts=False)
    assert log.path == tmp_path / "log.db"
    listeners.tell(after)
    held.close()
    assert set(qualities(tmp_path / "log.db")) == {after.decision.id}


def test_several_logs_hold_the_same_and_are_rated_together(tmp_path: Path) -> None:
    held, listeners = logs()
    paths = [tmp_path / "one.db", tmp_path / "two.db"]
    for path in paths:
        held.open(path, prompts=False)
    one = answered()
    listeners.tell(one)
    held.rate(one.decision.id, 0.25)
    held.close()
    assert [qualities(path) for path in paths] == [{one.decision.id: 0.25}] * 2


def test_what_a_finalizer_left_can_be_rated(tmp_path: Path) -> None:
    held, listeners = logs()
    held.open(tmp_path / "log.db", prompts=False)
    one = answered()
    listeners.tell_later(lambda: one)
    held.rate(one.decision.id, good=True)
    held.close()
    assert qualities(tmp_path / "log.db") == {one.decision.id: 1.0}


def test_closing_writes_what_a_finalizer_left_and_may_be_done_twice(tmp_path: Path) -> None:
    held, listeners = logs()
    held.open(tmp_path / "log.db", prompts=False)
    one = answered()
    listeners.tell_later(lambda: one)
    held.close()
    held.close()
    assert qualities(tmp_path / "log.db") == {one.decision.id: None}


def test_the_last_word_on_an_answer_counts(tmp_path: Path) -> None:
    held, listeners = logs()
    held.open(tmp_path / "log.db", prompts=False)
    one = answered()
    listeners.tell(one)
    held.rate(one.decision.id, good=True)
    held.rate(one.decision.id, good=False)
    held.close()
    assert qualities(tmp_path / "log.db") == {one.decision.id: 0.0}


def test_without_a_log_nothing_can_be_rated() -> None:
    held, _ = logs()
    with pytest.raises(ConfigError, match="there is none; call log_to"):
        held.rate("route-1", good=True)
    held.close()


def test_a_wrong_rating_is_refused_whether_or_not_there_is_a_log(tmp_path: Path) -> None:
    held, _ = logs()
    for _ in range(2):
        with pytest.raises(ConfigError, match="good is 7"):
            held.rate("route-1", 7)
        held.open(tmp_path / "log.db", prompts=False)
    held.close()


def test_an_answer_that_no_log_holds_is_named(tmp_path: Path) -> None:
    held, listeners = logs()
    held.open(tmp_path / "log.db", prompts=False)
    listeners.tell(answered())
    with pytest.raises(DataError, match="holds no decision 'nobody'"):
        held.rate("nobody", good=True)
    held.close()


def test_a_file_that_cannot_be_a_log_joins_nothing(tmp_path: Path) -> None:
    held, listeners = logs()
    with pytest.raises(ConfigError, match="cannot be opened"):
        held.open(tmp_path / "nowhere" / "log.db", prompts=False)
    listeners.tell(answered())
    with pytest.raises(ConfigError, match="there is none"):
        held.rate("route-1", good=True)
    held.close()


@pytest.mark.parametrize("prompts", [False, True])
def test_prompts_are_kept_only_where_they_are_asked_for(tmp_path: Path, prompts: bool) -> None:
    held, listeners = logs()
    path = tmp_path / "log.db"
    held.open(path, prompts=prompts)
    listeners.tell(answered("0.9 something private"))
    held.close()
    assert (b"something private" in path.read_bytes()) is prompts
