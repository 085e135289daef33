"""The language model: its stream, its baselines, its probabilities, what it hands over."""

import dataclasses
import functools
import itertools
import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from helpers import CODE, stopped_after
from torch import nn

import utils
from lab.config import LabError
from lab.datasets import imdb, token_stream
from lab.exercises import solutions
from lab.experiments.run import RunRecord
from lab.experiments.sweep import sweep
from lab.models import ngrams

CELLS = ("RNN", "LSTM", "GRU")


@pytest.fixture
def stream(data):
    return token_stream.make_stream(data.train, seed=0)


def model_of(lesson, settings, data, cell="GRU", **others):
    torch.manual_seed(0)
    model = lesson.LanguageModel(lesson.build_model(settings(cell, **others), data.vectors))
    return model.eval()


# ── the stream ──────────────────────────────────────────────────────────────────────────────────


def test_stream_holds_each_review_once_with_its_end_marked(data):
    for seed in (None, 3):
        stream = token_stream.make_stream(data.valid, seed)
        reviews = np.split(stream, np.flatnonzero(stream == token_stream.END) + 1)[:-1]
        found = sorted(tuple(review[:-1]) for review in reviews)
        pairs = zip(data.valid.starts[:-1], data.valid.starts[1:])
        assert found == sorted(tuple(data.valid.tokens[a:b]) for a, b in pairs)


@pytest.mark.parametrize("columns, steps", [(1, 1), (3, 7), (4, 1000)])
def test_batches_are_contiguous_and_targets_are_the_next_words(stream, columns, steps):
    batches = list(token_stream.stream_batches(stream, columns, steps))
    text = torch.cat([batch.text for batch in batches])  # (length, columns)
    target = torch.cat([batch.target for batch in batches])
    assert all(batch.text.shape[0] <= steps for batch in batches)
    length = (len(stream) - 1) // columns
    for column in range(columns):
        piece = stream[column * length : (column + 1) * length + 1]
        assert text[:, column].tolist() == piece[:-1].tolist()
        assert target[:, column].tolist() == piece[1:].tolist()


def test_too_short_stream_is_refused():
    with pytest.raises(LabError, match="3 words are too few for 4 columns"):
        list(token_stream.stream_batches(np.array([5, 6, 7]), 4, 10))


def test_parts_together_are_the_whole_stream(language_data):
    parts = [token_stream.part_of(language_data, epoch) for epoch in (1, 2)]
    np.testing.assert_array_equal(np.concatenate(parts), language_data.train)
    np.testing.assert_array_equal(token_stream.part_of(language_data, 3), parts[0])


def corpus_of(reviews, texts, vocab):
    """Return reviews in all their stages; their vectors are zeros."""
    splits, labels = reviews["split"].to_numpy(), reviews["label"].to_numpy()
    names = ("train", "valid", "test")
    encoded = (utils.encode(texts, labels, splits == name, vocab) for name in names)
    zeros = np.zeros((9, 2), dtype=np.float32)
    vectors = utils.WordVectors(zeros, np.zeros(9, dtype=bool), "zeros")
    return utils.Corpus(reviews, texts, vocab, vectors, utils.LabData(*encoded, zeros))


def stages(profile, folder):
    """Return the reviews of a folder, their tokens, and the vocabulary of all of them."""
    reviews = utils.load_reviews(profile, folder)
    texts = utils.tokenize_all(reviews["text"].tolist())
    return reviews, texts, utils.build_vocab(texts, np.ones(len(reviews), dtype=bool))


def reads(profile, count):
    """Return a profile whose language model reads, and is judged on, so many reviews."""
    return dataclasses.replace(profile, stream_train=count, stream_valid=count, stream_parts=1)


