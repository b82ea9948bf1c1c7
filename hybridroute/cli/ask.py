"""``hybridroute ask``: one query, answered by the arm the router picks."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from hybridroute.cli import options
from hybridroute.cli.output import print_json, printable, progress, say
from hybridroute.cli.route import decision_body
from hybridroute.edge_runtime.errors import HybridRouteError
from hybridroute.responses import openai_body

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hybridroute.client import HybridClient


def ask(
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
    temperature: options.Temperature = None,
    seed: options.Seed = None,
    bundle: options.Bundle = None,
    arms: options.Arms = None,
    edge: options.Edge = None,
    engine: options.Engine = None,
    cloud_url: options.CloudUrl = None,
    cloud_model: options.CloudModel = None,
    cloud_key_env: options.CloudKeyEnv = None,
) -> None:
    """Answer a query. The answer streams to stdout; who answered and why goes to stderr."""
    from hybridroute.cli.assemble import client_of, messages_of, settings_of

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
    asked: dict[str, Any] = {
        "messages": messages_of(query, system),
        "max_tokens": max_tokens,
        "temperature": temperature,
        "seed": seed,
    }
    settings = settings_of(flags)
    if settings.file is not None:
        progress(f"settings from {settings.file}")
    with client_of(settings) as client:
        if json:
            print_json(_answer_body(client, asked))
        else:
            _stream(client, asked)


def _answer_body(client: HybridClient, asked: Mapping[str, Any]) -> dict[str, Any]:
    """OpenAI's object, the Decision's fields as ``route`` gives them, content and usage on top.

    ``id`` is the answer's, as in OpenAI's object; the Decision, with its own, is whole under
    ``hybridroute``.
    """
    answer = client.chat.completions.create(**asked)
    decision = answer.hybridroute
    if not decision.scored:
        # One arm that is left needs no score to answer; here it is to be seen, with what it took.
        looked = client.route(asked["messages"], max_tokens=asked["max_tokens"])
        decision = replace(
            decision,
            score=looked.score,
            estimates=looked.estimates,
            unknown_share=looked.unknown_share,
            text_ms=looked.text_ms,
            score_ms=looked.score_ms,
            latency_ms=looked.latency_ms,
        )
    body = openai_body(answer)
    return {
        **decision_body(decision, client),
        **body,
        "hybridroute": decision.to_dict(),
        "content": answer.choices[0].message.content,
        "usage": body.get("usage"),
    }


def _stream(client: HybridClient, asked: Mapping[str, Any]) -> None:
    out = sys.stdout
    clean = printable if out.isatty() else str
    last = "\n"
    with client.chat.completions.create(**asked, stream=True) as stream:
        try:
            for chunk in stream:
                for choice in chunk.choices:
                    text = clean(choice.delta.content or "")
                    out.write(text)
                    last = text[-1:] or last
                out.flush()
        except (HybridRouteError, KeyboardInterrupt):
            # What is said of it begins on a line of its own.
            out.write("" if last == "\n" else "\n")
            out.flush()
            raise
        out.write("\n")
        out.flush()
        say(stream.decision.explain())
