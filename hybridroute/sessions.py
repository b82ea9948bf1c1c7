"""Which arm a conversation is on: what keeps a task from changing models in its middle."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from threading import Lock
from typing import Any, Generic, Literal, TypeVar

from hybridroute.decision import Decision
from hybridroute.edge_runtime.chat import ChatRequest, Message, text_of
from hybridroute.edge_runtime.errors import ConfigError, RequestError
from hybridroute.policy import Order

Kind = Literal["tool_loop", "short_follow_up"]
Key = TypeVar("Key", bound=Hashable)
Held = TypeVar("Held")

_LONGEST_ID = 256
_CHARACTERS_PER_WORD = 8
_RESULT_ROLES = frozenset({"tool", "function"})
_REFERRING = (
    "a again ahead all and another continue do done exactly fine first go good great it just keep "
    "more next no not now of ok okay on one perfect please proceed right same second stop sure "
    "thank thanks that the them then third this those to try yeah yep yes you"
)
_REFERRING_WORDS = frozenset(_REFERRING.split())
"""Words that ask nothing new by themselves. English, as the packaged router is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionSettings:
    """How conversations are remembered.

    Parameters
    ----------
    max_sessions : int
        Conversations, and tool calls, held in memory; the longest unused go first.
    max_age_s : float
        Seconds after which an unused one is forgotten.
    down_after : int
        A conversation on the dearer arm goes down at this many requests in a row whose score would
        let the cheaper one answer; at 1 it goes down at once.
    short_words : int
        A message of at most so many words is a short follow-up; 0 knows none.

    Raises
    ------
    ConfigError
        If one is out of range.
    """

    max_sessions: int = 10_000
    max_age_s: float = 3600.0
    down_after: int = 2
    short_words: int = 6

    def __post_init__(self) -> None:
        for name, least in (("max_sessions", 1), ("down_after", 1), ("short_words", 0)):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                raise ConfigError(f"{name} is {value!r}; give a whole number, at least {least}")
        if not self.max_age_s > 0:
            raise ConfigError(f"max_age_s is {self.max_age_s!r}; give more than 0")


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Where a conversation stands when a request comes.

    Parameters
    ----------
    arm : str
        The arm that gave the last answer, or made the tool call.
    kind : {"tool_loop", "short_follow_up"} or None
        What the request is, if it asks nothing new.
    refers_back : bool
        Whether a short follow-up has no word of its own ("yes, do it").
    easy : int
        Requests in a row, before this one, that a cheaper arm could have answered.
    down_after : int
        See :class:`SessionSettings`.
    """

    arm: str
    kind: Kind | None = None
    refers_back: bool = False
    easy: int = 0
    down_after: int = 2

    def stays(self, order: Order | None, *, on_cheapest: bool) -> bool:
        """Whether the conversation stays on its arm, whatever the score would be.

        A tool loop does. A short follow-up does on a dearer arm; on the cheapest only if it has no
        word of its own, so that a short hard question still goes up. The ends of the setting, such
        as all-edge and all-cloud, are orders that a short follow-up obeys.
        """
        if self.kind == "tool_loop":
            return True
        if self.kind is None:
            return False
        if on_cheapest:
            return self.refers_back and order != "dearest"
        return order != "cheapest"

    def holds(self, order: Order | None) -> bool:
        """Whether one more request that a cheaper arm could answer stays on the dearer one."""
        return order != "cheapest" and self.easy + 1 < self.down_after


class Sessions:
    """Conversations by their id, and tool calls by theirs. Safe to use from several threads.

    Parameters
    ----------
    settings : SessionSettings
    clock : callable
        Seconds that never go back.
    """

    def __init__(
        self,
        settings: SessionSettings | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.settings = settings or SessionSettings()
        most, age = self.settings.max_sessions, self.settings.max_age_s
        self._sessions: _Recent[str, Standing] = _Recent(most, age, clock)
        self._calls: _Recent[tuple[str, str], str] = _Recent(most, age, clock)

    def __len__(self) -> int:
        """How many conversations are remembered."""
        return len(self._sessions)

    def join(self, other: Sessions) -> None:
        """Keep one memory with ``other`` from now on: the other's, with its limits.

        For a client that takes over from another, whose last answers are still under way.
        """
        self._sessions, self._calls = other._sessions, other._calls

    def forget(self, session: str) -> None:
        """Forget one conversation, if it is known."""
        self._sessions.drop(session)

    def standing(self, request: ChatRequest, session: str | None) -> Standing | None:
        """Where the request's conversation stands; None if nothing is known of it.

        A tool loop is known without a session's id, by the ids of the calls that this client's
        answers made.

        Raises
        ------
        RequestError
            If the id is no text of 1 to 256 characters.
        """
        known = None if session is None else self._sessions.get(_checked(session))
        calls = _answered_calls(request.messages)
        if calls is not None:
            arm = next(filter(None, map(self._calls.get, calls)), None)
            if arm is not None:
                return replace(known or Standing(arm=arm), arm=arm, kind="tool_loop")
            return None if known is None else replace(known, kind="tool_loop")
        if known is None:
            return None
        kind, refers_back = self._follow_up(request.messages)
        return replace(known, kind=kind, refers_back=refers_back)

    def _follow_up(self, messages: Sequence[Message]) -> tuple[Kind | None, bool]:
        """Whether the last message is a short follow-up, and one without a word of its own."""
        last = messages[-1]
        begun = any(message.get("role") == "assistant" for message in messages)
        text = text_of(last) if last.get("role") == "user" and begun else ""
        words = text.lower().split()
        most = self.settings.short_words
        if not words or len(words) > most or len(text) > most * _CHARACTERS_PER_WORD:
            return None, False
        refers = all(word.strip(".,;:!?'\"") in _REFERRING_WORDS for word in words)
        return "short_follow_up", refers

    def answering(self, session: str | None, decision: Decision) -> None:
        """Note which arm answers."""
        if session is None:
            return
        known = self._sessions.get(session)
        easy = 0 if known is None else known.easy
        if decision.scored:
            easy = easy + 1 if decision.continues == "down_slowly" else 0
        self._sessions.put(
            session, Standing(arm=decision.arm, easy=easy, down_after=self.settings.down_after)
        )

    def called(self, tool_calls: Sequence[Mapping[str, Any]] | None, arm: str) -> None:
        """Note which arm made these tool calls, whole or as a stream's first piece of each."""
        for call in tool_calls or ():
            if key := _call_key(call):
                self._calls.put(key, arm)


