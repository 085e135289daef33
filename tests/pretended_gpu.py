"""A pretended GPU, for machines without one: what CUDA would refuse raises, what it allows is done.

All is computed by the CPU. Each storage has a label, the device that it pretends to lie on, and
views share it. Two modes of PyTorch watch over the labels:

_Calls      what Python calls and sees: x.to("cuda"), device="cuda", x.device, x.numpy()
_Kernels    each kernel, forth and back: its inputs must be of one device, which is its outputs' too

What C++ makes for itself on the way back belongs to nobody, until it meets a tensor with a label.
"""

import contextlib

import pytest
import torch
from torch import Tensor
from torch.multiprocessing.reductions import StorageWeakRef
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

GPUS = 2
CPU, NOBODY = torch.device("cpu"), None
COPIES = {"copy_", "_to_copy", "_copy_from"}
INDEXING = {"index", "index_put", "index_put_", "_index_put_impl_", "_unsafe_index"}
# kernels that take no number of the CPU, as sums and products do
STRICT = ("gather", "scatter", "index_", "embedding", "mm", "cat", "stack", "_fused", "nll_loss")

_labels = {}  # number of a storage -> a weak reference to it, its device


def place_of(tensor):
    """Return the device that a tensor pretends to lie on; NOBODY: it has met none."""
    reference, place = _labels.get(tensor.untyped_storage()._cdata, (None, CPU))
    return CPU if reference is None or reference.expired() else place  # numbers are used again


def put(tensor, place):
    storage = tensor.untyped_storage()
    _labels[storage._cdata] = (StorageWeakRef(storage), place)
    return tensor


def device(name):
    """Return a device with its number, as CUDA does. Raises RuntimeError if there is none."""
    found = torch.device("cuda", name) if isinstance(name, int) else torch.device(name)
    if found.type == "cuda" and (found.index or 0) >= GPUS:
        raise RuntimeError("CUDA error: invalid device ordinal")
    return torch.device("cuda", found.index or 0) if found.type == "cuda" else found


class _Move(torch.autograd.Function):
    """A copy on another device; the gradient goes back to where the tensor was."""

    @staticmethod
    def forward(ctx, tensor, place):
        ctx.back = place_of(tensor)
        return put(tensor.detach().clone(), place)

    @staticmethod
    def backward(ctx, gradient):
        return put(gradient.clone(), ctx.back), None


def move(tensor, place):
    return tensor if place_of(tensor) == place else _Move.apply(tensor, place)


class _Calls(TorchFunctionMode):
    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = dict(kwargs or {})
        if func in SEEN:
            return SEEN[func](*args, **kwargs)
        wanted = kwargs.pop("device", None)
        if wanted is not None and kwargs.get("generator") is not None and device(wanted) != CPU:
            raise RuntimeError("Expected a 'cuda' device type for generator but found 'cpu'")
        result = func(*args, **kwargs)
        if wanted is not None:
            shared = args and result is args[0]  # as torch.as_tensor does
            return move(result, device(wanted)) if shared else put(result, device(wanted))
        for tensor in _tensors(result):  # made here, and not by C++ for itself
            if place_of(tensor) is NOBODY:
                put(tensor, CPU)
        return result


def _to(tensor, *args, **kwargs):
    """Tensor.to: a device, a type, or another tensor for both, among flags."""
    for one in [*args, kwargs.get("device"), kwargs.get("other"), kwargs.get("dtype")]:
        if isinstance(one, Tensor):
            tensor = move(tensor, place_of(one)).to(one.dtype)
        elif isinstance(one, torch.dtype):
            tensor = tensor.to(one)
        elif isinstance(one, str | torch.device) or type(one) is int:
            tensor = move(tensor, device(one))
    return tensor


def _numpy(tensor, *args, **kwargs):
    if place_of(tensor) != CPU:
        raise TypeError("can't convert cuda:0 device type tensor to numpy.")
    return Tensor.numpy(tensor, *args, **kwargs)


SEEN = {
    Tensor.device.__get__: place_of,
    Tensor.is_cuda.__get__: lambda x: place_of(x) != CPU,
    Tensor.cpu: lambda x: move(x, CPU),
    Tensor.to: _to,
    Tensor.numpy: _numpy,
    Tensor.__array__: lambda x, *types: _numpy(x).astype(*types or [_numpy(x).dtype], copy=False),
}


class _Kernels(TorchDispatchMode):
    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs, tensors = kwargs or {}, _tensors((args, kwargs or {}))
        known = [place for place in map(place_of, tensors) if place is not NOBODY]
        for tensor in tensors:
            if known and place_of(tensor) is NOBODY:
                put(tensor, known[0])
        name, places = func._schema.name.removeprefix("aten::"), set(known)
        if len(places) > 1 and not _allowed(name, args, tensors):
            what = ", ".join(f"{place_of(t)} {tuple(t.shape)}" for t in tensors)
            raise RuntimeError(f"Expected all tensors to be on the same device: {name}({what})")
        if places - {CPU} and kwargs.get("generator") is not None:
            raise RuntimeError(f"{name}: a generator of the CPU for a tensor of the GPU")
        if name == "_pack_padded_sequence" and place_of(args[1]) != CPU:
            raise RuntimeError("'lengths' argument should be a 1D CPU int64 tensor")
        place = next(iter(places - {CPU}), CPU if places else NOBODY)
        place = place_of(args[0]) if name in COPIES else place
        result = func(*args, **kwargs)
        given = {t.untyped_storage()._cdata for t in tensors}
        for tensor in _tensors(result):
            if tensor.untyped_storage()._cdata not in given:  # no view, and not in place
                put(tensor, place)
        return result


def _allowed(name, args, tensors):
    """Say whether a kernel takes tensors of several devices."""
    if name in COPIES or name == "_pack_padded_sequence":
        return True
    there = {place_of(t) for t in tensors} - {CPU}
    here = [t for t in tensors if place_of(t) == CPU]
    if name in INDEXING:  # places may come from the CPU, values not
        here = [t for t in _tensors([args[0], args[2:]]) if place_of(t) == CPU and t.ndim]
        return len(there) == 1 and not here
    written = name.endswith("_") and CPU in map(place_of, _tensors(args[:1]))
    numbers = all(t.ndim == 0 for t in here) and not any(word in name for word in STRICT)
    return len(there) == 1 and numbers and not written


def _tensors(values):
    return [leaf for leaf in tree_leaves(values) if isinstance(leaf, Tensor)]


@contextlib.contextmanager
def pretend():
    """Let this thread have GPUs, inside of this block."""
    with pytest.MonkeyPatch.context() as patch, _Kernels(), _Calls():
        patch.setattr(torch.cuda, "is_available", lambda: True)
        patch.setattr(torch.cuda, "get_device_name", lambda *_: "Pretended GPU")
        patch.setattr(torch.version, "cuda", "0.0")
        yield
    _labels.clear()
