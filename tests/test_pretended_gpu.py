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

CELLS = ("RNN", "LSTM", "GRU")
FRESH = {"num_layers": 2, "decay": True, "recurrent_init": "orthogonal"}


@pytest.fixture
def gpu(a_gpu):
    return machine.prepare_torch()


def test_what_a_gpu_refuses_is_refused_and_what_it_allows_is_allowed(a_gpu):
    there, here = torch.ones(3, 4, device=a_gpu), torch.ones(3, 4)
    for wrong in (
        lambda: there + here, there.numpy, lambda: torch.cat([there, here]),
        lambda: here[there.long()], lambda: there.gather(0, torch.zeros(1, 4).long()),
        lambda: there + there.to("cuda:1"), lambda: there.to("cuda:7"),
        lambda: torch.multinomial(there, 1, generator=torch.Generator()),
        lambda: torch.nn.Linear(4, 2)(there), lambda: setattr(there, "grad", here),
    ):  # fmt: skip
        with pytest.raises((RuntimeError, TypeError)):
            wrong()
    weight = torch.ones(4, requires_grad=True)  # a leaf here, and its product there
    (there @ weight.to(a_gpu)).sum().backward()
    assert weight.grad.tolist() == [3.0] * 4 and not weight.grad.is_cuda
    allowed = there[torch.tensor([0])], there + torch.tensor(1.0), there[0], torch.zeros_like(there)
    assert all(one.is_cuda for one in allowed) and not there.cpu().is_cuda


# ── Trainings ───────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("options", [{}, FRESH], ids=["one layer", "two layers"])
def test_a_classifier_trains_there(lesson, data, settings, tmp_path, gpu, cell, options):
    run_list = [settings(cell, epochs=2, **options)]
    (record,) = sweep(run_list, lesson.train_run, data, CODE, tmp_path)
    assert record.result["device"] == "cuda:0, Pretended GPU, CUDA 0.0"


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize(
    "options",
    [
        {"readout": "pooled", "keep": "start"},
        {"bidirectional": True, "num_layers": 2, "vectors": "frozen"},
        {"bidirectional": True, "readout": "pooled", "dropout": 0.3, "embedding_dropout": 0.5},
    ],
    ids=lambda options: options.get("readout", "last") + " state" * ("readout" not in options),
)
def test_a_variant_trains_there(recipes, data, settings, tmp_path, gpu, cell, options):
    (record,) = sweep(
        [settings(cell, epochs=1, **options)], recipes.train_variant, data, CODE, tmp_path
    )
    assert record.result["device"].startswith("cuda")


@pytest.mark.parametrize("cell", CELLS)
def test_language_models_train_there_and_classifiers_start_from_them(
    lesson, transfer, data, language_data, language_settings, settings, tmp_path, gpu, cell
):
    texts = {"forth": language_data, "back": token_stream.reverse(language_data)}
    forth, back = (
        sweep(
            [language_settings(cell, epochs=1, network=f"{name} LM", max_length=15)],
            lesson.train_language, text, CODE, tmp_path,
        )[0].name
        for name, text in texts.items()
    )  # fmt: skip
    one = settings(cell, epochs=1, pretrained=forth, labelled=40)
    sweep([one], transfer.train_transfer, data, CODE, tmp_path)
    two = settings(cell, epochs=1, readout="pooled", pretrained=forth, pretrained_back=back)
    (record,) = sweep([two], transfer.train_pretrained, data, CODE, tmp_path)
    assert record.result["device"].startswith("cuda")


@pytest.mark.parametrize("devices", ["cuda cuda", "cuda cpu", "cpu cuda"])
@pytest.mark.parametrize("kind", ["classifier", "variant", "language model"])
def test_an_interrupted_run_goes_on_also_on_another_device(
    lesson, recipes, data, language_data, language_settings, settings, tmp_path, gpu, kind, devices
):
    """And the numbers are those of a run on the first alone, for a pretended GPU adds as a CPU."""
    train, entry, what = {
        "classifier": (lesson.train_run, settings("LSTM", epochs=2), data),
        "variant": (recipes.train_variant, settings(epochs=2, dropout=0.3, decay=True), data),
        "language model": (
            lesson.train_language,
            language_settings(epochs=2, max_length=15),
            language_data,
        ),
    }[kind]
    first, then = map(torch.device, devices.split())
    whole, broken = (record_of(entry, what, tmp_path / name) for name in ("whole", "broken"))
    train(entry, what, whole, first)
    stopped_after(1, train, what, broken, first)
    train(entry, what, broken, then)
    assert broken.result["device"].startswith(then.type)
    losses = [[row["valid_loss"] for row in record.curve] for record in (whole, broken)]
    assert losses[1] == pytest.approx(losses[0])


def test_faults_made_on_purpose_are_found(lesson, data, settings, tmp_path, gpu, monkeypatch):
    """A label that is not moved; an evaluation without .cpu(); an answer that stays on the CPU."""
    make_batches, last_state = utils.make_batches, solutions.last_state
    source = inspect.getsource(lesson.evaluate)
    exec(
        source.replace("torch.cat(probabilities).cpu()", "torch.cat(probabilities)"),
        scope := {**vars(lesson)},
    )
    faults = [
        (
            utils,
            "make_batches",
            lambda *a, **k: (b._replace(label=b.label.cpu()) for b in make_batches(*a, **k)),
        ),
        (lesson, "evaluate", scope["evaluate"]),
        (solutions, "last_state", lambda *a: last_state(*a).cpu()),
    ]
    for place, name, wrong in faults:
        with monkeypatch.context() as patch, pytest.raises((RuntimeError, TypeError)):
            patch.setattr(place, name, wrong)
            lesson.train_run(
                one := settings(epochs=1), data, record_of(one, data, tmp_path / name), gpu
            )
