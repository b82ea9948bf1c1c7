"""Several arms: a small model, a tool and a person, with one router before them.

    python examples/many_arms.py BUNDLE

BUNDLE is what ``hybridroute train --estimator ridge`` wrote from outcomes of three arms named
``clock``, ``small`` and ``person``. Anything that can be called is an arm.
"""

import sys
from datetime import UTC, datetime
from queue import SimpleQueue

from hybridroute import Arm, CallableArm, HybridClient, LlamaArm, Prices
from hybridroute.edge_runtime.chat import ChatRequest, text_of

QUERIES = ("What time is it?", "Name a colour.", "I want my money back!")
waiting: SimpleQueue[str] = SimpleQueue()


def tell_the_time(_: ChatRequest) -> str:
    """A tool: no model, no cost."""
    return f"It is {datetime.now(UTC):%H:%M} UTC."


def hand_over(request: ChatRequest) -> str:
    """A hand-off: the question goes to somebody's desk, the user is told so."""
    waiting.put(text_of(request.messages[-1]))
    return "A colleague will answer you today."


def main() -> None:
    """Ask three questions; show who answered each, and what the router thought of every arm."""
    arms: list[Arm] = [
        CallableArm("clock", tell_the_time, place="device", prices=Prices()),
        LlamaArm("smollm2-135m", name="small"),
        CallableArm("person", hand_over, place="cloud"),
    ]
    with HybridClient(sys.argv[1], arms=arms, dial=1.0) as client:
        for query in QUERIES:
            answer = client.chat.completions.create(
                messages=[{"role": "user", "content": query}], max_tokens=24
            )
            print(f"{query}\n  {answer.choices[0].message.content}")
            print(f"  {answer.hybridroute.explain()}")
    print(f"on the desk: {waiting.qsize()}")


if __name__ == "__main__":
    main()
