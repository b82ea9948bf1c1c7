"""Start `hybridroute serve`, ask it with the official `openai` client, turn the dial, end it.

    pip install 'hybridroute[server,prebuilt]' openai
    python serve_and_ask.py "What is 2+2?"

Any OpenAI client in any language does the same: only `base_url` changes. With no cloud configured
the model on this device answers everything; `hybridroute.toml` or HYBRIDROUTE_CLOUD_MODEL adds one.
"""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
from typing import Any

from openai import OpenAI

COMMAND = [sys.executable, "-c", "from hybridroute.cli import main; main()", "serve"]


def main() -> None:
    """Serve on a free port for as long as the questions last."""
    question = " ".join(sys.argv[1:]) or "Rewrite politely: send me the file."
    server = subprocess.Popen([*COMMAND, "--json", "--port", "0"], stdout=subprocess.PIPE)
    try:
        assert server.stdout is not None
        line = server.stdout.readline()
        if not line:
            sys.exit("the server did not start; its reason stands above")
        url = json.loads(line)["url"]
        ask(url, question)
        stream(url, question, dial=turned(url, 0.2))
    finally:
        server.terminate()  # answers under way end first
        server.wait()


def ask(url: str, question: str) -> None:
    """One whole answer, with the dial of this request alone."""
    client = OpenAI(base_url=f"{url}/v1", api_key="none is needed on this machine")
    answer: Any = client.chat.completions.create(
        model="hybridroute",
        messages=[{"role": "user", "content": question}],
        max_tokens=40,
        extra_body={"dial": 0.8},
    )
    print(answer.choices[0].message.content)
    print(f"[{answer.hybridroute['explanation']}]")


def turned(url: str, dial: float) -> float:
    """Turn the dial for everybody; what is in force then."""
    request = urllib.request.Request(
        f"{url}/v1/hybridroute/dial",
        data=json.dumps({"dial": dial}).encode(),
        headers={"Content-Type": "application/json"},
        method="PUT",
    )
    with urllib.request.urlopen(request) as answer:
        return float(json.load(answer)["dial"])


def stream(url: str, question: str, dial: float) -> None:
    """A streamed answer under the new dial."""
    client = OpenAI(base_url=f"{url}/v1", api_key="none is needed on this machine")
    print(f"[the dial is {dial:g}]")
    for chunk in client.chat.completions.create(
        model="hybridroute",
        messages=[{"role": "user", "content": question}],
        max_tokens=40,
        stream=True,
    ):
        print(chunk.choices[0].delta.content or "", end="", flush=True)
    print()


if __name__ == "__main__":
    main()
