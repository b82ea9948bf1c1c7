"""The configuration in force: leased, turned by its tag, reloaded as one, and freed."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest
from sdk_fakes import FakeArm, FakeBundle, bundle, calibration, cloud_arm, edge_arm, user
from server_run import serving

from hybridroute.answered import Answered
from hybridroute.controller import ControllerSettings
from hybridroute.controller_targets import Share
from hybridroute.decision import Decision
from hybridroute.edge_runtime.chat import ChatRequest, Message
from hybridroute.edge_runtime.errors import BundleError, ConfigError, ModelMissing
from hybridroute.policy import ActiveSetting
from hybridroute.server.api_errors import ApiError
from hybridroute.server.live import Live, Serving
from hybridroute.setting import Setting
from hybridroute.settings_sections import (
    ControllerSection,
    EdgeSettings,
    RouterSettings,
    ServerSettings,
    Settings,
)

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


def _nobody(_: Answered) -> None:
    pass


def _run(
    use: Callable[[Live], Awaitable[None]],
    first: Serving | None = None,
    *,
    remake: Callable[[], Serving] = serving,
    listener: Callable[[Answered], None] = _nobody,
) -> None:
    async def main() -> None:
        live = Live(first or serving(), remake, listener)
        try:
            await asyncio.wait_for(use(live), 20)
        finally:
            await live.close()

    asyncio.run(main())


async def _is_closed(held: Serving) -> bool:
    try:
        await held.client.route(user("0.9 x"))
    except ConfigError as exc:
        assert "closed" in str(exc)
        return True
    return False


def test_a_tag_changes_with_the_setting_and_comes_back_with_it() -> None:
    async def use(live: Live) -> None:
        tags = []
        for setting in (Setting(dial=0.5), Setting(threshold=0.5), Setting(dial=0.25)):
            live.turn(setting, cause="test")
            tags.append(live.tag)
        assert len(set(tags)) == 3
        assert all(tag.startswith('"') and tag.endswith('"') for tag in tags)
        live.turn(Setting(dial=0.5), cause="test")
        assert live.tag == tags[0]

    _run(use)


@pytest.mark.parametrize("tag", [None, "*", " * "])
def test_whoever_names_no_setting_turns_whatever_is_in_force(tag: str | None) -> None:
    async def use(live: Live) -> None:
        live.turn(Setting(dial=0.75), cause="test", if_tag=tag)
        assert live.serving.client.setting == Setting(dial=0.75)

    _run(use)


def test_another_tag_turns_nothing() -> None:
    async def use(live: Live) -> None:
        before = live.tag
        live.turn(Setting(dial=0.25), cause="test", if_tag=f" {before} ")
        for stale in (before, "", before.strip('"')):
            with pytest.raises(ApiError, match=r"the setting is dial 0\.25") as caught:
                live.turn(Setting(dial=0.75), cause="test", if_tag=stale)
            assert (caught.value.status, caught.value.code) == (412, "setting_changed")
        assert live.serving.client.setting == Setting(dial=0.25)

    _run(use)


def test_a_turn_is_logged_with_who_asked_and_no_turn_is_not(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def use(live: Live) -> None:
        with caplog.at_level(logging.INFO, logger="hybridroute.server.live"):
            live.turn(Setting(dial=0.75), cause="the page")
            live.turn(Setting(dial=0.75), cause="the page")

    _run(use)
    assert caplog.messages == ["setting: dial 0.75, before dial 0.5 (the page)"]


def test_a_setting_that_the_bundle_cannot_take_leaves_the_old_one() -> None:
    async def use(live: Live) -> None:
        before = live.serving.client.setting
        for tag in (None, live.tag):
            with pytest.raises(ConfigError, match="nothing to turn"):
                live.turn(Setting(dial=0.75), cause="test", if_tag=tag)
        assert live.serving.client.setting == before

    _run(use, serving(bundle=bundle(calibration=calibration(flat=True))))


class _Unready(FakeArm):
    def warm_up(self) -> None:
        raise ModelMissing("the model is not here; pull it")


class _UnreadableBundle(FakeBundle):
    __slots__ = ()

    def scorer(self, **_: Any) -> Any:
        raise BundleError("the model's file was altered")


def _unreadable() -> Any:
    held = bundle()
    made = _UnreadableBundle(held.path, held.manifest)
    object.__setattr__(made, "loads", 0)
    return made


@pytest.mark.parametrize(
    ("given", "ready", "missing"),
    [
        ({}, True, ()),
        ({"missing": ("no cloud",)}, True, ("no cloud",)),
        (
            {"edge": _Unready("edge", "small-1", "device")},
            True,
            ("the model is not here; pull it",),
        ),
        (
            {"edge": _Unready("edge", "small-1", "device"), "cloud": None},
            False,
            ("the model is not here; pull it",),
        ),
        (
            {
                "edge": _Unready("edge", "small-1", "device"),
                "unable": {"cloud": "it has no key"},
                "missing": ("no key",),
            },
            False,
            ("no key", "the model is not here; pull it"),
        ),
        ({"unable": {"cloud": "no key", "edge": "no engine"}}, False, ()),
        ({"bundle": _unreadable()}, False, ("the model's file was altered",)),
    ],
)
def test_ready_is_where_something_can_answer(
    given: dict[str, Any], ready: bool, missing: tuple[str, ...]
) -> None:
    async def use(live: Live) -> None:
        assert not live.ready, "nothing is loaded yet"
        await live.warm_up()
        assert (live.ready, live.missing) == (ready, missing)

    _run(use, serving(**given))


def test_a_bad_configuration_changes_nothing_and_is_told() -> None:
    def bad() -> Serving:
        raise ConfigError("router.dial is 7")

    async def use(live: Live) -> None:
        await live.warm_up()
        held = live.serving
        assert live.last_reload is None
        said = await live.reload()
        assert said == live.last_reload
        assert (said.ok, said.message) == (False, "kept the old settings: router.dial is 7")
        assert live.serving is held
        assert live.ready
        assert not await _is_closed(held)

    _run(use, remake=bad)


def test_a_fault_that_is_not_the_configurations_is_raised() -> None:
    def broken() -> Serving:
        raise ZeroDivisionError

    async def use(live: Live) -> None:
        with pytest.raises(ZeroDivisionError):
            await live.reload()
        assert live.last_reload is None

    _run(use, remake=broken)


@pytest.mark.parametrize(
    "settings",
    [
        Settings(),
        Settings(router=RouterSettings(dial=0.2)),
        Settings(router=RouterSettings(max_drop=0.1, confidence=0.8)),
        Settings(server=ServerSettings(port=1)),
        Settings(controller=ControllerSection(every_s=3.0)),
    ],
)
def test_where_only_the_amount_differs_the_models_at_work_stay(settings: Settings) -> None:
    fresh = serving(settings=settings, dial=0.2)

    async def use(live: Live) -> None:
        client = live.serving.client
        assert (await live.reload()).ok
        assert live.serving.client is client
        assert (live.serving.settings, client.setting) == (settings, Setting(dial=0.2))
        assert await _is_closed(fresh)
        assert not await _is_closed(live.serving)

    _run(use, remake=lambda: fresh)


@pytest.mark.parametrize(
    "settings",
    [
        OTHER,
        Settings(router=RouterSettings(mode="only_on_device")),
        Settings(server=ServerSettings(log="a.db")),
    ],
)
def test_where_a_part_differs_the_client_does_too(settings: Settings) -> None:
    fresh = serving(settings=settings)

    async def use(live: Live) -> None:
        old = live.serving
        assert (await live.reload()).ok
        assert live.serving is fresh
        assert live.ready
        # Closed in a task of its own, which the loop has had no turn for yet.
        await asyncio.gather(*live._closing)
        assert await _is_closed(old)

    _run(use, remake=lambda: fresh)


def test_a_controller_is_put_in_force_and_taken_away_with_the_amount() -> None:
    wanted = ControllerSettings(hold=Share(cloud_share=0.2), every_s=60.0)

    def made() -> Serving:
        steered = serving(settings=Settings(controller=ControllerSection(cloud_share=0.2)))
        steered.client.control(wanted)
        return steered

    coming = [made(), serving()]

    async def use(live: Live) -> None:
        client = live.serving.client
        await live.reload()
        assert client.controller is not None
        assert client.controller.settings == wanted
        await live.reload()
        assert (live.serving.client, client.controller) == (client, None)

    _run(use, remake=lambda: coming.pop(0))


def test_requests_under_way_end_with_the_client_they_began_with() -> None:
    async def use(live: Live) -> None:
        old = live.serving
        async with live.lease() as first, live.lease() as second:
            assert first is second is old
            assert (await live.reload()).ok
            async with live.lease() as new:
                assert new is not old
            assert not await _is_closed(old)
        await asyncio.gather(*live._closing)
        assert await _is_closed(old)

    _run(use, remake=lambda: serving(settings=OTHER))


def test_a_lease_ends_with_its_block_however_that_ends() -> None:
    async def use(live: Live) -> None:
        old = live.serving
        with pytest.raises(ZeroDivisionError):
            async with live.lease():
                raise ZeroDivisionError
        assert not await _is_closed(old), "it is not retired"
        await live.reload()
        await asyncio.gather(*live._closing)
        assert await _is_closed(old)

    _run(use, remake=lambda: serving(settings=OTHER))


def test_the_listener_hears_of_each_request_once_over_reloads() -> None:
    made = [serving(settings=OTHER), serving(settings=OTHER, dial=0.25)]
    told: list[str] = []

    async def use(live: Live) -> None:
        asked = []
        for _ in range(3):
            answered = await live.serving.client.answer(ChatRequest(messages=tuple(user("0.9"))))
            asked.append(answered.hybridroute.id)
            await live.reload()
        assert told == asked

    made.append(serving(settings=OTHER))
    _run(use, remake=lambda: made.pop(0), listener=lambda one: told.append(one.decision.id))


def test_reloads_at_once_are_made_one_after_another() -> None:
    """The last to begin is the one in force."""
    under_way: list[int] = []
    order: list[Serving] = []

    def remake() -> Serving:
        under_way.append(1)
        assert len(under_way) == 1
        order.append(
            serving(settings=replace(OTHER, router=RouterSettings(threads=len(order) + 1)))
        )
        under_way.pop()
        return order[-1]

    async def use(live: Live) -> None:
        said = await asyncio.gather(*(live.reload() for _ in range(4)))
        assert [one.ok for one in said] == [True] * 4
        assert live.serving is order[3]

    _run(use, remake=remake)


def test_closing_frees_the_client_in_force_and_those_that_are_retired() -> None:
    fresh = serving(settings=OTHER, edge=edge_arm(), cloud=cloud_arm())
    first = serving()

    async def use(live: Live) -> None:
        await live.reload()

    _run(use, first, remake=lambda: fresh)
    assert all(arm.closed for held in (first, fresh) for arm in held.client.arms)  # type: ignore[attr-defined]
