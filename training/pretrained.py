"""A fitted router as a folder that can be trained further, and shared on a hub.

``config.json`` is the encoder's own, as transformers writes it, with one more key; the encoder's
weights are named as transformers names them. So the folder is also an encoder that
``hybridroute train --encoder FOLDER`` starts from. Safetensors and JSON alone, never pickle.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from hybridroute._version import __version__
from hybridroute.edge_runtime.errors import BundleError, TrainingError
from hybridroute.edge_runtime.tokenizer import RouterTokenizer
from hybridroute.hub import folder_of
from hybridroute.routed_text import TEXT_RULE
from hybridroute.training.checkpoint import load_weights, save_weights
from hybridroute.training.device_export import torch_scores
from hybridroute.training.encoders import PACKAGED_MINILM, packaged_minilm
from hybridroute.training.fit_config import HeadsKind, PoolingKind
from hybridroute.training.router_model import RouterModel, ScoringModule
from hybridroute.training.score_map import ScoreMap

CONFIG, WEIGHTS, TOKENIZER, CARD = (
    "config.json",
    "model.safetensors",
    "tokenizer.json",
    "README.md",
)
TOKENIZER_CONFIG = "tokenizer_config.json"
FILES = (CONFIG, WEIGHTS, TOKENIZER, TOKENIZER_CONFIG, CARD)
_KEY = "hybridroute"
_SCHEMA_VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PretrainedRouter:
    """A fitted router with all that turns a text into its score.

    Parameters
    ----------
    model : RouterModel
        On a DeBERTa-v2 encoder.
    score_map : ScoreMap
    tokenizer : RouterTokenizer
    arms : tuple of str
        The models it was fitted for, in the order edge, cloud.
    """

    model: RouterModel
    score_map: ScoreMap
    tokenizer: RouterTokenizer
    arms: tuple[str, str]

    def score(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Scores of routed texts in torch, shape (n,)."""
        return torch_scores(_scoring(self), texts, self.tokenizer)

    def save_pretrained(
        self, folder: str | Path, *, card: str = "", encoder: str | Path | None = None
    ) -> Path:
        """Write the folder; files of an older one there are replaced.

        Parameters
        ----------
        card : str
            The text of README.md.
        encoder : str or Path or None
            What it was fitted from: a folder's, or the packaged MiniLM's,
            ``tokenizer_config.json`` is kept, where there is one.

        Raises
        ------
        TrainingError
            If the folder cannot be written.
        """
        place = Path(folder)
        config = json.dumps(_config_of(self), ensure_ascii=False, indent=2, sort_keys=True) + "\n"
        try:
            place.mkdir(parents=True, exist_ok=True)
            # Read by `from_pretrained` first: a folder that is half written is none.
            (place / CONFIG).unlink(missing_ok=True)
            save_weights(place / WEIGHTS, _HubNames(self.model))
            (place / TOKENIZER).write_text(self.tokenizer.to_json(), encoding="utf-8")
            (place / CARD).write_text(card, encoding="utf-8")
            (place / TOKENIZER_CONFIG).unlink(missing_ok=True)
            if encoder is not None:
                source = packaged_minilm() if encoder == PACKAGED_MINILM else Path(encoder)
                if (source / TOKENIZER_CONFIG).is_file():
                    shutil.copyfile(source / TOKENIZER_CONFIG, place / TOKENIZER_CONFIG)
            (place / CONFIG).write_text(config, encoding="utf-8")
        except OSError as exc:
            raise TrainingError(f"cannot write {place}: {exc}; give another folder") from exc
        return place

    @classmethod
    def from_pretrained(
        cls, name: str | Path, *, local_files_only: bool = False, revision: str | None = None
    ) -> PretrainedRouter:
        """Load a folder, or a hub's repository by name.

        Parameters
        ----------
        name : str or Path
            A folder, or ``owner/name`` on the hub (extra ``hub``).
        local_files_only : bool
            Take the hub's files from this machine's cache; ask no network.
        revision : str or None
            A branch, tag or commit of the hub's repository.

        Raises
        ------
        TrainingError
            If it cannot be had, or is not what ``save_pretrained`` wrote.
        ConfigError
            If the hub is needed and its client is not installed.
        """
        try:
            folder = folder_of(
                name, patterns=FILES, local_files_only=local_files_only, revision=revision
            )
            tokenizer_data = (folder / TOKENIZER).read_bytes()
            held = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
            ours = held[_KEY]
            _check_schema(ours, folder)
            model = _model_of(held, heads=ours["heads"], pooling=ours["pooling"])
            score_map = ScoreMap(slope=float(ours["slope"]), offset=float(ours["offset"]))
            tokenizer = RouterTokenizer.from_bytes(tokenizer_data, max_tokens=ours["max_tokens"])
            edge, cloud = ours["arms"]
        except (BundleError, OSError, ValueError, KeyError, TypeError) as exc:
            raise TrainingError(
                f"{name} is not a router that `save_pretrained` wrote ({type(exc).__name__}: {exc})"
            ) from exc
        load_weights(folder / WEIGHTS, _HubNames(model))
        return cls(model=model.eval(), score_map=score_map, tokenizer=tokenizer, arms=(edge, cloud))


def _scoring(router: PretrainedRouter) -> ScoringModule:
    held = router.score_map
    return ScoringModule(router.model, slope=held.slope, offset=held.offset)


def _config_of(router: PretrainedRouter) -> dict[str, Any]:
    encoder: Any = router.model.encoder
    held: dict[str, Any] = encoder.config.to_dict()
    held.pop("_name_or_path", None)  # a path of this machine
    return {
        **held,
        "architectures": ["DebertaV2Model"],
        _KEY: {
            "schema_version": _SCHEMA_VERSION,
            "hybridroute_version": __version__,
            "heads": router.model.heads,
            "pooling": router.model.pooling,
            "max_tokens": router.tokenizer.max_tokens,
            "slope": router.score_map.slope,
            "offset": router.score_map.offset,
            "text_rule": TEXT_RULE,
            "arms": list(router.arms),
        },
    }


def _check_schema(ours: Mapping[str, Any], folder: Path) -> None:
    if ours["schema_version"] != _SCHEMA_VERSION or ours["text_rule"] != TEXT_RULE:
        raise TrainingError(
            f"{folder} has schema {ours['schema_version']!r} and text rule {ours['text_rule']!r}; "
            f"this hybridroute reads {_SCHEMA_VERSION} and {TEXT_RULE!r}. Upgrade hybridroute, or "
            "train again"
        )


def _model_of(config: Mapping[str, Any], *, heads: HeadsKind, pooling: PoolingKind) -> RouterModel:
    from transformers import DebertaV2Config, DebertaV2Model

    if config.get("model_type") != "deberta-v2":
        raise ValueError(f"model_type is {config.get('model_type')!r}, not deberta-v2")
    if heads not in ("label", "arms") or pooling not in ("mean", "first"):
        raise ValueError(f"heads {heads!r} and pooling {pooling!r} are not known")
    plain = {key: value for key, value in config.items() if key != _KEY}
    encoder = DebertaV2Model(DebertaV2Config.from_dict(plain)).float()
    width = int(encoder.config.hidden_size)
    return RouterModel(encoder, width=width, heads=heads, pooling=pooling)


class _HubNames(nn.Module):
    """The router's own parts under the names that transformers gives a DeBERTa's weights."""

    def __init__(self, model: RouterModel) -> None:
        super().__init__()
        self.deberta = model.encoder
        self.head = model.head
