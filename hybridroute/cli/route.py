"""``hybridroute route``: decide, and call no model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hybridroute.cli import options
from hybridroute.cli.expected_words import expected_line
from hybridroute.cli.output import console, print_json
from hybridroute.edge_runtime.errors import ConfigError, RequestError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hybridroute.client import HybridClient
    from hybridroute.decision import Decision
    from hybridroute.edge_runtime.chat import Message
    from hybridroute.settings_sections import Settings


def route(
    query: options.Query,
    *,
    json: options.Json = False,
    mode: options.Mode = None,
    dial: options.Dial = None,
    threshold: options.Threshold = None,
    cost_advantage: options.CostAdvantage = None,
    cost_weight: options.CostWeight = None,
    budget_usd: options.BudgetUsd = None,
    max_drop: options.MaxDrop = None,
    confidence: options.Confidence = None,
    drop_kind: options.DropKind = None,
    system: options.System = None,
    max_tokens: options.MaxTokens = None,
    bundle: options.Bundle = None,
    arms: options.Arms = None,
    edge: options.Edge = None,
    engine: options.Engine = None,
    cloud_url: options.CloudUrl = None,
    cloud_model: options.CloudModel = None,
    cloud_key_env: options.CloudKeyEnv = None,
) -> None:
    """Say which arm would answer a query, and why. No model is called; no key is needed."""
    from hybridroute.cli.assemble import client_of, messages_of, settings_of
    from hybridroute.cli.unconfigured_arm import UnconfiguredArm

    flags = options.as_flags(
        mode=mode,
        dial=dial,
        threshold=threshold,
        cost_advantage=cost_advantage,
        cost_weight=cost_weight,
        budget_usd=budget_usd,
        max_drop=max_drop,
        confidence=confidence,
        drop_kind=drop_kind,
        bundle=bundle,
        arms=arms,
        edge=edge,
        engine=engine,
        cloud_url=cloud_url,
        cloud_model=cloud_model,
        cloud_key_env=cloud_key_env,
    )
    settings, messages = settings_of(flags), messages_of(query, system)
    with client_of(settings, only_decides=True) as client:
        decision = client.route(messages, max_tokens=max_tokens)
        body = decision_body(decision, client)
        if json:
            print_json({**body, "cloud_configured": settings.cloud.model is not None})
            return
        if any(isinstance(arm, UnconfiguredArm) for arm in client.arms):
            is_pair = client.bundle.manifest.pool is None
            missing = "No cloud is" if is_pair else "The bundle's arms are not"
            picked = f"the router picks {decision.arm}: {decision.because()}"
            said = [
                _as_ask_says(settings, client, messages, max_tokens),
                f"{missing} configured; if so, {picked}.",
            ]
        else:
            said = [decision.explain()]
    out = console()
    for line in said:
        out.print(line, markup=False, soft_wrap=True)
    details = _details(decision, body["expectation"])
    out.print(details, style="dim", markup=False, soft_wrap=True)


def _as_ask_says(
    settings: Settings, client: HybridClient, messages: Sequence[Message], max_tokens: int | None
) -> str:
    """Which of the arms there are would answer, or why none."""
    from hybridroute.cli.assemble import client_of

    try:
        with client_of(settings, bundle=client.bundle) as there:
            return there.route(messages, max_tokens=max_tokens, always_score=False).explain()
    except (ConfigError, RequestError) as exc:
        return f"Nothing answers: {exc}."


def decision_body(decision: Decision, client: HybridClient) -> dict[str, Any]:
    """The Decision's fields, and what its setting is expected to do: null if not calibrated."""
    expectation = client.expect() if decision.calibrated else None
    return {
        **decision.to_dict(),
        "expectation": None if expectation is None else expectation.to_dict(),
    }


def _details(decision: Decision, expectation: dict[str, Any] | None) -> str:
    parts = [f"decided in {decision.latency_ms:.0f} ms, loading the router included"]
    if expectation is None:
        parts.append(
            "not calibrated for these models: the dial is a share of queries for the cloud"
        )
    else:
        parts.append(expected_line(expectation))
    return "; ".join(parts)
