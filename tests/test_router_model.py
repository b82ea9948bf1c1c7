"""The network: pooling, heads, evidence, score."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch

from hybridroute.training.router_model import RouterModel, ScoringModule, evidence, mean_pooled


class Lookup(torch.nn.Module):
    """Hidden states that are the token's id, in both of two dimensions."""

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> SimpleNamespace:
        return SimpleNamespace(last_hidden_state=input_ids[..., None].float().expand(-1, -1, 2))


IDS = torch.tensor([[1, 5, 9], [2, 4, 77]])
MASK = torch.tensor([[1, 1, 1], [1, 1, 0]])


def test_padding_is_not_pooled() -> None:
    states = Lookup()(IDS, MASK).last_hidden_state
    torch.testing.assert_close(mean_pooled(states, MASK), torch.tensor([[5.0, 5.0], [3.0, 3.0]]))


@pytest.mark.parametrize(("pooling", "pooled"), [("mean", [5.0, 3.0]), ("first", [1.0, 2.0])])
@pytest.mark.parametrize(("heads", "columns", "kind"), [("label", 1, "label"), ("arms", 3, "gap")])
def test_heads_read_the_pooled_state(pooling, pooled, heads, columns, kind) -> None:
    model = RouterModel(Lookup(), width=2, heads=heads, pooling=pooling)
    assert model.score_kind == kind
    with torch.no_grad():
        model.head.weight.copy_(torch.tensor([[1.0, 0.0]]).expand(columns, 2))
        model.head.bias.copy_(torch.arange(columns))
    expected = torch.tensor(pooled)[:, None] + torch.arange(columns)
    torch.testing.assert_close(model(IDS, MASK), expected)


def test_evidence_is_the_logit_or_the_expected_gap() -> None:
    logits = torch.tensor([[2.0, -1.0, 9.0]])
    torch.testing.assert_close(evidence(logits[:, :1], "label"), torch.tensor([2.0]))
    gap = torch.sigmoid(torch.tensor(2.0)) - torch.sigmoid(torch.tensor(-1.0))
    torch.testing.assert_close(evidence(logits, "arms"), gap[None])


def test_the_score_rises_with_the_evidence() -> None:
    model = RouterModel(Lookup(), width=2, heads="arms", pooling="mean")
    with torch.no_grad():
        model.head.weight.copy_(torch.tensor([[1.0, 0.0], [-1.0, 0.0], [0.0, 0.0]]) / 9)
    score = ScoringModule(model, slope=3.0, offset=-0.5)(IDS, MASK)
    found = evidence(model(IDS, MASK), "arms")
    torch.testing.assert_close(score, torch.sigmoid(3.0 * found - 0.5))
    assert score[0] > score[1]
