"""What a responses file holds already, so that sampling goes on where it stopped."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from hybridroute.arm_spec import ArmSpec
from hybridroute.edge_runtime.errors import ConfigError, DataError
from hybridroute.training.responses_file import read_responses
from hybridroute.training.sampled_response import Response
from hybridroute.training.sampling_plan import SamplingPlan


@dataclass(slots=True, kw_only=True)
class Standing:
    """What a responses file holds already.

    Parameters
    ----------
    done : dict of (prompt id, arm) to set of int
        The samples that are there.
    errors : dict of arm to dict of (prompt id, sample) to str
        Those of them that are errors, in the order they came, and why.
    cost_usd : float
        What all responses of the file cost, other runs' and arms' included.
    """

    done: dict[tuple[str, str], set[int]] = field(default_factory=dict)
    errors: dict[str, dict[tuple[str, int], str]] = field(default_factory=dict)
    cost_usd: float = 0.0

    def add(self, response: Response, cost_usd: float | None = None) -> None:
        """Count one response; ``cost_usd`` stands in where it states no cost."""
        self.done.setdefault((response.id, response.arm), set()).add(response.sample)
        self.cost_usd += (response.cost_usd or 0.0) if cost_usd is None else cost_usd
        errors, key = self.errors.setdefault(response.arm, {}), (response.id, response.sample)
        errors.pop(key, None)  # asked again, it may have been answered
        if response.error is not None:
            errors[key] = response.error

    def errors_of(self, plan: SamplingPlan, arm: str) -> list[str]:
        """Why an arm gave no response where the plan asks for one, the last reason last."""
        held = self.errors.get(arm, {}).items()
        return [why for (id, at), why in held if id in plan.prompts and at < plan.draw.n]


def standing_of(path: Path, plan: SamplingPlan, *, retry_errors: bool = False) -> Standing:
    """Read what is there, and check that it belongs to ``plan``; one response at a time is held.

    Parameters
    ----------
    retry_errors : bool
        Count errors as not done.

    Raises
    ------
    DataError
        If a line is bad, or a prompt of the plan stands there under the same id with other text.
    ConfigError
        If an arm of the plan was sampled with other settings or another seed.
    """
    standing = Standing()
    arms = {arm.name: arm for arm in plan.arms}
    digests = {name: plan.draw.digest(arm) for name, arm in arms.items()}
    for response in read_responses(path):
        _check_prompt(path, response, plan)
        _check_settings(path, response, plan, digests)
        if response.error is None or not retry_errors:
            standing.add(response, _cost_now(response, arms.get(response.arm)))
    return standing


def _cost_now(response: Response, arm: ArmSpec | None) -> float | None:
    """What a response cost whose price was not known when it was drawn, by the plan's price."""
    if arm is None or response.cost_usd is not None:
        return response.cost_usd
    return arm.cost_usd(response.prompt_tokens or 0, response.completion_tokens or 0)


def _check_prompt(path: Path, response: Response, plan: SamplingPlan) -> None:
    row = plan.prompts.get(response.id)
    if row is not None and (row.prompt, row.reference) != (response.prompt, response.reference):
        raise DataError(
            f"{row.where}: the id {response.id!r} stands in {path} with another prompt or "
            "reference; give the prompt a new id, or choose another --out"
        )


def _check_settings(
    path: Path, response: Response, plan: SamplingPlan, digests: Mapping[str, str]
) -> None:
    wanted = digests.get(response.arm)
    if wanted is None or response.id not in plan.prompts:
        return
    held = f"temperature {response.temperature}, max_tokens {response.max_tokens}"
    if response.settings != wanted:
        raise ConfigError(
            f"{path} holds responses of arm {response.arm!r} with other settings (model "
            f"{response.model}, {held}, or another top-p, template or stop); use the same, or "
            "choose another --out"
        )
    if response.seed != plan.draw.seed_of(response.id, response.arm, response.sample):
        raise ConfigError(
            f"{path} holds responses of arm {response.arm!r} from another --seed; use the same, "
            "or choose another --out"
        )