class _Recent(Generic[Key, Held]):
    """The most recently used items, up to a number and an age."""

    def __init__(self, most: int, max_age_s: float, clock: Callable[[], float]) -> None:
        self._most, self._max_age_s, self._clock = most, max_age_s, clock
        self._items: OrderedDict[Key, tuple[float, Held]] = OrderedDict()
        self._lock = Lock()

    def __len__(self) -> int:
        with self._lock:
            self._forget_old()
            return len(self._items)

    def get(self, key: Key) -> Held | None:
        with self._lock:
            self._forget_old()
            if key not in self._items:
                return None
            held = self._items.pop(key)[1]
            self._items[key] = (self._clock(), held)
            return held

    def put(self, key: Key, held: Held) -> None:
        with self._lock:
            self._items.pop(key, None)
            self._items[key] = (self._clock(), held)
            self._forget_old()
            while len(self._items) > self._most:
                self._items.popitem(last=False)

    def drop(self, key: Key) -> None:
        with self._lock:
            self._items.pop(key, None)

    def _forget_old(self) -> None:
        oldest = self._clock() - self._max_age_s
        while self._items and next(iter(self._items.values()))[0] < oldest:
            self._items.popitem(last=False)


def _answered_calls(messages: Sequence[Message]) -> list[tuple[str, str]] | None:
    """The calls whose results end the messages, without those that lack an id or a name.

    None if the messages do not end with results of calls: no tool loop, while [] is one whose calls
    nobody can know, so that only the session says which arm made them.
    """
    if messages[-1].get("role") not in _RESULT_ROLES:
        return None
    before = (one for one in reversed(messages) if one.get("role") not in _RESULT_ROLES)
    asking = next(before, {})
    calls = asking.get("tool_calls")
    if asking.get("role") != "assistant" or not isinstance(calls, (list, tuple)):
        return None
    return list(_keys(calls))


def _keys(calls: Sequence[Any]) -> Iterator[tuple[str, str]]:
    for call in calls:
        if isinstance(call, Mapping) and (key := _call_key(call)):
            yield key


def _call_key(call: Mapping[str, Any]) -> tuple[str, str] | None:
    """A call's id and function: some servers count their ids from 0 in every answer."""
    function = call.get("function")
    name = function.get("name") if isinstance(function, Mapping) else None
    id = call.get("id")
    return (id, name) if isinstance(id, str) and id and isinstance(name, str) else None


def _checked(session: object) -> str:
    if not isinstance(session, str) or not 0 < len(session) <= _LONGEST_ID:
        raise RequestError(
            f"session is a {type(session).__name__} that is no id; give 1 to {_LONGEST_ID} "
            "characters",
            param="session",
        )
    return session
