"""hybridroute inside an application, with your own cloud key.

Set OPENAI_API_KEY and run ``python examples/embed_in_app.py "Your question"``. CLOUD_BASE_URL and
CLOUD_MODEL name any other OpenAI-compatible endpoint. The small model comes with
``hybridroute models pull smollm2-135m``.
"""

import os
import sys

from hybridroute import CloudSettings, HybridClient, HybridRouteError

QUESTIONS = ("What is the capital of France?", "Prove that the square root of 2 is irrational.")


def main() -> None:
    cloud = CloudSettings(
        base_url=os.environ.get("CLOUD_BASE_URL", "https://api.openai.com/v1"),
        model=os.environ.get("CLOUD_MODEL", "gpt-4o-mini"),
        api_key_env="OPENAI_API_KEY",  # the variable's name; the key is read when it is sent
    )
    with HybridClient(edge="smollm2-135m", cloud=cloud) as client:
        for dial in (0.0, 0.5, 1.0):  # all on the device; in between; the best the pair can do
            client.dial = dial
            for question in sys.argv[1:] or QUESTIONS:
                answer = client.chat.completions.create(
                    messages=[{"role": "user", "content": question}], max_tokens=64
                )
                print(f"\n[dial {dial:g}] {question}\n{answer.choices[0].message.content}")
                print(f"  {answer.hybridroute.explain()}")


if __name__ == "__main__":
    try:
        main()
    except HybridRouteError as error:  # one tree: every message says what to do
        sys.exit(str(error))
