"""Draws one response after another from one arm, paced, with what goes wrong sorted out."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field

from hybridroute.arm_spec import ArmSpec
from hybridroute.edge_runtime.chat import ChatRequest, Completion, text_of
from hybridroute.edge_runtime.errors import (
    ArmRefused,
    ArmTimeout,
    ArmUnavailable,
    ContextOverflow,
    NoAnswer,
    RequestError,
)
from hybridroute.edge_runtime.protocols import Arm
from hybridroute.prompt_file import PromptRow
from hybridroute.training.pacing import Budget, Rate, Stopped
from hybridroute.training.sampled_response import Response
from hybridroute.training.sampling_plan import DrawSettings

RETRY_WAITS_S = (2.0, 4.0, 8.0, 16.0, 32.0, 60.0)
"""Waits between the tries of one call to an endpoint that is away or overloaded."""

_BAD_PROMPT = frozenset({None, 400, 413, 422, 451})
"""Statuses of a refusal that may be about this one prompt; None is an arm in this process, or an
answer without choices."""

_REFUSALS = 5
_TOKENS_PER_MESSAGE = 16


@dataclass(slots=True, kw_only=True)
class ArmSampler:
    """One arm, ready to be drawn from. Safe to use from several threads.

    Parameters
    ----------
    spec : ArmSpec
    arm : Arm
    settings : DrawSettings
    rate : Rate
    budget : Budget
    waits_s : tuple of float
        Between the tries of a call that failed for now.
    """

    spec: ArmSpec
    arm: Arm
    settings: DrawSettings
    rate: Rate
    budget: Budget
    waits_s: tuple[float, ...] = RETRY_WAITS_S
    _digest: str = field(init=False)
    _template_bytes: int = field(init=False)
    _answers: int = field(init=False, default=0)
    _refusals: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        self._digest = self.settings.digest(self.spec)
        self._template_bytes = len((self.spec.template_text() or "").encode())

    def draw(self, prompt_id: str, row: PromptRow, sample: int, stop: threading.Event) -> Response:
        """One response, or the reason why this prompt gets none from this arm.

        Raises
        ------
        ArmError, ConfigError
            If it is not this prompt's fault: the arm is away, refuses the key, or everything.
        BudgetUsed
            If the call might cross the budget.
        Stopped
            If ``stop`` is set while it waits.
        """
        seed = self.settings.seed_of(prompt_id, self.spec.name, sample)
        made = _Maker(self, prompt_id, row, sample, seed)
        try:
            request = ChatRequest(
                messages=row.messages,
                max_tokens=self.settings.max_tokens,
                temperature=self.settings.temperature,
                top_p=self.settings.top_p,
                seed=seed,
                stop=self.spec.stops,
            )
            return self._paced(request, made, stop)
        except (RequestError, ContextOverflow) as exc:
            return made.failed(str(exc))
        except (ArmRefused, NoAnswer) as exc:
            self._refusals += 1
            if exc.status not in _BAD_PROMPT or (not self._answers and self._refusals >= _REFUSALS):
                raise
            return made.failed(str(exc))

    def _paced(self, request: ChatRequest, made: _Maker, stop: threading.Event) -> Response:
        for wait_s in (*self.waits_s, None):
            most = self._most_usd(request)
            ticket = self.budget.reserve(most, stop)
            cost: float | None = 0.0
            try:
                self.rate.wait(stop)
                started = time.monotonic()
                cost = None  # from here on the endpoint may bill, whatever comes back
                response = made.answered(self.arm.complete(request), started, most)
                cost = response.cost_usd
                self._answers += 1
                return response
            except ArmRefused:
                cost = 0.0
                raise
            except NoAnswer:  # some services answer a prompt that their filter stops like this
                raise
            except (ArmUnavailable, ArmTimeout) as exc:
                if stop.is_set():
                    raise Stopped from exc
                if wait_s is None or self.spec.is_local:
                    raise
                if exc.status is not None:
                    cost = 0.0
            finally:
                self.budget.settle(ticket, cost)
            if stop.wait(wait_s):
                raise Stopped
        raise AssertionError("the last try returns or raises")

    def _most_usd(self, request: ChatRequest) -> float:
        """The most the call can cost: no tokenizer makes more tokens than there are bytes."""
        if self.budget.limit_usd is None:
            return 0.0
        if request.has_images:
            raise RequestError("a budget cannot foresee what an image costs; leave the prompt out")
        tokens = self._template_bytes + _TOKENS_PER_MESSAGE
        for message in request.messages:
            tokens += len(text_of(message).encode("utf-8", "replace")) + _TOKENS_PER_MESSAGE
        return self.spec.cost_usd(tokens, self.settings.max_tokens) or 0.0


@dataclass(frozen=True, slots=True)
class _Maker:
    """Makes the response of one call."""

    sampler: ArmSampler
    prompt_id: str
    row: PromptRow
    sample: int
    seed: int

    def answered(self, held: Completion, started: float, most_usd: float) -> Response:
        """What the arm said."""
        choice, usage = held.choices[0], held.usage
        cost = None
        if usage is not None:
            cost = self.sampler.spec.cost_usd(usage.prompt_tokens, usage.completion_tokens)
        elif most_usd > 0:
            cost = most_usd
        return self._made(
            model=held.model,
            response=choice.message.content or "",
            finish_reason=choice.finish_reason or "stop",
            prompt_tokens=None if usage is None else usage.prompt_tokens,
            completion_tokens=None if usage is None else usage.completion_tokens,
            cost_usd=cost,
            latency_ms=round((time.monotonic() - started) * 1000.0, 1),
        )

    def failed(self, error: str) -> Response:
        """Why there is no answer."""
        return self._made(
            model=self.sampler.arm.model, response=None, finish_reason="error", error=error
        )

    def _made(
        self,
        *,
        model: str,
        response: str | None,
        finish_reason: str,
        prompt_tokens: int | None = None,
        completion_tokens: int | None = None,
        cost_usd: float | None = None,
        latency_ms: float | None = None,
        error: str | None = None,
    ) -> Response:
        sampler, row = self.sampler, self.row
        return Response(
            id=self.prompt_id,
            prompt=row.prompt,
            domain=row.domain,
            reference=row.reference,
            extra=row.extra,
            arm=sampler.spec.name,
            model=model,
            sample=self.sample,
            seed=self.seed,
            temperature=sampler.settings.temperature,
            max_tokens=sampler.settings.max_tokens,
            settings=sampler._digest,
            response=response,
            finish_reason=finish_reason,
            prompt_tokens=prompt_tokens,
            completion_tokens=completion_tokens,
            cost_usd=cost_usd,
            latency_ms=latency_ms,
            error=error,
        )
