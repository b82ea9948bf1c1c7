"""The client that answers now: leased by requests, turned while it runs, swapped as one object."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, fields, replace
from typing import Any

from hybridroute.answered import Listener
from hybridroute.async_client import AsyncHybridClient
from hybridroute.edge_runtime.errors import BundleError, HybridRouteError, ScoringError
from hybridroute.edge_runtime.protocols import Arm
from hybridroute.server.api_errors import ApiError
from hybridroute.setting import Setting
from hybridroute.settings import AMOUNTS, PROMISE_WORDS
from hybridroute.settings_sections import ServerSettings, Settings

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Serving:
    """One configuration at work.

    Parameters
    ----------
    client : AsyncHybridClient
    settings : Settings
        What it was made from.
    models : tuple of (str, str)
        The arms' names and models.
    missing : tuple of str
        What is not there, and what to do about it, one sentence each.
    unable : mapping of str to str
        The arms that cannot answer as they are configured, and why.
    """

    client: AsyncHybridClient
    settings: Settings
    models: tuple[tuple[str, str], ...]
    missing: tuple[str, ...] = ()
    unable: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reload:
    """How the last reload went.

    Parameters
    ----------
    ok : bool
    message : str
    at : float
        Seconds since the epoch.
    needs_restart : tuple of str
        Keys of ``[server]`` that are not what the server was started with.
    """

    ok: bool
    message: str
    at: float
    needs_restart: tuple[str, ...] = ()


@dataclass(slots=True)
class _Held:
    serving: Serving
    leases: int = 0
    retired: bool = False


class Live:
    """The configuration in force.

    Parameters
    ----------
    first : Serving
    remake : callable
        Reads the configuration again and makes a Serving of it. Runs in a thread; raises
        HybridRouteError if the configuration is wrong.
    listener : callable
        Told of every finished request, in the thread that finished it.
    """

    def __init__(self, first: Serving, remake: Callable[[], Serving], listener: Listener) -> None:
        self._held = _Held(first)
        self._listener = listener
        first.client.listeners.add(listener)
        self._remake = remake
        self._started = first.settings.server
        self._one_reload = asyncio.Lock()
        self._closing: set[asyncio.Task[None]] = set()
        self._failure: str | None = None
        self._ready = False
        self.last_reload: Reload | None = None

    @property
    def serving(self) -> Serving:
        """What answers new requests."""
        return self._held.serving

    @property
    def ready(self) -> bool:
        """Whether everything that the first answer needs is loaded."""
        return self._ready

    @property
    def missing(self) -> tuple[str, ...]:
        """What is not there, what failed to load included."""
        failed = () if self._failure is None else (self._failure,)
        return (*self.serving.missing, *failed)

    @property
    def tag(self) -> str:
        """Changes with the setting in force; an HTTP entity tag."""
        return _tag_of(self.serving.client.setting)

    @asynccontextmanager
    async def lease(self) -> AsyncIterator[Serving]:
        """The configuration, kept open until the block ends."""
        held = self._held
        held.leases += 1
        try:
            yield held.serving
        finally:
            held.leases -= 1
            self._close_if_done(held)

    def turn(self, setting: Setting, *, cause: str, if_tag: str | None = None) -> None:
        """Put a setting in force, at once and as a whole.

        Parameters
        ----------
        setting : Setting
        cause : str
            Who asked; for the log.
        if_tag : str or None
            Refuse unless the tag is still this one, as one step: a concurrent writer, the
            controller included, is not overwritten.

        Raises
        ------
        ApiError
            412 if the setting is no longer the one that ``if_tag`` names.
        ConfigError
            If the bundle cannot take the setting; the old one stays.
        """
        client = self.serving.client
        before = client.setting
        if if_tag is None or if_tag.strip() == "*":
            client.setting = setting
        elif if_tag.strip() != _tag_of(before) or not client.turn_if(before, setting):
            raise ApiError(
                412,
                f"the setting is {client.setting}; somebody changed it since it was read. Read it "
                "again",
                code="setting_changed",
            )
        if setting != before:
            _log.info("setting: %s, before %s (%s)", setting, before, cause)

    async def warm_up(self) -> None:
        """Load the router and the edge's model; what fails is kept for ``missing``."""
        self._failure, self._ready = await _warmed(self.serving)

    async def reload(self) -> Reload:
        """Read the configuration again and put it in force as one; a bad one changes nothing.

        The setting becomes the configuration's too. Requests under way end with the client they
        began with; what is remembered of conversations stays.
        """
        async with self._one_reload:
            try:
                fresh = await asyncio.to_thread(self._remake)
            except HybridRouteError as exc:
                return self._noted(ok=False, message=f"kept the old settings: {exc}")
            if _same_parts(fresh.settings, self.serving.settings):
                await self._take_setting(fresh)
            else:
                failure, ready = await _warmed(fresh)
                self._swap(fresh)
                self._failure, self._ready = failure, ready
            return self._in_force()

    async def close(self) -> None:
        """Free everything."""
        await self.serving.client.aclose()
        await asyncio.gather(*self._closing)

    async def _take_setting(self, fresh: Serving) -> None:
        """Only the amount, or nothing, differs: the models at work stay loaded."""
        client, controller = self.serving.client, fresh.client.controller
        client.setting = fresh.client.setting
        if fresh.settings.controller != self.serving.settings.controller:
            client.control(None if controller is None else controller.settings)
        self._held.serving = replace(fresh, client=client)
        await fresh.client.aclose()

    def _swap(self, fresh: Serving) -> None:
        fresh.client.listeners.add(self._listener)
        fresh.client.sessions.join(self.serving.client.sessions)
        old, self._held = self._held, _Held(fresh)
        old.retired = True
        self._close_if_done(old)

    def _close_if_done(self, held: _Held) -> None:
        if held.retired and not held.leases:
            task = asyncio.create_task(held.serving.client.aclose())
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)

    def _in_force(self) -> Reload:
        message = f"in force: {self.serving.client.setting}"
        needs = _changed(self._started, self.serving.settings.server)
        if needs:
            keys = ", ".join(f"server.{name}" for name in needs)
            message += f"; not in force before a restart: {keys}"
        return self._noted(ok=True, message=message, needs_restart=needs)

    def _noted(self, *, ok: bool, message: str, needs_restart: tuple[str, ...] = ()) -> Reload:
        self.last_reload = Reload(
            ok=ok, message=message, at=time.time(), needs_restart=needs_restart
        )
        _log.log(logging.INFO if ok else logging.ERROR, "reload: %s", message)
        return self.last_reload


