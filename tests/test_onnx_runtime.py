"""edge_runtime/onnx_runtime.py: scoring leaves nothing in the home folder, and looks up nobody."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

SCORE = """
import os, sys
from hybridroute import HybridClient
with HybridClient(mode="only_on_device") as client:
    client.route([{"role": "user", "content": "What is 2+2?"}])
assert "onnxruntime" in sys.modules
print(os.environ["ORT_DISABLE_TELEMETRY"])
"""


def run(home: Path, **variables: str) -> str:
    held = {key: value for key, value in os.environ.items() if not key.startswith(("ORT_", "XDG_"))}
    done = subprocess.run(
        [sys.executable, "-c", SCORE],
        env={**held, "HOME": str(home), **variables},
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert done.stderr == ""
    return done.stdout.strip()


def test_telemetry_is_off_before_the_first_score(tmp_path: Path) -> None:
    assert run(tmp_path) == "1"
    assert [path.name for path in tmp_path.rglob("*")] == []


def test_an_application_decides_for_itself(tmp_path: Path) -> None:
    assert run(tmp_path, ORT_DISABLE_TELEMETRY="true") == "true"
