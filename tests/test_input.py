"""Whatever comes in: a right result, or one clear error of a documented kind (properties)."""

import re

import numpy as np
import pytest
import torch
from helpers import ROOT
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import utils
from lab.base import files
from lab.config import LabError
from lab.datasets import glove
from lab.experiments.run import RunRecord

VOCAB = utils.Vocab(utils.Counter(["good", "bad", "film", "<", "br"]))
anything = st.text(st.characters(), max_size=60)  # lone surrogates and control characters too
ours = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@ours
@given(anything)
def test_any_text_becomes_tokens_without_spaces(text):
    tokens = utils.tokenize(text)
    assert all(token and not token.isspace() for token in tokens)
    assert utils.tokenize(text) == tokens


ODD = [
    "a" * 100_000,
    "good " * 20_000,
    "<br />" * 20_000,
    "\x00" * 1000,
    "\ud800" * 100,
    "😀" * 9000,
]


@pytest.mark.parametrize("text", ODD, ids=range(len(ODD)))
def test_long_and_odd_texts_are_read(text):
    tokens = utils.tokenize(text)
    indices = [utils.word_index(token, VOCAB) for token in tokens]
    assert all(0 <= i < len(VOCAB) for i in indices)


@ours
@given(st.lists(anything, min_size=1, max_size=5))
def test_tokens_of_many_texts_are_those_of_each(tmp_path, texts):
    together = utils.tokenize_all(texts)
    for i, text in enumerate(texts):
        own = together.tokens[together.starts[i] : together.starts[i + 1]]
        assert [together.words[token] for token in own] == utils.tokenize(text)


@ours
@given(
    st.lists(st.lists(st.integers(2, 6), min_size=1, max_size=40), min_size=1, max_size=30),
    st.data(),
)
def test_batches_hold_every_review_once(reviews, data):
    """Of any lengths: each column is the end of one review, and padding."""
    starts = np.cumsum([0, *map(len, reviews)])
    tokens = np.array([token for review in reviews for token in review], dtype=np.int32)
    labels = np.array([review[0] % 2 for review in reviews], dtype=np.float32)
    encoded = utils.EncodedReviews(tokens, starts, labels)
    longest, seed = data.draw(st.integers(1, 50)), data.draw(st.sampled_from([None, 0]))
    seen = []
    for batch in utils.make_batches(encoded, data.draw(st.integers(1, 7)), longest, seed):
        assert batch.text.shape == (batch.text_length.max(), len(batch.index))
        assert batch.label.tolist() == labels[batch.index].tolist()
        for column, length, row in zip(batch.text.T, batch.text_length, batch.index, strict=True):
            words = column[:length].tolist()
            assert words == reviews[row][-longest:]
            assert (column[length:] == utils.PADDING_INDEX).all()
            seen.append(int(row))
    assert sorted(seen) == list(range(len(reviews)))


lines = st.lists(
    st.tuples(st.sampled_from(["good", "bad", "film", "a b", "…", "."]), st.integers(2, 4)),
    min_size=1,
    max_size=8,
)


@ours
@given(lines, st.sampled_from(["0.5", "nan", "inf", "-1e30", "x", ""]), st.integers(0, 7))
def test_any_vector_file_is_read_or_refused(tmp_path, rows, odd, place):
    path = tmp_path / "glove.6B.3d.txt"
    text = [" ".join([word, *["0.5"] * count]) for word, count in rows]
    text[place % len(text)] += f" {odd}"
    path.write_text("\n".join(text) + "\n", encoding="utf-8")
    try:
        found, vectors = glove.read_vector_file(path, {"good": 0, "bad": 1, "film": 2})
    except LabError as error:
        assert path.name in str(error)
    else:
        assert vectors.shape == (len(found), 3) and np.isfinite(vectors).all()
        assert len(set(found.tolist())) == len(found)


@ours
@given(st.binary(max_size=300))
def test_any_bytes_as_vectors_are_read_or_refused(tmp_path, content):
    path = tmp_path / "glove.6B.50d.txt"
    path.write_bytes(content)
    with_word = {"good": 0}
    try:
        glove.read_vector_file(path, with_word)
    except LabError as error:
        assert path.name in str(error)


@ours
@given(st.binary(max_size=200), st.sampled_from([".npz", ".pt"]))
def test_any_bytes_as_stored_arrays_are_refused(tmp_path, content, suffix):
    path = tmp_path / f"file{suffix}"
    path.write_bytes(content)
    assert (files.load_arrays if suffix == ".npz" else files.load_tensors)(path) is None


@pytest.mark.parametrize("place", np.linspace(0, 1, 40, endpoint=False))
def test_a_flipped_bit_in_weights_is_seen(tmp_path, place):
    path = tmp_path / "best.pt"
    torch.save({"weight": torch.arange(500.0)}, path)
    content = bytearray(path.read_bytes())
    content[int(place * len(content))] ^= 4
    path.write_bytes(content)
    loaded = files.load_tensors(path)
    assert loaded is None or torch.equal(loaded["weight"], torch.arange(500.0))


def test_results_with_another_number_in_them_do_not_count(lesson, data, tmp_path, cpu, settings):
    record = RunRecord(settings(), data.fingerprint, "code", tmp_path)
    lesson.train_run(record.settings, data, record, cpu)
    path = record.folder / "result.json"
    text = path.read_text()
    digit = re.search(r'"test_accuracy": 0\.(\d)', text)
    other = str((int(digit[1]) + 1) % 10)
    path.write_text(text[: digit.start(1)] + other + text[digit.end(1) :])
    assert record.result is None


def test_no_program_loads_a_pickle():
    """Ruff looks for the rest: rules S102 to S605 in ruff.toml."""
    folders = ("lab", "tools", "grading", "further")
    paths = [*ROOT.glob("*"), *(path for name in folders for path in (ROOT / name).rglob("*"))]
    programs = [path for path in paths if path.suffix in (".py", ".ipynb")]
    assert len(programs) > 50
    for path in programs:
        code = path.read_text(encoding="utf-8")
        assert not re.search(r"allow_pickle=True|weights_only=False|joblib\.load", code), path
