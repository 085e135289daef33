"""Faster layers, `nn.RNN` and `nn.GRU` with the backward pass written out: the same numbers.

PyTorch's own layers are written for every device and every option. On a CPU that costs the plain
RNN and the GRU a third to a half of their time (`make bench` measures it on yours):

* autograd walks back one time step at a time and adds a small product to the gradient of the
  weights at each. Here the gradients of a block of steps are collected first and multiplied once,
  while they are still in the CPU's cache.
* on processors that are not Intel's, PyTorch's matrix product leaves the widest vector instructions
  unused. oneDNN, which comes with PyTorch, uses them, and PyTorch's LSTM already goes there.

So there is no LSTM here. The layers below take and return what those of PyTorch do, have the same
parameters under the same names, and hand over to them whatever they cannot do better: another
device than the CPU, packed sequences, both directions at once.

The formulas are those of section 3 of the lab; `further/gradients` derives the RNN's backward pass.
The states that a layer returns must not be changed in place, because its backward pass reads them
again; PyTorch says so if they are.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn.utils.rnn import PackedSequence

ROWS = 1024  # of a block: steps x reviews. Their states and gradients fit into the cache together


@functools.cache
def has_onednn() -> bool:
    """Say whether this PyTorch offers oneDNN's float32 product, and whether it is right."""
    if not torch.backends.mkldnn.is_available():
        return False
    try:
        x, weight = torch.ones(2, 3), torch.ones(4, 3)
        packed = torch.ops.mkldnn._reorder_linear_weight(weight, 2)
        return torch.equal(_onednn_product(x, packed), x @ weight.T)
    except (AttributeError, NotImplementedError, RuntimeError):
        return False


