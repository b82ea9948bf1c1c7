"""A fitted router saved, loaded again, trained on from, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from tiny_encoder import CLOUD, EDGE, outcomes, router_words, tiny_config, tiny_deberta, tiny_plan

from hybridroute.edge_runtime.errors import ConfigError, TrainingError
from hybridroute.edge_runtime.tokenizer import RouterTokenizer
from hybridroute.training.device_export import torch_scores
from hybridroute.training.encoders import load_encoder
from hybridroute.training.pipeline import train
from hybridroute.training.pretrained import (
    CARD,
    CONFIG,
    TOKENIZER_CONFIG,
    WEIGHTS,
    PretrainedRouter,
)
from hybridroute.training.router_model import RouterModel, ScoringModule
from hybridroute.training.score_map import ScoreMap

TEXTS = ["greet sea king", "prove river", "", "door " * 50]


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tiny_deberta(tmp_path_factory.mktemp("encoder"))
    (folder / TOKENIZER_CONFIG).write_text('{"do_lower_case": true}')
    return folder


def router(encoder: Path, heads: str = "arms", pooling: str = "mean") -> PretrainedRouter:
    held = load_encoder(str(encoder), position_buckets=8, dropout=0.1)
    torch.manual_seed(3)
    model = RouterModel(held.module, width=held.width, heads=heads, pooling=pooling)
    torch.nn.init.normal_(model.head.weight, std=2.0)
    return PretrainedRouter(
        model=model,
        score_map=ScoreMap(slope=3.5, offset=-0.25),
        tokenizer=RouterTokenizer(router_words(), max_tokens=24),
        arms=(EDGE, CLOUD),
    )


@pytest.fixture
def saved(encoder: Path, tmp_path: Path) -> Path:
    return router(encoder).save_pretrained(tmp_path / "saved", card="# Card\n", encoder=encoder)


@pytest.mark.parametrize("heads", ["arms", "label"])
@pytest.mark.parametrize("pooling", ["mean", "first"])
def test_scores_are_the_same(encoder: Path, tmp_path: Path, heads: str, pooling: str) -> None:
    held = router(encoder, heads, pooling)
    folder = held.save_pretrained(tmp_path / "saved")
    again = PretrainedRouter.from_pretrained(folder)
    found = held.score(TEXTS)
    assert np.ptp(found) > 1e-3
    np.testing.assert_array_equal(again.score(TEXTS), found)
    assert (again.arms, again.score_map) == (held.arms, held.score_map)
    assert (again.model.heads, again.model.pooling) == (heads, pooling)
    assert again.tokenizer.max_tokens == 24


def test_the_network_alone_is_loaded_by_its_class(encoder: Path, saved: Path) -> None:
    model = RouterModel.from_pretrained(str(saved), local_files_only=True)
    held = router(encoder)
    scoring = ScoringModule(model, slope=3.5, offset=-0.25)
    np.testing.assert_array_equal(torch_scores(scoring, TEXTS, held.tokenizer), held.score(TEXTS))


def test_the_folder_is_what_a_hub_expects(saved: Path) -> None:
    names = {path.name for path in saved.iterdir()}
    assert names == {CONFIG, WEIGHTS, "tokenizer.json", TOKENIZER_CONFIG, CARD}
    config = json.loads((saved / CONFIG).read_text())
    assert config["model_type"] == "deberta-v2"
    assert "_name_or_path" not in config
    assert str(saved.parent) not in (saved / CONFIG).read_text()
    assert {name.partition(".")[0] for name in load_file(saved / WEIGHTS)} == {"deberta", "head"}


def test_the_folder_is_an_encoder_to_start_from(encoder: Path, saved: Path) -> None:
    again = load_encoder(str(saved), position_buckets=8, dropout=0.0).module
    trained = router(encoder).model.encoder
    for name, value in trained.state_dict().items():
        torch.testing.assert_close(again.state_dict()[name], value)


def test_saving_again_replaces_and_leaves_no_older_tokenizer_config(
    encoder: Path, saved: Path
) -> None:
    router(encoder, "label").save_pretrained(saved)
    assert PretrainedRouter.from_pretrained(saved).model.heads == "label"
    assert not (saved / TOKENIZER_CONFIG).exists()


@pytest.mark.parametrize("name", [CONFIG, WEIGHTS, "tokenizer.json"])
@pytest.mark.parametrize("data", [None, b"", b"{}", b"\xff\xfe"])
def test_a_missing_or_damaged_file_is_told(saved: Path, name: str, data: bytes | None) -> None:
    if data is None:
        (saved / name).unlink()
    else:
        (saved / name).write_bytes(data)
    with pytest.raises(TrainingError):
        PretrainedRouter.from_pretrained(saved)


@pytest.mark.parametrize(
    "change",
    [
        {"schema_version": 2},
        {"text_rule": "other"},
        {"heads": "many"},
        {"pooling": "last"},
        {"arms": ["one"]},
        {"max_tokens": None},
        {"slope": "steep"},
    ],
)
def test_an_unfit_config_is_refused(saved: Path, change: dict[str, object]) -> None:
    config = json.loads((saved / CONFIG).read_text())
    config["hybridroute"] |= change
    (saved / CONFIG).write_text(json.dumps(config))
    with pytest.raises(TrainingError):
        PretrainedRouter.from_pretrained(saved)


def test_another_models_folder_is_refused(encoder: Path) -> None:
    with pytest.raises(TrainingError, match="is not a router that `save_pretrained` wrote"):
        PretrainedRouter.from_pretrained(encoder)


def test_a_place_that_cannot_be_written_is_told(encoder: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(TrainingError, match="give another folder"):
        router(encoder).save_pretrained(tmp_path / "file")


def test_a_name_without_the_hubs_client(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "huggingface_hub", None)
    with pytest.raises(ConfigError, match=r"hybridroute\[hub\]"):
        PretrainedRouter.from_pretrained("someone/router")


def test_a_run_leaves_its_checkpoint_with_the_bundles_scores(encoder: Path, tmp_path: Path) -> None:
    plan = tiny_plan(outcomes(160), tiny_config(encoder, epochs=1), tmp_path, licence="mit")
    trained = train(plan)
    assert trained.checkpoint == plan.work / "pretrained"
    router = PretrainedRouter.from_pretrained(trained.checkpoint)
    assert router.arms == (EDGE, CLOUD)
    texts = outcomes(160).texts()[:40]
    shipped = trained.bundle.scorer().score(texts)
    np.testing.assert_allclose(router.score(texts), shipped, atol=1e-4)
    for folder, form in ((trained.checkpoint, "safetensors"), (plan.out, "onnx")):
        card = (folder / CARD).read_text(encoding="utf-8")
        assert card.startswith('---\nlibrary_name: "hybridroute"\n')
        assert 'license: "mit"' in card
        assert f'"{form}"]' in card
