"""A network made ready for inference answers as before, or is left as it was."""

from __future__ import annotations

import timm
import torch
from torch import Tensor, nn

from retrieval.encoders.fold_batchnorm import prepare_for_inference

SAMPLE = torch.rand(2, 3, 64, 64)


def norms(network: nn.Module) -> int:
    return sum(isinstance(module, nn.BatchNorm2d) for module in network.modules())


def trained(network: nn.Module) -> nn.Module:
    """With statistics that are not those of a new network."""
    torch.manual_seed(4)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias)
            module.running_mean = torch.randn(module.num_features) * 0.1
            module.running_var = torch.rand(module.num_features) + 0.5
    return network.eval()


def test_normalisations_are_folded_and_the_answer_stays() -> None:
    for name in ("test_resnet", "test_efficientnet"):
        whole = trained(timm.create_model(name, num_classes=0))
        folded = prepare_for_inference(whole, SAMPLE)
        assert norms(whole) > 0
        assert norms(folded) == 0
        assert torch.allclose(folded(SAMPLE), whole(SAMPLE), atol=1e-4)


class Crossed(nn.Module):
    """Its modules are registered in another order than they run in."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.norm, self.second = nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3), nn.Conv2d(3, 3, 1)

    def forward(self, pixels: Tensor) -> Tensor:
        found: Tensor = self.second(self.first(self.norm(pixels)))
        return found


def test_a_network_that_runs_in_another_order_is_left_whole() -> None:
    network = trained(Crossed())
    assert prepare_for_inference(network, SAMPLE) is network


def test_a_network_without_normalisations_is_left_whole() -> None:
    network = nn.Conv2d(3, 4, 3)
    assert prepare_for_inference(network, SAMPLE) is network