def _onednn_product(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Return x @ weight.T + bias; x (rows, K), weight (N, K), packed or not, bias (N,)."""
    return torch.ops.mkldnn._linear_pointwise(x, weight, bias, "none", [], "")


class Product:
    """Multiplies many x by one weight: x (rows, K) -> x @ weight.T (rows, N).

    The weight is brought into oneDNN's order once, and not at every time step.
    """

    def __init__(self, weight: Tensor, rows: int) -> None:
        """Prepare `weight` (N, K) for products with `rows` rows (others work too)."""
        self.weight = weight
        self.packed = None
        if weight.dtype == torch.float32 and has_onednn():
            self.packed = torch.ops.mkldnn._reorder_linear_weight(weight.contiguous(), rows)

    def __call__(self, x: Tensor, bias: Tensor | None = None) -> Tensor:
        """Return x @ weight.T + bias; bias (N,)."""
        if self.packed is None:
            return F.linear(x, self.weight, bias)
        return _onednn_product(x, self.packed, bias)

    def tanh(self, x: Tensor, bias: Tensor) -> Tensor:
        """Return tanh(x @ weight.T + bias); oneDNN takes the tanh while the sums are at hand."""
        if self.packed is None:
            return torch.tanh(F.linear(x, self.weight, bias))
        return torch.ops.mkldnn._linear_pointwise(x, self.packed, bias, "tanh", [], "")

    def plus(self, x: Tensor, addend: Tensor) -> Tensor:
        """Return x @ weight.T + addend; addend (rows, N)."""
        if self.packed is None:
            return torch.addmm(addend, x, self.weight.T)
        return torch.ops.mkldnn._linear_pointwise.binary(x, addend, self.packed, None, "add")


def _outer(a: Tensor, b: Tensor) -> Tensor:
    """Return a.T @ b, the gradient of a weight; a (rows, N), b (rows, K) -> (N, K)."""
    if a.dtype != torch.float32 or b.shape[1] < 128 or not has_onednn():
        return a.T @ b  # with few columns oneDNN's order does not pay
    return _onednn_product(a.T, b.T)


def _blocks(steps: int, batch: int) -> Iterator[range]:
    """Yield the time steps in blocks of about ROWS rows."""
    size = max(1, ROWS // batch)
    for first in range(0, steps, size):
        yield range(first, min(first + size, steps))


def _of(block: range, x: Tensor) -> Tensor:
    """Return the steps `block` of x (T, B, K) as one matrix (steps * B, K)."""
    return x[block.start : block.stop].flatten(0, 1)


class _Gradients:
    """Collects the gradients of a layer's input and weights, block by block, from the end."""

    def __init__(self, x: Tensor, w_ih: Tensor, w_hh: Tensor, need_x: bool) -> None:
        self.x = x
        self.x_grad = torch.empty_like(x) if need_x else None
        self.w_ih, self.w_hh = torch.zeros_like(w_ih), torch.zeros_like(w_hh)
        self.b_ih, self.b_hh = x.new_zeros(len(w_ih)), x.new_zeros(len(w_hh))
        self.to_x = Product(w_ih.T, ROWS)

    def add(self, block: range, before: Tensor, from_x: Tensor, from_h: Tensor) -> None:
        """Add what a block of steps gives.

        before: (steps * B, H), the state before each step
        from_x: (steps * B, gH), dL/d(W_ih x + b_ih); from_h: the same of W_hh h + b_hh
        """
        self.w_ih += _outer(from_x, _of(block, self.x))
        self.w_hh += _outer(from_h, before)
        self.b_ih += from_x.sum(0)
        self.b_hh += from_h.sum(0)
        if self.x_grad is not None:
            part = self.x_grad[block.start : block.stop]
            part.copy_(self.to_x(from_x).view_as(part))  # (steps * B, E) -> (steps, B, E)

    def all(self, h_0: Tensor) -> tuple[Tensor | None, ...]:
        """Return them in the order of the layer's inputs."""
        return self.x_grad, h_0, self.w_ih, self.w_hh, self.b_ih, self.b_hh


class _PlainRecurrence(torch.autograd.Function):
    """h_t = tanh(W_ih x_t + b_ih + W_hh h_{t-1} + b_hh), for all steps."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, h_0: Tensor, w_ih: Tensor, w_hh: Tensor, b_ih: Tensor, b_hh: Tensor
    ) -> Tensor:
        """x (T, B, E), h_0 (B, H) -> states (T, B, H)."""
        steps, batch, _ = x.shape
        states = x.new_empty(steps + 1, *h_0.shape)  # states[t + 1] is the state after step t
        states[0] = h_0
        step, bias = Product(torch.cat([w_ih, w_hh], dim=1), batch), b_ih + b_hh
        word = x.shape[2]
        for block in _blocks(steps, batch):
            both = x.new_empty(
                len(block), batch, word + h_0.shape[1]
            )  # [x_t, h_{t-1}] side by side
            both[:, :, :word] = x[block.start : block.stop]
            for t, both_t in zip(block, both, strict=True):
                both_t[:, word:] = states[t]
                states[t + 1] = step.tanh(both_t, bias)
        ctx.save_for_backward(x, w_ih, w_hh, states)
        return states[1:]

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        """grad (T, B, H) is dL/dh_t, as far as it does not come from later states."""
        x, w_ih, w_hh, states = ctx.saved_tensors
        steps, batch, _ = x.shape
        grads = _Gradients(x, w_ih, w_hh, ctx.needs_input_grad[0])
        back = Product(w_hh.T, batch)
        da = torch.empty_like(states[: len(next(_blocks(steps, batch)))])  # of one block
        dh = grad[-1]
        for block in reversed(list(_blocks(steps, batch))):
            for t in reversed(block):
                da_t = da[t - block.start]
                # da_t = dh_t * (1 - h_t^2)
                torch.ops.aten.tanh_backward.grad_input(dh, states[t + 1], grad_input=da_t)
                dh = back.plus(da_t, grad[t - 1]) if t else back(da_t)
            rows = da[: len(block)].flatten(0, 1)
            grads.add(block, _of(block, states), rows, rows)
        return grads.all(dh)


class _GatedRecurrence(torch.autograd.Function):
    """The GRU's equations as nn.GRU has them, r after the product with W_hn, for all steps."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, h_0: Tensor, w_ih: Tensor, w_hh: Tensor, b_ih: Tensor, b_hh: Tensor
    ) -> Tensor:
        """x (T, B, E), h_0 (B, H) -> states (T, B, H)."""
        steps, (batch, hidden) = len(x), h_0.shape
        states = x.new_empty(steps + 1, batch, hidden)
        states[0] = h_0
        gates = x.new_empty(steps, batch, 2 * hidden)  # r and z
        new, past = x.new_empty(2, steps, batch, hidden)  # n, and what its r is multiplied with
        from_x, from_h = Product(w_ih, ROWS), Product(w_hh, batch)
        for block in _blocks(steps, batch):
            a = from_x(_of(block, x), b_ih).view(len(block), batch, 3 * hidden)
            for t, a_t in zip(block, a, strict=True):
                b_t = from_h(states[t], b_hh)
                torch.add(a_t[:, : 2 * hidden], b_t[:, : 2 * hidden], out=gates[t]).sigmoid_()
                r, z = gates[t].chunk(2, dim=1)
                past[t] = b_t[:, 2 * hidden :]
                torch.addcmul(a_t[:, 2 * hidden :], r, past[t], out=new[t]).tanh_()
                torch.lerp(new[t], states[t], z, out=states[t + 1])  # (1 - z) n + z h
        ctx.save_for_backward(x, w_ih, w_hh, states, gates, new, past)
        return states[1:]

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        """grad (T, B, H) is dL/dh_t, as far as it does not come from later states."""
        x, w_ih, w_hh, states, gates, new, past = ctx.saved_tensors
        steps, (batch, hidden) = len(x), states[0].shape
        grads = _Gradients(x, w_ih, w_hh, ctx.needs_input_grad[0])
        back = Product(w_hh.T, batch)
        size = len(next(_blocks(steps, batch)))
        # dL/d(W_ih x + b_ih) and dL/d(W_hh h + b_hh) of one block; they differ in n's part alone
        from_x, from_h = x.new_empty(2, size, batch, 3 * hidden)
        d_gates = x.new_empty(batch, 2 * hidden)  # dL/dr and dL/dz
        dh = grad[-1]
        for block in reversed(list(_blocks(steps, batch))):
            for t in reversed(block):
                a_t, b_t = from_x[t - block.start], from_h[t - block.start]
                r, z = gates[t].chunk(2, dim=1)
                kept = dh * z
                da_n = torch.ops.aten.tanh_backward.grad_input(
                    dh - kept, new[t], grad_input=a_t[:, 2 * hidden :]
                )
                torch.mul(da_n, past[t], out=d_gates[:, :hidden])
                torch.mul(dh, states[t] - new[t], out=d_gates[:, hidden:])
                torch.ops.aten.sigmoid_backward.grad_input(
                    d_gates, gates[t], grad_input=b_t[:, : 2 * hidden]
                )
                torch.mul(da_n, r, out=b_t[:, 2 * hidden :])
                dh = back.plus(b_t, kept + grad[t - 1] if t else kept)
            from_x[: len(block), :, : 2 * hidden] = from_h[: len(block), :, : 2 * hidden]
            rows_x, rows_h = (f[: len(block)].flatten(0, 1) for f in (from_x, from_h))
            grads.add(block, _of(block, states), rows_x, rows_h)
        return grads.all(dh)