def test_no_review_of_the_test_split_nor_of_its_films_is_read(official, small_profile, tmp_path):
    folder = official(halves=("train",))
    unsup = folder / "train" / "unsup"
    unsup.mkdir()
    films = [f"tt0{i:06d}" for i in range(40)]  # the films of the labelled reviews
    for i, film in enumerate(films):
        (unsup / f"{i}_0.txt").write_text(f"unlabelled{film}")
    for i in range(240):  # a copy of each labelled review, filed under a film that none is about
        name, number = ("neg", i) if i < 120 else ("pos", i - 120)
        (original,) = (folder / "train" / name).glob(f"{number}_*.txt")
        (unsup / f"{40 + i}_0.txt").write_text(original.read_text())
    (folder / "train" / "urls_unsup.txt").write_text("\n".join([*films, *["tt9999999"] * 240]))
    reviews, texts, vocab = stages(small_profile, tmp_path)
    words = {f"unlabelled{film}": len(vocab) + i for i, film in enumerate(films)}
    vocab.stoi.update(words)
    vocab.itos.extend(words)
    corpus = corpus_of(reviews, texts, vocab)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LAB2_DATA", str(tmp_path))
        found = utils.language_data(reads(small_profile, None), corpus)
    kept = set(reviews.loc[reviews["split"] != "train", "group"])
    read = {vocab.itos[i].removeprefix("unlabelled") for i in found.train if i in words.values()}
    assert read == set(films) - kept and read
    own = {vocab.itos[i] for i in found.train}
    assert not own & kept  # the title stands in each review of `official`
    held_out = reviews.loc[reviews["split"] == "valid", "text"].str.replace("<br />", " ")
    assert found.characters < held_out.str.len().sum() + 1


def test_beside_own_texts_no_film_is_read(official, small_profile, tmp_path, monkeypatch):
    """The official folder may lie beside the reader's own texts."""
    unsup = official(halves=("train",)) / "train" / "unsup"
    unsup.mkdir()
    (unsup / "0_0.txt").write_text("unlabelled")
    (unsup.parent / "urls_unsup.txt").write_text("http://www.imdb.com/title/tt9999999/usercomments")
    own = tmp_path / "mine.csv"
    own.write_text("text,label\n" + "".join(f"meal number {i},{i % 2}\n" for i in range(400)))
    monkeypatch.setenv("LAB2_DATA", str(tmp_path))
    read = {}
    for source in ("", str(own)):
        monkeypatch.setenv("LAB2_REVIEWS", source)
        reviews, texts, vocab = stages(small_profile, tmp_path)
        vocab.stoi["unlabelled"] = len(vocab)
        found = utils.language_data(reads(small_profile, None), corpus_of(reviews, texts, vocab))
        read[source] = vocab.stoi["unlabelled"] in found.train
    assert read == {"": True, str(own): False}


def test_part_of_the_reviews_judges_with_its_own_characters(official, small_profile, tmp_path):
    official(halves=("train",))
    reviews, texts, vocab = stages(small_profile, tmp_path)
    corpus = corpus_of(reviews, texts, vocab)
    found = utils.language_data(reads(small_profile, 4), corpus)
    ends = [0, *np.flatnonzero(found.valid == token_stream.END)]
    stretches = [found.valid[start:end] for start, end in itertools.pairwise(ends)]
    read = [[vocab.itos[i] for i in words if i != token_stream.END] for words in stretches]
    held_out = reviews[reviews["split"] == "valid"]
    clean = held_out["text"].str.replace("<br />", " ")
    judges = clean.map(utils.tokenize).isin([words for words in read if words])
    assert held_out["label"][judges].value_counts().to_dict() == {0: 2, 1: 2}
    assert found.characters == clean[judges].str.len().sum()


def test_unlabelled_reviews_that_do_not_fit_their_list_are_named(official, tmp_path):
    folder = official(halves=("train",)) / "train"
    assert imdb.read_unlabelled(tmp_path) == []
    (folder / "unsup").mkdir()
    (folder / "unsup" / "0_0.txt").write_text("text")
    for urls in (None, "http://a/tt1/\nhttp://a/tt2/\n"):
        if urls:
            (folder / "urls_unsup.txt").write_text(urls)
        with pytest.raises(LabError, match=r"train/unsup does not fit train/urls_unsup.txt"):
            imdb.read_unlabelled(tmp_path)


# ── baselines ───────────────────────────────────────────────────────────────────────────────────


def test_unigrams_add_up_to_one_and_follow_the_counts():
    found = ngrams.unigram_probabilities(np.array([0, 0, 0, 2]), 4)
    np.testing.assert_allclose(found, [4 / 8, 1 / 8, 2 / 8, 1 / 8])


def test_kneser_ney_adds_up_to_one_after_any_two_words():
    train = np.random.default_rng(0).zipf(1.5, 2000) % 7
    model = ngrams.KneserNey(train, 9)  # words 7 and 8 never occur
    for a in range(9):
        for b in range(9):
            total = sum(model.probabilities(np.array([a, b, c]))[0] for c in range(9))
            assert total == pytest.approx(1)


