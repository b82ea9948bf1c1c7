"""``hybridroute serve`` as a process, and what can be done to it."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests
from cli_run import command, environment


class Served:
    """One running command."""

    def __init__(self, process: subprocess.Popen[str], start: dict[str, Any]) -> None:
        self.process = process
        self.start = start
        self.url: str = start["url"]

    @property
    def port(self) -> str:
        return self.url.rpartition(":")[2]

    def dial(self) -> float:
        held: float = requests.get(self.url + "/v1/hybridroute/dial", timeout=20).json()["dial"]
        return held

    def ends(self, how: signal.Signals) -> tuple[int, str]:
        """Exit code and what it said, after a signal."""
        self.process.send_signal(how)
        _, said = self.process.communicate(timeout=60)
        return self.process.returncode, said


@contextmanager
def served_in(cwd: Path, *arguments: str, **variables: str) -> Iterator[Served]:
    process = subprocess.Popen(
        command("serve", "--json", "--port", "0", *arguments),
        cwd=cwd,
        env=environment(**variables),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line:
            raise AssertionError(process.communicate(timeout=60)[1])
        yield Served(process, json.loads(line))
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate(timeout=60)


def reloaded(served: Served, *, ok: bool) -> dict[str, Any]:
    """What the page is told of a reload, once it is done."""
    before = _last_reload(served)
    served.process.send_signal(signal.SIGHUP)
    for _ in range(200):
        held = _last_reload(served)
        if held is not None and held != before:
            assert held["ok"] is ok, held
            return dict(held)
        time.sleep(0.05)
    raise AssertionError("the signal was not heard")


def _last_reload(served: Served) -> dict[str, Any] | None:
    info = requests.get(served.url + "/v1/hybridroute/info", timeout=20).json()
    held: dict[str, Any] | None = info["reload"]
    return held
