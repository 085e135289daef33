"""What this machine has, how it is made ready to train, and what a record says of it."""

from __future__ import annotations

import functools
import os
import platform
import subprocess
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import joblib
import numpy as np
import torch
from torch import nn

from lab import config, environment
from lab.base.messages import _


def available_cores() -> int:
    """Return how many CPU cores this process may use.

    Affinity and container limits count, and a shared machine's OMP_NUM_THREADS: each core gets a
    process with one thread. It is 1 where several processes find no folder to share.
    """
    share = os.environ.get("OMP_NUM_THREADS", "")
    cores = joblib.cpu_count(only_physical_cores=True)
    cores = min(cores, int(share) or cores) if share.isdecimal() else cores
    return cores if environment.workers_folder()[0] else 1


def in_parallel(jobs: Iterable[Any], workers: int) -> list[Any]:
    """Carry out joblib's delayed jobs in several processes, and return what each returns."""
    return joblib.Parallel(n_jobs=workers, temp_folder=environment.workers_folder()[1])(jobs)


def pick_device() -> torch.device:
    """Return the device that LAB2_DEVICE names; else cuda if a GPU really computes, else cpu.

    `torch.cuda.is_available()` is not enough: a build without kernels for an old GPU answers True
    and fails at the first operation. So a step of training is tried. Apple's mps is not used: it
    has no float64, and its results were never compared with those of a CPU.
    """
    wanted = config.device()
    if wanted != "cpu" and torch.cuda.is_available():
        try:
            train_a_step(torch.device(wanted or "cuda"))
            return torch.device(wanted or "cuda")
        except RuntimeError as error:
            print(
                _("There is a GPU, but it does not compute ({error}). Using the CPU.", error=error)
            )
    elif wanted not in ("", "cpu"):
        print(
            _(
                "LAB2_DEVICE asks for {device}, and PyTorch finds no GPU. Using the CPU.",
                device=wanted,
            )
        )
    return torch.device("cpu")


def train_a_step(device: torch.device) -> None:
    """Take one step of a small GRU, forth and back. Raises RuntimeError where a GPU cannot.

    A GPU may add, and have no recurrent layers: these are in a library of their own, cuDNN.
    """
    layer = nn.GRU(2, 3).to(device)
    layer(torch.ones(4, 1, 2, device=device))[0].sum().backward()
    if not torch.isfinite(layer.weight_hh_l0.grad).all():
        raise RuntimeError("the gradient of a small GRU is not finite")


def prepare_torch() -> torch.device:
    """Make this process ready to train: one thread, flush-to-zero, device. Returns the device.

    One thread is as fast as two for networks of this size on an idle machine, and many times faster
    beside other programs. More cores serve more runs at once (`sweep.py`).

    Call it before the first tensor operation of a process: threads started earlier keep the slow
    treatment of subnormal numbers (below 1.2e-38), which gradients become that vanish. On Linux,
    large tensors are put into large memory pages: the states of a network over 400 words fill tens
    of thousands of small ones, again at each training step.
    """
    os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")  # read by PyTorch, see its tuning guide
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    device = pick_device()
    if device.type == "cuda":  # the same numbers each time; the variable is cuBLAS's part in it
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.use_deterministic_algorithms(True, warn_only=True)
        _spare_the_adaptive_softmax()
    return device


@functools.cache  # a hook is for all of a process, and once is enough
def _spare_the_adaptive_softmax() -> None:
    """Let nn.AdaptiveLogSoftmaxWithLoss choose its algorithms as PyTorch does without our wish.

    Where one word alone of a batch is in a group, it copies to an index of no dimension, and the
    deterministic copy of a GPU refuses that (seen with PyTorch 2.11 and CUDA 13.0). No index stands
    there twice, so that the other copy gives the same numbers each time, too.
    """
    nn.modules.module.register_module_forward_pre_hook(_choose)
    nn.modules.module.register_module_forward_hook(_choose, always_call=True)


def _choose(layer: nn.Module, *values: Any) -> None:
    if isinstance(layer, nn.AdaptiveLogSoftmaxWithLoss):  # after it, there is an output too
        torch.use_deterministic_algorithms(len(values) == 2, warn_only=True)


# variables that hold a CPU to the instructions of an older one, so that more machines agree
CPU_LIMITS = ("ATEN_CPU_CAPABILITY", "ONEDNN_MAX_CPU_ISA", "MKL_CBWR", "MKL_ENABLE_INSTRUCTIONS")


def circumstances() -> dict[str, str | int]:
    """Return what a later reader needs to know of the program and machine that finished a run.

    limits: which of CPU_LIMITS are set, and to what
    layers: whose recurrent layers; "lab" in stored runs of RNNs and GRUs up to commit a18a6fc, when
            the lab had layers of its own that compute the same (see data/reference/README.md)
    commit: the lab's version, with + if tracked files were changed since; "" without git.
    """
    return {
        "torch": torch.__version__,
        "numpy": np.__version__,
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "instructions": torch.backends.cpu.get_cpu_capability(),
        "threads": torch.get_num_threads(),
        "limits": " ".join(f"{n}={os.environ[n]}" for n in CPU_LIMITS if n in os.environ),
        "layers": "torch.nn",
        "commit": _commit(),
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def name_of(device: torch.device) -> str:
    """Return a device as a record names it: cpu, or the GPU with its version of CUDA."""
    if device.type != "cuda":
        return str(device)
    return f"{device}, {torch.cuda.get_device_name(device)}, CUDA {torch.version.cuda}"


def _commit() -> str:
    """Return the commit of the lab, or "" without git, and where the lab lies in a repository.

    A lab that was unpacked inside of a reader's own repository has no commit of its own.
    """
    command = ["git", f"--git-dir={config.ROOT / '.git'}", "-C", str(config.ROOT)]
    command += ["describe", "--always", "--abbrev=12", "--exclude=*", "--dirty=+"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return answer.stdout.strip() if answer.returncode == 0 else ""
