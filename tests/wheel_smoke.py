"""Run by a clean environment's interpreter, where only the wheel with ``[cli]`` is installed."""

import json
import subprocess
import sys
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import hybridroute
from hybridroute.edge_runtime.bundle import Bundle, default_bundle_path

HOME = Path(sys.prefix).resolve()
COMMAND = HOME / "bin" / "hybridroute"
KEYS = {
    *("arm", "score", "score_kind", "threshold", "dial", "calibrated", "reason", "latency_ms"),
}


def check(fine: bool, what: str) -> None:
    if not fine:
        sys.exit(f"the wheel is not whole: {what}")


def said(*arguments: str) -> str:
    done = subprocess.run(
        [COMMAND, *arguments], capture_output=True, text=True, timeout=120, check=False
    )
    check(done.returncode == 0, f"`hybridroute {' '.join(arguments)}` failed: {done.stderr}")
    return done.stdout


def main() -> None:
    home = Path(hybridroute.__file__).resolve()
    check(home.is_relative_to(HOME), f"hybridroute was imported from {home}")
    check(find_spec("torch") is None, "torch was installed")
    for module in ("hybridroute.edge_runtime.protocols", "hybridroute.training.curve"):
        check(find_spec(module) is not None, f"{module} is missing")
    for folder in ("", "edge_runtime", "training"):
        check((home.parent / folder / "py.typed").is_file(), f"{folder}/py.typed is missing")
    check(default_bundle_path().is_relative_to(HOME), f"the bundle is {default_bundle_path()}")
    Bundle.load(default_bundle_path())
    check(said("--version").split() == ["hybridroute", hybridroute.__version__], "--version")
    check(version("hybridroute") == hybridroute.__version__, "the metadata's version")
    decision = json.loads(said("route", "--json", "What is 2+2?"))
    check(decision.keys() >= KEYS, f"`route --json` gave {sorted(decision)}")
    check(decision["score"] is not None, "`route --json` did not score")
    sys.stdout.write(f"the wheel of hybridroute {hybridroute.__version__} is whole\n")


if __name__ == "__main__":
    main()