def test_kneser_ney_equals_a_calculation_by_hand():
    """Bigrams of 0 1 0 2 1 1 0: 10 twice; 01, 02, 21, 11 once. D = 4 / (4 + 2) = 2/3.

    Kinds of word before 0, 1, 2: {1}, {0, 1, 2}, {0}: 1, 3, 1 of 5. D = 2 / (2 + 0) = 1;
    so p(0) = 0 / 5 + 1 * 3 / 5 / 3 = 1/5 and p(1) = 2 / 5 + 1/5 = 3/5.
    p(1 | 0) = (1 - 2/3) / 2 + 2/3 * 2 / 2 * 3/5 = 17/30
    p(0 | 1) = (2 - 2/3) / 3 + 2/3 * 2 / 3 * 1/5 = 8/15
    """
    model = ngrams.KneserNey(np.array([0, 1, 0, 2, 1, 1, 0]), words=3, order=2)
    assert model.probabilities(np.array([0, 1, 0])) == pytest.approx([17 / 30, 8 / 15])


def test_bits_per_character():
    bits = token_stream.bits_per_character(math.log(8), tokens=10, characters=30)
    assert bits == pytest.approx(1)


# ── the model ───────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("cell", CELLS)
def test_loss_of_three_words_by_hand(lesson, data, settings, cell, monkeypatch):
    """With one word in the only other group, the head is one plain softmax over all 30 words."""
    monkeypatch.setattr(lesson.LanguageModel, "cutoffs", (29,))
    model = model_of(lesson, settings, data, cell)
    text, target = torch.tensor([[3], [4], [5]]), torch.tensor([[4], [5], [6]])
    embedded = torch.tensor(data.vectors)[[3, 4, 5]][:, None]
    states = getattr(nn, cell)(6, 8)
    states.load_state_dict(model.recurrent.state_dict())
    logits = F.linear(states(embedded)[0].squeeze(1), model.output.head.weight)
    expected = F.cross_entropy(logits, target.squeeze(1))
    found, _ = model.log_probability(text, target)
    assert -found.mean().item() == pytest.approx(expected.item(), abs=1e-6)


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("cutoffs", [(250, 2000, 8000), (5, 12), (4,)])
def test_adaptive_softmax_adds_up_to_one_and_equals_its_full_evaluation(
    lesson, data, settings, cell, cutoffs, monkeypatch
):
    monkeypatch.setattr(lesson.LanguageModel, "cutoffs", cutoffs)
    model = model_of(lesson, settings, data, cell, hidden_dim=32)
    text = torch.tensor([[3], [4], [5]])
    everything, _ = model.next_word(text)
    assert everything.exp().sum().item() == pytest.approx(1, abs=1e-5)
    for word in range(30):
        target = torch.tensor([[4], [5], [word]])
        found, _ = model.log_probability(text, target)
        assert found[-1].item() == pytest.approx(everything[word].item(), abs=1e-5)


@pytest.mark.parametrize("cell", CELLS)
def test_carried_state_equals_one_long_pass(lesson, data, settings, stream, cell):
    model = model_of(lesson, settings, data, cell)
    whole, _ = lesson.read_stream(model, token_stream.stream_batches(stream, 2, 10_000))
    parts, words = lesson.read_stream(model, token_stream.stream_batches(stream, 2, 7))
    assert parts == pytest.approx(whole, abs=1e-5)
    assert words == (len(stream) - 1) // 2 * 2


@pytest.mark.parametrize("cell", CELLS)
def test_truncation_stops_the_gradient_not_the_state(lesson, data, settings, cell):
    model = model_of(lesson, settings, data, cell)
    text = torch.tensor([[3], [4]])
    _, state = model.log_probability(text, text)
    cut = solutions.detached(state)
    pairs = zip(state, cut) if cell == "LSTM" else [(state, cut)]
    for ours, theirs in pairs:
        assert torch.equal(ours, theirs) and not theirs.requires_grad


def test_reading_without_an_optimizer_changes_nothing(lesson, data, settings, stream):
    model = model_of(lesson, settings, data)
    before = {k: v.clone() for k, v in model.state_dict().items()}
    first, second = (
        lesson.read_stream(model, token_stream.stream_batches(stream, 2, 7)) for _ in range(2)
    )
    assert first == second
    assert all(torch.equal(v, before[k]) for k, v in model.state_dict().items())


