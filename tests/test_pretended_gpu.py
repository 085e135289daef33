"""All trainings on a pretended GPU, interrupted and not, and faults that it must find."""

import inspect

import pytest
import torch
from helpers import CODE, record_of, stopped_after

import utils
from lab.base import machine
from lab.datasets import token_stream
from lab.exercises import solutions
from lab.experiments.sweep import sweep
from lab.notebooks.trainers import training_of

CELLS = ("RNN", "LSTM", "GRU")
NETWORKS = {
    "one layer": {},
    "two layers": {"num_layers": 2, "decay": True, "recurrent_init": "orthogonal"},
    "pooled": {"readout": "pooled", "keep": "start"},
    "two ways": {"bidirectional": True, "num_layers": 2, "vectors": "frozen"},
    "all": {"bidirectional": True, "readout": "pooled", "dropout": 0.3, "embedding_dropout": 0.5},
}
LONG = {"max_length": 15, "batch_size": 8}  # few pieces of a text


@pytest.fixture
def gpu(a_gpu):
    return machine.prepare_torch()


def trained_there(entry, what, folder):
    """Train a run as a sweep does, and return its name."""
    (record,) = sweep([entry], training_of(entry).train, what, CODE, folder)
    assert record.result["device"] == "cuda:0, Pretended GPU, CUDA 0.0"
    return record.name


def test_what_a_gpu_refuses_is_refused_and_what_it_allows_is_allowed(a_gpu):
    there, here = torch.ones(3, 4, device=a_gpu), torch.ones(3, 4)
    for wrong in (
        lambda: there + here, there.numpy, lambda: torch.cat([there, here]),
        lambda: here[there.long()], lambda: there.gather(0, torch.zeros(1, 4).long()),
        lambda: there + there.to("cuda:1"), lambda: there.to("cuda:7"),
        lambda: torch.multinomial(there, 1, generator=torch.Generator()),
        lambda: torch.nn.Linear(4, 2)(there),
    ):  # fmt: skip
        with pytest.raises((RuntimeError, TypeError), match=r"device|numpy|generator|mat1"):
            wrong()
    weight = torch.ones(4, requires_grad=True)  # a leaf here, and its product there
    (there @ weight.to(a_gpu)).sum().backward()
    assert weight.grad.tolist() == [3.0] * 4 and not weight.grad.is_cuda
    allowed = there[torch.tensor([0])], there + torch.tensor(1.0), there[0], torch.zeros_like(there)
    assert all(one.is_cuda for one in allowed) and not there.cpu().is_cuda


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("kind", NETWORKS)
def test_a_classifier_trains_there(data, settings, tmp_path, gpu, cell, kind):
    trained_there(settings(cell, epochs=1, **NETWORKS[kind]), data, tmp_path)


@pytest.mark.parametrize("cell", CELLS)
def test_language_models_train_there_and_classifiers_start_from_them(
    data, language_data, language_settings, settings, tmp_path, gpu, cell
):
    forth, back = (
        trained_there(language_settings(cell, epochs=1, network=name, **LONG), text, tmp_path)
        for name, text in (
            ("8 LM", language_data),
            ("8 back LM", token_stream.reverse(language_data)),
        )
    )
    trained_there(settings(cell, epochs=1, pretrained=forth, labelled=40), data, tmp_path)
    two = settings(cell, epochs=1, readout="pooled", pretrained=forth, pretrained_back=back)
    trained_there(two, data, tmp_path)


@pytest.mark.parametrize("devices", ["cuda cuda", "cuda cpu", "cpu cuda"])
@pytest.mark.parametrize("kind", ["one layer", "all", " LM"])
def test_an_interrupted_run_goes_on_also_on_another_device(
    data, language_data, language_settings, settings, tmp_path, gpu, kind, devices
):
    """And the numbers are those of a run on the first alone, for a pretended GPU adds as a CPU."""
    if kind == " LM":
        entry, what = language_settings(epochs=2, network="GRU-8 LM", **LONG), language_data
    else:
        entry, what = settings("LSTM", epochs=2, **NETWORKS[kind]), data
    train, (first, then) = training_of(entry).train, map(torch.device, devices.split())
    whole, broken = (record_of(entry, what, tmp_path / name) for name in ("whole", "broken"))
    train(entry, what, whole, first)
    stopped_after(1, train, what, broken, first)
    train(entry, what, broken, then)
    assert broken.result["device"].startswith(then.type)
    losses = [[row["valid_loss"] for row in record.curve] for record in (whole, broken)]
    assert losses[1] == pytest.approx(losses[0])


@pytest.mark.parametrize(
    ("name", "old", "new", "said"),
    [
        ("utils.make_batches", "labels[index]).to(device)", "labels[index])", "same device"),
        ("lesson.evaluate", ".cpu().numpy()", ".numpy()", "to numpy"),
        ("solutions.last_state", ".squeeze(0)", ".squeeze(0).cpu()", "same device"),
    ],
)
def test_faults_made_on_purpose_are_found(
    lesson, data, settings, tmp_path, gpu, monkeypatch, name, old, new, said
):
    """Labels that are not moved, an evaluation without .cpu(), a solution that returns to it."""
    room, name = name.split(".")
    module = {"utils": utils, "lesson": lesson, "solutions": solutions}[room]
    source = inspect.getsource(getattr(module, name))
    assert old in source
    exec(source.replace(old, new), scope := {**vars(module)})
    monkeypatch.setattr(module, name, scope[name])
    entry = settings(epochs=1)
    with pytest.raises((RuntimeError, TypeError), match=said):
        lesson.train_run(entry, data, record_of(entry, data, tmp_path), gpu)
