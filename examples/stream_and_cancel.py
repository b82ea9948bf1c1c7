"""Stream an answer and stop it early: leaving the ``with`` block cancels the generation.

Nothing leaves this device: in the mode ``only_on_device`` no network code is even imported.
"""

import sys

from hybridroute import HybridClient, HybridRouteError

ENOUGH = 120


def first_characters(client: HybridClient, question: str) -> None:
    """Print an answer as it comes, up to ENOUGH characters."""
    messages = [{"role": "user", "content": question}]
    shown = 0
    with client.chat.completions.create(messages=messages, stream=True, seed=1) as stream:
        for chunk in stream:
            for choice in chunk.choices:
                text = choice.delta.content or ""
                print(text, end="", flush=True)
                shown += len(text)
            if shown >= ENOUGH:
                print(" ... [cancelled]", end="")
                break
    print(f"\n  first token after {stream.first_token_ms:.0f} ms; {stream.decision.explain()}")


def main() -> None:
    with HybridClient(mode="only_on_device") as client:
        client.warm_up()  # so that the first answer does not wait for the model to load
        first_characters(client, "Tell me a long story about a lighthouse keeper.")
        first_characters(client, "What is the capital of France?")


if __name__ == "__main__":
    try:
        main()
    except HybridRouteError as error:
        sys.exit(str(error))
