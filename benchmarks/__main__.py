"""Run measurements: ``python -m benchmarks [NAME ...]``, all of them if none is named."""

from __future__ import annotations

import argparse
import os
import platform
from importlib import import_module

NAMES = (
    *("import_time", "bundle_ready", "install_size", "router_speed", "first_token"),
    *("quality_speed", "sampling_speed", "frozen_heads", "pool_estimators", "server_speed"),
    *("compare_speed", "promise_speed"),
)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(NAMES))
    names = parser.parse_args().names or NAMES
    unknown = sorted(set(names) - set(NAMES))
    if unknown:
        parser.error(f"no measurement is called {', '.join(unknown)}; there are {', '.join(NAMES)}")
    busy = f", load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    print(f"Python {platform.python_version()}, {os.cpu_count()} cores{busy}")
    for name in names:
        import_module(f"benchmarks.{name}").measure().show()


if __name__ == "__main__":
    main()
