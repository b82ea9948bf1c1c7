"""The arms to try for one request, in order: the chosen one, then those that may stand in."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from traceback import clear_frames

from hybridroute.answer_watch import AnswerWatch
from hybridroute.decision import Decision
from hybridroute.edge_runtime.chat import ChatRequest, Completion, CompletionChunk
from hybridroute.edge_runtime.errors import (
    WRONG_REQUEST,
    ArmError,
    ArmRefused,
    ConfigError,
    ContextOverflow,
    HybridRouteError,
    NoAnswer,
)
from hybridroute.edge_runtime.protocols import Arm, StoppableArm
from hybridroute.edge_runtime.stop_signal import StopSignal
from hybridroute.responses import ChatCompletion

_log = logging.getLogger(__name__)


def is_arms_fault(error: HybridRouteError) -> bool:
    """Whether another arm may do better: the arm, not the request, is what is wrong.

    True for an arm that is unreachable, overloaded, too slow, lacks a key or has it refused, has
    too small a context, or is not installed (EngineMissing, ModelMissing: a lazily loaded arm finds
    out only now). False for a bad request (HTTP 400 and 422, RequestError): another arm would hide
    the mistake. A body too long for one server (HTTP 413) may do at another.
    """
    if isinstance(error, ContextOverflow):
        return True
    if isinstance(error, ArmRefused):
        return error.status not in WRONG_REQUEST
    return isinstance(error, (ArmError, ConfigError))


class Attempts:
    """The Decision in force, and its arm; moves on to the next arm when one fails.

    Parameters
    ----------
    decision : Decision
        The router's.
    arms : sequence of Arm
        The chosen arm first, then those that may stand in for it.
    watch : AnswerWatch
        Follows the answer for those who listen.
    """

    def __init__(self, decision: Decision, arms: Sequence[Arm], watch: AnswerWatch) -> None:
        self._arms = tuple(arms)
        self._at = 0
        self._failures: list[str] = []
        self.watch = watch
        self.decision = decision

    @property
    def arm(self) -> Arm:
        """The arm to ask now."""
        return self._arms[self._at]

    def first_token(self) -> None:
        """The arm's first token has come."""
        self.watch.first_token(self.decision)

    def chunk(self, chunk: CompletionChunk) -> None:
        """One more chunk is handed over."""
        self.decision = self.watch.chunk(self.decision, chunk)

    def done(self) -> None:
        """The stream came to its end."""
        self.decision = self.watch.done(self.decision)

    def ended(self, error: BaseException | None) -> None:
        """The answer ended early: by an error, or (None) by whoever asked."""
        self.watch.end(self.decision, error)

    def dropped(self) -> None:
        """The stream was dropped; for finalizers."""
        self.watch.dropped(lambda: self.decision)

    def move_on(self, error: HybridRouteError) -> bool:
        """Go to the next arm after ``error``; False if the error has to be raised.

        An error that is to be raised gets a note of the failures before it.
        """
        failed = self.arm.name
        if not is_arms_fault(error) or self._at + 1 == len(self._arms):
            for failure in self._failures:
                error.add_note(failure)
            return False
        self._failures.append(f"before that, {failed} failed: {type(error).__name__}: {error}")
        self._at += 1
        arm = self.arm
        self.decision = self.decision.after_failure(
            error, arm=arm.name, model=arm.model, place=arm.place
        )
        _let_go(error)
        _log.warning("%s failed (%s); %s takes over", failed, type(error).__name__, arm.name)
        return True


def _let_go(error: BaseException) -> None:
    """Clear the frames of an error that nobody will see.

    A frame that holds the error it raised is a cycle with the whole stack below it. The abandoned
    stream there would generate on until the garbage collector came by.
    """
    link: BaseException | None = error
    seen: set[int] = set()
    while link is not None and id(link) not in seen:
        seen.add(id(link))
        clear_frames(link.__traceback__)
        link = link.__cause__ or link.__context__


def complete(
    attempts: Attempts, request: ChatRequest, stop: StopSignal | None = None
) -> ChatCompletion:
    """The whole answer, of the first arm that gives one; once ``stop`` is set no other is asked.

    Raises
    ------
    ArmError, ConfigError
        Of the last arm tried; notes on it tell of the arms before.
    """
    while True:
        try:
            completion = _ask(attempts.arm, request, stop)
        except HybridRouteError as exc:
            if (stop is not None and stop.is_set) or not attempts.move_on(exc):
                stopped = stop is not None and stop.is_set
                attempts.ended(None if stopped else exc)
                raise
        except BaseException as exc:
            attempts.ended(exc)
            raise
        else:
            attempts.decision = attempts.watch.whole(attempts.decision, completion)
            return ChatCompletion.of(completion, attempts.decision)


def _ask(arm: Arm, request: ChatRequest, stop: StopSignal | None) -> Completion:
    if stop is not None and isinstance(arm, StoppableArm):
        completion = arm.complete_until(request, stop)
    else:
        completion = arm.complete(request)
    if not completion.choices:
        # An arm of the application's own may do this; nobody can read such an answer.
        raise NoAnswer(f"the {arm.name} arm gave an answer without choices", arm=arm.name)
    return completion