class _FastLayers(nn.RNNBase):
    """What RNN and GRU share: layer by layer through a recurrence."""

    recurrence: type[torch.autograd.Function]

    def forward(
        self, input: Tensor | PackedSequence, hx: Tensor | None = None
    ) -> tuple[Tensor | PackedSequence, Tensor]:
        """input (T, B, E), hx (layers, B, H) or None for zeros -> output (T, B, H), h_n as hx."""
        if not self._can_read(input, hx):
            return super().forward(input, hx)
        if hx is None:
            hx = input.new_zeros(self.num_layers, input.shape[1], self.hidden_size)
        last = []
        for layer, (weights, h_0) in enumerate(zip(self.all_weights, hx, strict=True)):
            if layer and self.dropout:
                input = F.dropout(input, self.dropout, self.training)
            input = self.recurrence.apply(input, h_0, *weights)
            last.append(input[-1])
        return input, torch.stack(last)

    def _can_read(self, input: Tensor | PackedSequence, hx: Tensor | None) -> bool:
        """Say whether this is a case for us; wrong input is not, PyTorch explains it well."""
        return (
            not isinstance(input, PackedSequence)
            and input.device.type == "cpu"
            and input.dtype == self.weight_ih_l0.dtype
            and input.dim() == 3
            and min(input.shape[:2]) > 0
            and input.shape[2] == self.input_size
            and (hx is None or hx.shape == (self.num_layers, input.shape[1], self.hidden_size))
            and self.bias
            and not self.batch_first
            and not self.bidirectional
            and getattr(self, "nonlinearity", "tanh") == "tanh"
            and not torch.is_autocast_enabled("cpu")
        )


class RNN(_FastLayers, nn.RNN):
    """`nn.RNN`, faster on a CPU; its parameters, arguments and results are the same."""

    recurrence = _PlainRecurrence


class GRU(_FastLayers, nn.GRU):
    """`nn.GRU`, faster on a CPU; its parameters, arguments and results are the same."""

    recurrence = _GatedRecurrence


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