def test_nucleus_of_a_known_distribution():
    log_probability = torch.tensor([0.1, 0.5, 0.05, 0.3, 0.05]).log()
    found = solutions.nucleus(log_probability, p=0.75)  # 0.5 and 0.3 reach it together
    torch.testing.assert_close(found, torch.tensor([0, 0.5 / 0.8, 0, 0.3 / 0.8, 0]))
    torch.testing.assert_close(solutions.nucleus(log_probability, p=1.0), log_probability.exp())
    assert solutions.nucleus(log_probability, p=0.01).tolist() == [0, 1, 0, 0, 0]
    cold = solutions.nucleus(log_probability, temperature=0.5, p=1.0)
    torch.testing.assert_close(cold, log_probability.exp() ** 2 / 0.355)
    drawn = torch.multinomial(
        found, 20_000, replacement=True, generator=torch.Generator().manual_seed(0)
    )
    assert (drawn == 1).double().mean().item() == pytest.approx(0.625, abs=0.015)


def test_words_are_drawn_as_the_seed_says(lesson, data, settings):
    model, everything = (
        model_of(lesson, settings, data),
        functools.partial(solutions.nucleus, p=1.0),
    )
    texts = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        words = torch.tensor([token_stream.END, 5, 6])
        texts.append(solutions.sample_words(model, everything, words, 12))
    assert texts[0] == texts[1] != texts[2] and len(texts[0]) == 12


def test_surprise_is_the_probability_of_each_word(lesson, transfer, data, settings):
    vocab = utils.Vocab(utils.Counter([f"w{i}" for i in range(28)]))
    model = model_of(lesson, settings, data)
    table = transfer.surprise(model, "w3 w4 nonsense", vocab, [token_stream.END])
    words = [vocab.stoi["w3"], vocab.stoi["w4"], vocab.stoi[utils.UNKNOWN]]
    text, target = torch.tensor([token_stream.END, *words[:-1]]), torch.tensor(words)
    expected, _ = model.log_probability(text[:, None], target[:, None])
    np.testing.assert_allclose(table["probability"], expected.exp().squeeze().tolist(), rtol=1e-4)


# ── runs ────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("cell", CELLS)
def test_language_model_learns_and_continues_bit_for_bit(
    lesson, language_data, language_settings, tmp_path, cpu, cell
):
    records = [
        RunRecord(language_settings(cell), "data", "code", tmp_path / name)
        for name in ("whole", "broken")
    ]
    lesson.train_language(records[0].settings, language_data, records[0], cpu)
    for epochs in (1, 2, 3):
        stopped_after(epochs, lesson.train_language, language_data, records[1], cpu)
    lesson.train_language(records[1].settings, language_data, records[1], cpu)
    losses = [[row["valid_loss"] for row in record.curve] for record in records]
    assert losses[0] == losses[1]
    assert losses[0][-1] < losses[0][0] < math.log(30) + 0.5
    assert records[0].result["perplexity"] == pytest.approx(math.exp(min(losses[0])))


@pytest.mark.parametrize("cell", CELLS)
def test_classifier_starts_from_the_language_model(
    lesson, transfer, data, language_data, settings, language_settings, tmp_path, cell
):
    (reader,) = sweep(
        [language_settings(cell)], lesson.train_language, language_data, CODE, tmp_path, workers=1
    )
    run_list = [settings(cell, epochs=1), settings(cell, epochs=1, pretrained=reader.name)]
    scratch, pretrained = sweep(run_list, transfer.train_transfer, data, CODE, tmp_path, workers=1)
    assert scratch.name != pretrained.name
    model = lesson.build_model(run_list[1], data.vectors)
    weights = reader.checkpoint.weights_of(reader.name)
    transfer.start_from(model, weights)
    for name, weight in model.state_dict().items():
        assert name.startswith("linear.") or torch.equal(weight, weights[name])
    with pytest.raises(LabError, match="Run gone has no usable weights"):
        sweep([settings(cell, pretrained="gone")], transfer.train_transfer, data, CODE, tmp_path)


@pytest.mark.parametrize("epochs", range(1, 6))
def test_no_classifier_starts_from_a_language_model_that_is_not_finished(
    lesson, transfer, data, language_data, settings, language_settings, tmp_path, cpu, epochs
):
    """It would keep the name that it has of the finished one."""
    reader = RunRecord(language_settings(), "data", "code", tmp_path)
    run = settings(epochs=1, pretrained=reader.name)
    stopped_after(epochs, lesson.train_language, language_data, reader, cpu)
    with pytest.raises(LabError, match=f"Run {reader.name} is not finished"):
        sweep([run], transfer.train_transfer, data, CODE, tmp_path, workers=1)
    lesson.train_language(reader.settings, language_data, reader, cpu)
    (started,) = sweep([run], transfer.train_transfer, data, CODE, tmp_path, workers=1)
    assert started.result


