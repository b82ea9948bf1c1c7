"""onnxruntime as everything here imports it: with its telemetry switched off.

onnxruntime 1.32 for Linux looks up its maker's host and keeps a device's id in the home folder as
soon as it is imported. A router that promises to stay on the device must not; the one switch that
works is this variable, set before the import. An application that sets it decides for itself, and
so does one that has imported onnxruntime before.
"""

from __future__ import annotations

import os

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

import onnxruntime as ort

__all__ = ["ort"]
