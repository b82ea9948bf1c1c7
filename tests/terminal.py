"""A command in a pseudo-terminal: what a person types and sees."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import subprocess
import termios
import time
from pathlib import Path
from typing import Self

from cli_run import command, environment

_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")
_PATIENCE_S = 60.0


class Terminal:
    """One run of the command line; ``variables`` are added to its environment."""

    def __init__(self, *arguments: str, cwd: Path, **variables: str) -> None:
        self._master, slave = pty.openpty()
        self.raw = ""
        self._seen = 0
        self.running = subprocess.Popen(
            command(*arguments),
            cwd=cwd,
            env=environment(TERM="xterm-256color", **variables),
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(slave, termios.TIOCSCTTY, 0),  # noqa: PLW1509
        )
        os.close(slave)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.running.kill()
        self.running.wait()
        os.close(self._master)

    @property
    def text(self) -> str:
        """All that was shown, without escapes."""
        return _ESCAPES.sub("", self.raw).replace("\r", "")

    def type(self, keys: str) -> None:
        os.write(self._master, keys.encode())

    def until(self, wanted: str) -> str:
        """Wait until ``wanted`` is shown; what was shown since the last call, up to it."""
        end = time.monotonic() + _PATIENCE_S
        while wanted not in self.text[self._seen :]:
            assert time.monotonic() < end, f"{wanted!r} never came: {self.text[self._seen :]!r}"
            if not self._read():
                break
        shown = self.text[self._seen :]
        assert wanted in shown, f"it ended without {wanted!r}: {shown!r}"
        self._seen += shown.index(wanted) + len(wanted)
        return shown[: shown.index(wanted) + len(wanted)]

    def interrupt_at_prompt(self, wanted: str) -> None:
        """Ctrl-C, and again after five silent seconds, until ``wanted`` is shown.

        One that comes after readline has shown its prompt and before it waits for a key is seen
        only at the next key: a person presses it once more.
        """
        end = time.monotonic() + _PATIENCE_S
        self.type("\x03")
        while wanted not in self.text[self._seen :]:
            assert time.monotonic() < end, f"{wanted!r} never came"
            if select.select([self._master], [], [], 5.0)[0]:
                assert self._read(), f"it ended without {wanted!r}"
            else:
                self.type("\x03")
        self.until(wanted)

    def end(self) -> int:
        """Read to the end; the exit code."""
        while self._read():
            pass
        return self.running.wait(timeout=_PATIENCE_S)

    def _read(self) -> bool:
        if not select.select([self._master], [], [], _PATIENCE_S)[0]:
            return False
        try:
            data = os.read(self._master, 4096)
        except OSError:  # Linux's way to say that the other side is closed
            return False
        self.raw += data.decode("utf-8", "replace")
        return bool(data)