def test_a_falling_rate_ends_at_zero(
    lesson, language_data, language_settings, tmp_path, cpu, monkeypatch
):
    seen = []
    descend = solutions.descend

    def watch(model, loss, optimizer, clip_norm):
        seen.append(optimizer.param_groups[0]["lr"])
        descend(model, loss, optimizer, clip_norm)

    monkeypatch.setattr(solutions, "descend", watch)
    entry = language_settings(epochs=2, decay=True)
    record = RunRecord(entry, "data", "code", tmp_path)
    lesson.train_language(entry, language_data, record, cpu)
    assert seen[0] == entry.learning_rate and all(rate >= 0 for rate in seen)
    falls = -np.diff(seen)
    assert seen[-1] <= falls.max() * 1.001  # the next one would be zero
    assert (falls > 0).all() and falls.max() < 1.2 * falls.min()  # in a line


def test_reading_backwards_is_the_same_text(language_data):
    back = token_stream.reverse(language_data)
    assert back.train[::-1].tolist() == language_data.train.tolist()
    assert back.valid[::-1].tolist() == language_data.valid.tolist()
    assert back.fingerprint != language_data.fingerprint
    assert token_stream.reverse(back).fingerprint == language_data.fingerprint


def test_two_readers_start_from_their_language_models_and_add_their_logits(
    lesson, transfer, recipes, data, language_data, settings, language_settings, tmp_path, cpu
):
    forth = language_settings(network="GRU-8 LM")
    back = language_settings(network="GRU-8 back LM")
    starts = [
        sweep([run], lesson.train_language, text, CODE, tmp_path, workers=1)[0]
        for run, text in ((forth, language_data), (back, token_stream.reverse(language_data)))
    ]
    names = {"pretrained": starts[0].name, "pretrained_back": starts[1].name}
    entry = settings(readout="pooled", epochs=1, **names)
    record = RunRecord(entry, data.fingerprint, "code", tmp_path)
    model = transfer.build_pretrained(entry, data.vectors, record)
    for reader, start in zip((model.forth, model.back), starts, strict=True):
        learnt = start.checkpoint.weights_of(start.name)
        assert torch.equal(reader.embedding.weight, learnt["embedding.weight"])
        assert torch.equal(reader.recurrent.weight_hh_l0, learnt["recurrent.weight_hh_l0"])
    batch = next(utils.make_batches(data.valid, 16, 10, seed=0))
    with torch.no_grad():
        logits = model.eval()(batch.text, batch.text_length)
        for column, length in enumerate(batch.text_length):
            words = batch.text[:length, column : column + 1]
            alone = model.forth(words, length[None]) + model.back(words.flip(0), length[None])
            assert logits[column].item() == pytest.approx(alone.item(), abs=1e-5)
    transfer.train_pretrained(entry, data, record, cpu)
    assert record.result["parameters"] == sum(p.numel() for p in model.parameters())
    one = dataclasses.replace(entry, pretrained_back="")
    assert isinstance(transfer.build_pretrained(one, data.vectors, record), recipes.Variant)


def test_few_labels_are_drawn_evenly_and_nested(data, transfer, settings, tmp_path, cpu):
    small, large = (utils.sample_balanced(data.train, count, seed=1) for count in (10, 40))
    assert small.labels.sum() == 5 and large.labels.sum() == 20
    pieces = [
        {tuple(r.tokens[a:b]) for a, b in zip(r.starts[:-1], r.starts[1:])} for r in (small, large)
    ]
    assert pieces[0] <= pieces[1]
    with pytest.raises(LabError, match="Cannot draw 98 reviews"):
        utils.sample_balanced(data.train, 98, seed=1)
    entry = settings(epochs=1, labelled=10)
    record = RunRecord(entry, data.fingerprint, "code", tmp_path)
    transfer.train_transfer(entry, data, record, cpu)
    assert record.curve[0]["tokens"] == np.diff(small.starts).clip(max=10).sum()


def test_language_data_fingerprint_sees_every_part(language_data):
    others = [
        dataclasses.replace(language_data, train=language_data.train[::-1].copy()),
        dataclasses.replace(language_data, valid=language_data.valid[1:]),
        dataclasses.replace(language_data, parts=3),
    ]
    assert len({language_data.fingerprint, *(other.fingerprint for other in others)}) == 4
