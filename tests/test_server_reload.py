"""A reload in this process: what goes over to the client that takes over."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from sdk_fakes import user
from server_run import serving

from hybridroute.decision import Decision
from hybridroute.edge_runtime.chat import ChatRequest, Message
from hybridroute.policy import ActiveSetting
from hybridroute.server.api_errors import ApiError
from hybridroute.server.live import Live, Serving
from hybridroute.setting import Setting
from hybridroute.settings_sections import EdgeSettings, ServerSettings, Settings

HARD = "0.05 hard"
OTHER = Settings(edge=EdgeSettings(model="other"))
CALL = {"id": "call-1", "type": "function", "function": {"name": "f", "arguments": "{}"}}


def _after(fresh: Serving, messages: list[Message], session: str | None = None) -> Decision:
    """The Decision of a client that took over after a hard question and a tool call."""
    first = serving()

    async def run() -> Decision:
        live = Live(first, lambda: fresh, lambda _: None)
        asked = ChatRequest(messages=tuple(user(HARD)))
        await first.client.answer(asked, session="talk-1")
        async with live.lease() as old:
            assert (await live.reload()).ok
            assert live.serving is fresh
            # An answer that was under way is remembered, too.
            old.client.sessions.called([CALL], "cloud")
        decision = await live.serving.client.route(messages, session=session)
        await live.close()
        return decision

    return asyncio.run(run())


def test_conversations_go_on_over_a_reload() -> None:
    stays = _after(serving(settings=OTHER), user("0.9 commit it"), "talk-1")
    assert (stays.arm, stays.reason) == ("cloud", "session_continues")
    assert _after(serving(settings=OTHER), user("0.9 commit it"), "talk-2").arm == "edge"


def test_tool_loops_go_on_over_a_reload() -> None:
    result = {"role": "tool", "tool_call_id": "call-1", "content": "done"}
    call = {"role": "assistant", "content": None, "tool_calls": [CALL]}
    stays = _after(serving(settings=OTHER), [*user("0.9 easy"), call, result])
    assert (stays.arm, stays.continues) == ("cloud", "tool_loop")


def test_an_arm_that_is_gone_is_not_continued() -> None:
    decided = _after(serving(settings=OTHER, cloud=None), user("0.9 commit it"), "talk-1")
    assert (decided.arm, decided.continues) == ("edge", None)


def test_what_needs_a_restart_is_counted_from_the_start() -> None:
    """A second reload that puts the old value back has nothing more to say."""
    held = ServerSettings(port=8642, log="a.db")
    settings = Settings(server=held)
    made = [
        serving(settings=replace(settings, server=replace(held, port=1, max_body_bytes=5))),
        serving(settings=settings),
    ]
    first = serving(settings=settings)

    async def run() -> list[tuple[str, ...]]:
        live = Live(first, lambda: made.pop(0), lambda _: None)
        said = [(await live.reload()).needs_restart for _ in range(2)]
        await live.close()
        return said

    assert asyncio.run(run()) == [("port", "max_body_bytes"), ()]
    assert first.client.arms


def test_a_setting_is_put_only_where_the_tag_holds_to_the_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A controller turns in a thread of its own, so also between the tag's check and the turn."""
    first = serving()
    live = Live(first, serving, lambda _: None)
    policy, before = first.client._turning.policy, first.client.setting
    activate = policy.activate

    def turned_meanwhile(setting: Setting) -> ActiveSetting:
        monkeypatch.undo()
        first.client.dial = 0.25
        return activate(setting)

    monkeypatch.setattr(policy, "activate", turned_meanwhile)
    with pytest.raises(ApiError, match=r"the setting is dial 0\.25; somebody changed it"):
        live.turn(Setting(dial=0.75), cause="test", if_tag=live.tag)
    assert (first.client.setting, before) == (Setting(dial=0.25), Setting(dial=0.5))
    live.turn(Setting(dial=0.75), cause="test", if_tag=live.tag)
    assert first.client.dial == 0.75
