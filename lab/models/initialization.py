"""How the weights of recurrent layers start."""

from __future__ import annotations

import torch
from torch import nn


@torch.no_grad()
def start_orthogonal(layers: nn.Module, open_gate: float = 1.0) -> None:
    """Give each gate an orthogonal matrix W_hh, and add to the bias of an LSTM's forget gates.

    Orthogonal: Saxe et al., ICLR 2014. Open gates: Gers et al., Neural Computation 2000;
    Jozefowicz et al., ICML 2015.
    """
    for name, weight in layers.named_parameters():
        hidden = weight.shape[-1]
        if "weight_hh" in name:
            for block in weight.split(hidden):  # (gH, H) -> g blocks (H, H), one a gate
                nn.init.orthogonal_(block)
            if len(weight) == 4 * hidden:
                bias = layers.get_parameter(name.replace("weight_hh", "bias_ih"))
                bias.chunk(4)[1].add_(open_gate)  # the gates stand in the order i, f, g, o


@torch.no_grad()
def start_chrono(layer: nn.LSTM, longest: int) -> None:
    """Let each unit of an LSTM of one layer start with a memory of another length.

    A unit that keeps something for about k steps has a forget gate near k / (k + 1) and an input
    gate near 1 / (k + 1); k is drawn from 1 to longest - 1. Tallec and Ollivier, ICLR 2018.
    """
    steps = torch.empty(layer.hidden_size).uniform_(1, longest - 1)
    for name, bias in (("bias_ih_l0", steps.log()), ("bias_hh_l0", torch.zeros_like(steps))):
        input_gate, forget_gate, *_ = layer.get_parameter(name).chunk(4)
        forget_gate.copy_(bias)
        input_gate.copy_(-bias)
