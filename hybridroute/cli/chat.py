"""``hybridroute chat``: a conversation in the terminal, or one question a line through a pipe."""

from __future__ import annotations

import contextlib
import sys
from typing import TYPE_CHECKING, Any

from hybridroute.cli import options
from hybridroute.cli.output import console, print_json, printable, say
from hybridroute.edge_runtime.errors import ConfigError, HybridRouteError, NoCapableArm

if TYPE_CHECKING:
    from hybridroute.cli.conversation import Conversation, Turn
    from hybridroute.decision import Decision
    from hybridroute.settings_sections import Settings

_COLOURS = {"edge": "green", "cloud": "cyan"}


def chat(
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
    model_memory: options.ModelMemory = None,
    edge: options.Edge = None,
    engine: options.Engine = None,
    cloud_url: options.CloudUrl = None,
    cloud_model: options.CloudModel = None,
    cloud_key_env: options.CloudKeyEnv = None,
) -> None:
    """Talk with both models; each answer says which gave it. /help lists the commands.

    Answers go to stdout, everything else to stderr. Through a pipe, each line is a question or a
    command, and the first failure ends the program; with --json each answer is one JSON line.
    """
    from hybridroute.cli.assemble import client_of, settings_of
    from hybridroute.cli.conversation import Conversation, Limits

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
        model_memory=model_memory,
        edge=edge,
        engine=engine,
        cloud_url=cloud_url,
        cloud_model=cloud_model,
        cloud_key_env=cloud_key_env,
    )
    settings = settings_of(flags)
    limits = Limits(max_tokens=max_tokens, temperature=temperature, seed=seed)
    with client_of(settings) as client:
        talk = Conversation(client, system=system, limits=limits)
        if sys.stdin.isatty() and sys.stdout.isatty() and not json:
            say(_greeting(talk, settings))
            _converse(talk)
        else:
            _read_through(talk, json=json)


def _greeting(talk: Conversation, settings: Settings) -> str:
    from hybridroute.arms import DEFAULT_EDGE_MODEL

    edge = settings.edge.model or DEFAULT_EDGE_MODEL
    cloud = settings.cloud.model or "none configured"
    return f"edge {edge}, cloud {cloud}; {talk.client.setting}. /help lists the commands."


def _converse(talk: Conversation) -> None:
    with contextlib.suppress(ImportError):
        import readline  # noqa: F401 (gives input() its editing and history; nothing is saved)
    while True:
        try:
            line = input("> ")
        except EOFError:
            say("")
            return
        except KeyboardInterrupt:
            say("")
            continue
        try:
            if not _handle(talk, line, json=False):
                return
        except KeyboardInterrupt:
            say("(stopped)")
        except NoCapableArm as exc:
            say(f"{exc}. /new forgets what was said, /mode changes who may answer")
        except HybridRouteError as exc:
            say(str(exc))


def _read_through(talk: Conversation, *, json: bool) -> None:
    try:
        for line in sys.stdin:
            if not _handle(talk, line, json=json):
                return
            if talk.turns and talk.turns[-1].stopped:
                raise KeyboardInterrupt
    except UnicodeDecodeError as exc:
        raise ConfigError("standard input is not UTF-8 text; give each question as text") from exc


def _handle(talk: Conversation, line: str, *, json: bool) -> bool:
    """One line; False ends the chat."""
    from hybridroute.cli.chat_words import QUIT, obey

    text = line.strip()
    if not text:
        return True
    if text in QUIT:
        return False
    if text.startswith("/") and not text.startswith("//"):
        say(obey(text, talk))
        return True
    text = text[1:] if text.startswith("//") else text
    if json:
        print_json(_document(talk.ask(text, lambda _, __: None)), one_line=True)
    else:
        _stream(talk, text)
    return True


def _stream(talk: Conversation, text: str) -> None:
    out = sys.stdout
    clean = printable if out.isatty() else str
    tagged = False

    def show(decision: Decision, piece: str) -> None:
        nonlocal tagged
        if not tagged:
            _tag(decision)
            tagged = True
        out.write(clean(piece))
        out.flush()

    try:
        turn = talk.ask(text, show)
    finally:
        if tagged:
            out.write("\n")
            out.flush()
    if turn.stopped:
        say("(stopped)")


def _tag(decision: Decision) -> None:
    """Who answers, on a line before the answer."""
    if decision.reason == "fallback":
        said = f": {printable(decision.explain())}"
    elif decision.score is None:
        said = f": {decision.reason.replace('_', ' ')}"
    else:
        said = f": score {decision.score:.3f}, threshold {decision.threshold:.3f}"
        said += " (out of scope)" if decision.reason == "out_of_scope" else ""
    shown = console(stderr=True)
    shown.print(
        f"[{decision.arm}] {printable(decision.model)}{said}",
        style=_COLOURS.get(decision.arm, ""),
        markup=False,
        soft_wrap=True,
    )


def _document(turn: Turn) -> dict[str, Any]:
    return {
        "content": turn.text,
        "arm": turn.decision.arm,
        "model": turn.decision.model,
        "first_token_ms": turn.first_token_ms,
        "total_ms": round(turn.total_ms, 3),
        "stopped": turn.stopped,
        "hybridroute": turn.decision.to_dict(),
    }
