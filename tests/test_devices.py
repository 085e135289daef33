"""Answers that a GPU has computed, and which device the lab computes on."""

import mutants
import pretended_gpu
import pytest
import torch
from torch import Tensor
from torch.utils._pytree import tree_map_only

from lab.base import machine
from lab.config import LabError
from lab.exercises import judge, small_models
from lab.exercises.catalogue import ASKED
from lab.exercises.tasks import TASKS

ON_META = "it lies on meta, expected is cpu: leave it where x is."

# ── Answers ─────────────────────────────────────────────────────────────────────────────────────


def judged(name, function):
    attempts = judge.try_function(function, TASKS[name], seed=0)
    return judge.judge(TASKS[name], attempts, 0, ASKED[name].name)


def each(change, value):
    return tree_map_only(Tensor, change, value)


def moved(value, place):
    return each(lambda x: x.to(place), value)


@pytest.fixture(scope="module")
def names():
    names = mutants.solved_names()
    names["backward_states"] = small_models.backward_states  # of the notebook, above an exercise
    return names


@pytest.mark.parametrize("name", TASKS)
def test_a_right_answer_that_lies_on_a_gpu_is_right(names, a_gpu, name):
    right = names[ASKED[name].name]
    judgement = judged(name, lambda *a: moved(right(*a), a_gpu))
    assert all(judgement.right), judgement.messages


@pytest.mark.parametrize("name", ["rnn-cell", "lstm-cell", "gru-cell"])
def test_what_is_computed_on_a_gpu_is_judged_with_its_gradients(names, a_gpu, name):
    right = names[ASKED[name].name]
    assert all(judged(name, lambda *a: right(*moved(a, a_gpu))).right)
    cut = judged(name, lambda *a: each(Tensor.detach, right(*moved(a, a_gpu))))
    assert "no gradient goes back" in cut.messages[0]
    wrong = judged(name, lambda *a: each(lambda x: x + 1, right(*moved(a, a_gpu))))
    assert "numbers are wrong" in wrong.messages[0]


@pytest.mark.parametrize("learns", [False, True])
def test_what_has_no_numbers_is_said_in_words(learns):
    value, words = torch.ones(4, 8, device="meta", requires_grad=learns), ON_META
    assert judge.difference(value, torch.ones(4, 8)) == words
    assert judge.difference((value, 1), (torch.ones(4, 8), 1), ("h", "c")) == f"for h, {words}"
    for answer in (value, [value], (torch.ones(4, 8), value)):
        assert judged("rnn-cell", lambda *a: answer).messages[0].endswith(f": {words}")  # noqa: B023


# ── The choice of the device ────────────────────────────────────────────────────────────────────


def test_the_other_tests_leave_a_gpu_alone():
    with pretended_gpu.pretend():
        assert machine.pick_device().type == "cpu"


@pytest.mark.parametrize(
    ("wanted", "device", "said"),
    [
        ("", "cuda", ""),
        ("cpu", "cpu", ""),
        ("cuda", "cuda", ""),
        ("cuda:1", "cuda:1", ""),
        ("cuda:7", "cpu", "There is a GPU, but it does not compute (CUDA error: invalid device"),
    ],
)
def test_the_device_is_the_one_asked_for(a_gpu, monkeypatch, capsys, wanted, device, said):
    monkeypatch.setenv("LAB2_DEVICE", wanted)
    assert machine.pick_device() == torch.device(device)
    assert capsys.readouterr().out.startswith(said) if said else capsys.readouterr().out == ""


@pytest.mark.parametrize("wanted", ["gpu", "mps", "cuda:", "cuda:-1", "cuda:a", "cuda 1", "1"])
def test_a_device_that_cannot_be_is_an_error(a_gpu, monkeypatch, wanted):
    monkeypatch.setenv("LAB2_DEVICE", wanted)
    with pytest.raises(LabError, match=f"LAB2_DEVICE is '{wanted}'. Set it to cpu, cuda or cuda:1"):
        machine.pick_device()


def test_without_a_gpu_the_cpu_computes_whatever_is_asked_for(monkeypatch, capsys):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setenv("LAB2_DEVICE", "cuda:1")
    assert machine.pick_device().type == "cpu"
    assert "LAB2_DEVICE asks for cuda:1, and PyTorch finds no GPU" in capsys.readouterr().out


@pytest.mark.parametrize("way", ["forth", "back", "numbers"])
def test_a_gpu_that_adds_and_has_no_recurrent_layers_is_left_alone(a_gpu, monkeypatch, capsys, way):
    """No cuDNN for its kind; one that fails on the way back; one whose gradients are nan."""
    forward = torch.nn.GRU.forward

    def broken(layer, x):
        if way == "forth" and x.is_cuda:
            raise RuntimeError("cuDNN error: CUDNN_STATUS_NOT_SUPPORTED")
        states, last = forward(layer, x)
        if way == "back":
            states.register_hook(lambda gradient: gradient @ gradient)
        return (states * float("nan") if way == "numbers" else states), last

    monkeypatch.setattr(torch.nn.GRU, "forward", broken)
    assert (torch.ones(2, device=a_gpu) + 1).is_cuda
    assert machine.pick_device().type == "cpu"
    told = {"forth": "CUDNN_STATUS_NOT", "back": "", "numbers": "small GRU is not finite"}
    said = capsys.readouterr().out
    assert said.startswith("There is a GPU, but it does not compute (") and told[way] in said
    assert said.endswith("). Using the CPU.\n")
