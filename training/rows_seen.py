"""Which rows a bundle has met before: in its training, or in its calibration.

A fitted or selected-on row flatters every figure. A calibration row set the score's map, the dial's
table and the first promises, so it flatters those alone.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hybridroute.edge_runtime.manifest import Manifest
from hybridroute.training.outcomes import OutcomeTable

CALIBRATION_HASHES = "calibration_hashes"
"""In a manifest's training facts: the prompt hashes of the rows it was calibrated on."""


def seen_in_training(manifest: Manifest, table: OutcomeTable) -> NDArray[np.bool_]:
    """Whether the router was fitted or selected on each row's prompt, shape (n,)."""
    known = set(manifest.training_hashes)
    return np.array([key in known for key in table.prompt_hashes()], dtype=np.bool_)


def count_seen_in_calibration(manifest: Manifest, table: OutcomeTable) -> int | None:
    """How many rows `train` calibrated the bundle on; None where the bundle does not store them.

    Rows that were given to `calibrate` afterwards are not stored.
    """
    held = manifest.training.get(CALIBRATION_HASHES)
    if not isinstance(held, (list, tuple)):
        return None
    known = set(held)
    return sum(key in known for key in table.prompt_hashes())