def _tag_of(setting: Setting) -> str:
    said = str(setting.promise) if setting.promise else repr(setting.value)
    return f'"{setting.kind}={said}"'


async def _warmed(serving: Serving) -> tuple[str | None, bool]:
    """What failed to load, and whether there is an arm that can answer all the same."""
    arms = [arm for arm in serving.client.arms if arm.name not in serving.unable]
    try:
        await serving.client.warm_up()
    except (BundleError, ScoringError) as exc:
        _log.warning("the router could not be loaded: %s", exc)
        return str(exc), False
    except HybridRouteError as exc:
        _log.warning("not everything could be loaded: %s", exc)
        return str(exc), any([await _loads(arm) for arm in arms])
    return None, bool(arms)


async def _loads(arm: Arm) -> bool:
    """Whether an arm on this device is there; one elsewhere is known by its requests alone."""
    if arm.place != "device":
        return True
    try:
        await asyncio.to_thread(arm.warm_up)
    except HybridRouteError:
        return False
    return True


def _changed(before: ServerSettings, now: ServerSettings) -> tuple[str, ...]:
    """What a reload does not put in force; the decisions' log it does."""
    names = (item.name for item in fields(ServerSettings) if item.name != "log")
    return tuple(name for name in names if getattr(before, name) != getattr(now, name))


def _same_parts(one: Settings, other: Settings) -> bool:
    """Whether two settings differ at most in how much goes to the cloud.

    Where the server listens does not count either: that takes a restart. The decisions' log does,
    since a client keeps its own.
    """
    return _parts(one) == _parts(other)


def _parts(settings: Settings) -> tuple[object, ...]:
    said: dict[str, Any] = dict.fromkeys((*AMOUNTS, *PROMISE_WORDS))
    return replace(settings.router, **said), settings.edge, settings.cloud, settings.server.log
