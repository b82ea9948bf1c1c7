"""The lines of a chat that begin with a slash: each does one thing and says what it did."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from statistics import median
from types import MappingProxyType

from hybridroute.cli.conversation import Conversation, Turn
from hybridroute.cli.expected_words import expected_line
from hybridroute.decision import Decision
from hybridroute.edge_runtime.errors import ConfigError
from hybridroute.modes import checked_mode
from hybridroute.setting import AmountKind, Setting, setting_of

QUIT = ("/quit", "/exit")

HELP = """\
/dial 0.7        quality dial, 0 (all edge) to 1 (best); /dial alone shows what is in force
/threshold 0.4   the edge answers if score >= threshold
/cost 0.6        cost advantage: the share of queries for the edge; of a pool, of money saved
/budget 0.002    of a pool: the mean US dollars a query may cost
/weight 50       of a pool: quality given up for a US dollar
/mode NAME       auto, only_on_device, only_in_cloud, prefer_on_device, prefer_in_cloud
/why             who gave the last answer, and why
/stats           shares and times so far
/new             forget what was said
/quit            end; so does Ctrl-D. Ctrl-C stops an answer
//text           asks "/text\""""


def obey(line: str, talk: Conversation) -> str:
    """Do what a slash line says, and tell the outcome.

    Raises
    ------
    ConfigError
        If the word is unknown or its argument wrong; nothing is changed then.
    NoCapableArm
        If a mode leaves no arm.
    """
    word, _, rest = line.strip().partition(" ")
    does = _WORDS.get(word)
    if does is None:
        raise ConfigError(f"{word} is not a command; /help lists them, and //text asks /text")
    return does(talk, rest.strip())


def _set(kind: AmountKind) -> Callable[[Conversation, str], str]:
    def act(talk: Conversation, text: str) -> str:
        if text:
            talk.client.setting = setting_of(kind, _number(kind, text))
        client = talk.client
        threshold = "" if client.threshold is None else f", threshold {client.threshold:.3f}"
        return f"{client.setting}{threshold}: {expected_line(client.expect().to_dict())}"

    return act


def _number(kind: AmountKind, text: str) -> float:
    try:
        return float(text)
    except ValueError as exc:
        raise ConfigError(f"{kind} is {text!r}; give a number") from exc


def _mode(talk: Conversation, text: str) -> str:
    if text:
        mode = checked_mode(text)
        # Decides for a text of no weight: it fails where the mode leaves no arm, or is too wide.
        hello = [{"role": "user", "content": "Hello"}]
        talk.client.route(hello, mode=mode, always_score=False)
        talk.mode = mode
    return f"mode {talk.mode or talk.client.mode}"


def _why(talk: Conversation, _: str) -> str:
    if not talk.turns:
        return "nothing was answered yet"
    turn = talk.turns[-1]
    decision = turn.decision
    lines = [decision.explain()]
    if decision.threshold is not None:
        lines.append(_score(talk, turn))
        asked = "" if decision.setting_kind == "threshold" else f", from {_setting(turn)}"
        lines.append(f"threshold {decision.threshold:.3f}{asked}")
    expected = talk.client.expect(setting=_setting_then(decision))
    lines.append(expected_line(expected.to_dict()))
    lines += [f"left out: {arm}: {why}" for arm, why in decision.left_out.items()]
    lines.append(_times(turn))
    return "\n".join(lines)


def _score(talk: Conversation, turn: Turn) -> str:
    score, note = turn.decision.score, ""
    if score is None:
        # Where one arm is left nothing is scored before the answer; here it is to be seen.
        looked = talk.client.route(turn.messages, mode=turn.decision.mode)
        score, note = looked.score, "; it was not asked for, as one arm was left"
    if score is None:
        return "no score: there is no text to judge"
    means = (
        "estimates the chance that the edge's answer is as good"
        if turn.decision.score_kind == "label"
        else "orders queries by how well the edge does; not a probability"
    )
    return f"score {score:.3f} ({means}{note})"


def _setting(turn: Turn) -> str:
    if turn.decision.setting_kind == "promise":
        held = turn.decision.promise
        return "a promise that does not stand here" if held is None else f"the promise: {held}"
    kind = turn.decision.setting_kind
    return f"{kind.replace('_', ' ')} {getattr(turn.decision, kind):g}"


def _setting_then(decision: Decision) -> Setting | None:
    """What was in force for that answer; None, for what is in force now, if it was a promise."""
    kind = decision.setting_kind
    return None if kind == "promise" else setting_of(kind, getattr(decision, kind))


def _times(turn: Turn) -> str:
    first = "no token came" if turn.first_token_ms is None else f"{turn.first_token_ms:.0f} ms"
    stopped = ", stopped" if turn.stopped else ""
    return (
        f"decided in {turn.decision.latency_ms:.0f} ms, first token {first}, whole answer "
        f"{turn.total_ms:.0f} ms{stopped}"
    )


def _stats(talk: Conversation, _: str) -> str:
    if not talk.turns:
        return "nothing was answered yet"
    by_arm: dict[str, list[Turn]] = {}
    for turn in talk.turns:
        by_arm.setdefault(turn.decision.arm, []).append(turn)
    fallbacks = sum(turn.decision.reason == "fallback" for turn in talk.turns)
    stopped = sum(turn.stopped for turn in talk.turns)
    share = len(by_arm.get("edge", ())) / len(talk.turns)
    head = (
        f"{len(talk.turns)} answers, {share:.0%} on the edge, {fallbacks} by fallback, "
        f"{stopped} stopped"
    )
    return "\n".join([head, *(_arm_stats(arm, turns) for arm, turns in sorted(by_arm.items()))])


def _arm_stats(arm: str, turns: Sequence[Turn]) -> str:
    first = [turn.first_token_ms for turn in turns if turn.first_token_ms is not None]
    waited = f"{median(first):.0f} ms" if first else "-"
    whole = median(turn.total_ms for turn in turns)
    return f"{arm}: {len(turns)} answers; medians: first token {waited}, whole {whole:.0f} ms"


def _new(talk: Conversation, _: str) -> str:
    talk.forget()
    return "a new conversation"


_WORDS: Mapping[str, Callable[[Conversation, str], str]] = MappingProxyType(
    {
        "/dial": _set("dial"),
        "/threshold": _set("threshold"),
        "/cost": _set("cost_advantage"),
        "/budget": _set("budget_usd"),
        "/weight": _set("cost_weight"),
        "/mode": _mode,
        "/why": _why,
        "/stats": _stats,
        "/new": _new,
        "/help": lambda _, __: HELP,
    }
)
