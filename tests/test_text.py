"""Tokens, vocabulary, encoding, vectors, batches."""

import gzip
import lzma
import os

import numpy as np
import pytest

import utils
from lab import environment
from lab.config import LabError
from lab.datasets import glove

TEXTS = [
    "Good, GOOD film.<br />Don't miss!",
    "",
    "<br /><br />",
    "bad",
    "a bad, bad day \ud800 é 好",
]


@pytest.fixture
def texts():
    return utils.tokenize_all(TEXTS)


@pytest.fixture
def vocab(texts):
    return utils.build_vocab(texts, np.array([True, True, True, True, False]))


def test_tokens():
    expected = ["good", ",", "good", "film", ".", "do", "n't", "miss", "!"]
    assert utils.tokenize(TEXTS[0]) == expected
    assert utils.tokenize("it.<BR/>It's") == ["it", ".", "it", "'s"]
    assert utils.tokenize("  \n\t ") == []


def test_cache_hit_equals_cache_miss(tmp_path, texts, monkeypatch):
    utils.tokenize_all(TEXTS, cache=tmp_path)
    monkeypatch.setattr(utils, "_tokenize_in_parallel", None)  # a hit must not need it
    hit = utils.tokenize_all(TEXTS, cache=tmp_path)
    assert hit.words == texts.words
    assert np.array_equal(hit.tokens, texts.tokens) and np.array_equal(hit.starts, texts.starts)


def test_cache_depends_on_texts_and_tokenizer_version(tmp_path, monkeypatch):
    utils.tokenize_all(TEXTS, cache=tmp_path)
    utils.tokenize_all(TEXTS[::-1], cache=tmp_path)
    monkeypatch.setattr(utils.metadata, "version", lambda name: "another")
    utils.tokenize_all(TEXTS, cache=tmp_path)
    assert len(list(tmp_path.glob("tokens-*.npz"))) == 3


def test_cache_depends_on_the_code_of_the_tokenizer(tmp_path, monkeypatch):
    utils.tokenize_all(TEXTS, cache=tmp_path)

    def tokenize(text):
        return text.encode("ascii", "ignore").decode().split()  # a reader wants capitals

    monkeypatch.setattr(utils, "tokenize", tokenize)
    monkeypatch.setattr(utils.machine, "available_cores", lambda: 1)
    assert "Good," in utils.tokenize_all(TEXTS, cache=tmp_path).words
    assert len(list(tmp_path.glob("tokens-*.npz"))) == 2


@pytest.mark.parametrize("damage", [b"", b"not a zip", None])
def test_corrupt_cache_is_rebuilt_and_said_so(tmp_path, texts, capsys, damage):
    utils.tokenize_all(TEXTS, cache=tmp_path)
    (file,) = tmp_path.glob("*.npz")
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 2] if damage is None else damage)
    assert utils.tokenize_all(TEXTS, cache=tmp_path).words == texts.words
    assert "damaged" in capsys.readouterr().out
    assert file.read_bytes() == whole


def test_vocabulary_specials_come_first_and_differ(vocab):
    assert vocab.itos[:2] == ["<unk>", "<pad>"]
    assert vocab.itos[utils.PADDING_INDEX] == utils.PADDING


def test_vocabulary_comes_from_the_given_texts_only_most_frequent_first(texts, vocab):
    assert "day" not in vocab.itos
    assert vocab.itos[2] == "good"
    limited = utils.build_vocab(texts, np.ones(5, dtype=bool), max_words=3)
    assert len(limited) == 5 and set(limited.itos[2:]) == {"bad", "good", ","}


def test_encoding(texts, vocab):
    rows = np.array([False, True, True, True, True])
    reviews = utils.encode(texts, np.array([0, 1, 0, 1, 0]), rows, vocab)
    pieces = np.split(reviews.tokens, reviews.starts[1:-1])
    assert [len(p) for p in pieces] == [1, 1, 1, 8]
    assert pieces[0] == pieces[1] == vocab.stoi["<unk>"] == 0  # empty reviews
    assert pieces[2] == vocab.stoi["bad"]
    assert pieces[3].tolist().count(0) == 5  # a, day, the broken character, é, 好: not in training
    assert reviews.labels.tolist() == [1, 0, 1, 0]


def test_a_text_never_gets_the_index_of_padding(vocab):
    assert utils.word_index("<pad>", vocab) == 0
    assert utils.word_index("never seen", vocab) == 0
    assert "never seen" not in vocab.stoi


LINES = {"good": 1.0, "bad": -1.0, "unused": 5.0, "film": 0.5}


def write_vectors(folder, name="glove.6B.50d.txt", lines=None):
    rows = lines or [f"{word} " + " ".join([str(v)] * 50) for word, v in LINES.items()]
    opener = {"xz": lzma.open, "gz": gzip.open}.get(name.rsplit(".", 1)[1], open)
    with opener(folder / name, "wt", encoding="utf-8") as file:
        file.write("\n".join(rows) + "\n")


@pytest.mark.parametrize("suffix", ["", ".xz", ".gz"])
def test_vectors_from_text_files(tmp_path, vocab, suffix):
    write_vectors(tmp_path, f"glove.6B.50d.txt{suffix}")
    for _ in range(2):  # the second time from the cache
        vectors = utils.load_vectors(vocab, tmp_path)
        assert vectors.matrix.shape == (len(vocab), 50)
        assert (vectors.matrix[vocab.stoi["bad"]] == -1).all()
        assert not vectors.matrix[:2].any()
        assert {vocab.itos[i] for i in np.flatnonzero(vectors.known)} == {"good", "bad", "film"}
        assert vectors.matrix[vocab.stoi["miss"]].any()  # not found: random, not zero


def test_vectors_of_the_package(tmp_path, vocab):
    vectors = utils.load_vectors(vocab, tmp_path)
    assert vectors.matrix.shape == (len(vocab), 50) and vectors.known[2:].all()
    the = utils.load_vectors(utils.Vocab(utils.Counter({"the": 1})), tmp_path).matrix[2]
    assert the[:3] == pytest.approx([0.418, 0.24968, -0.41242])  # first line of glove.6B.50d.txt


def test_a_vector_file_that_was_only_read_is_not_parsed_again(tmp_path, vocab):
    write_vectors(tmp_path)
    file = tmp_path / "glove.6B.50d.txt"
    utils.load_vectors(vocab, tmp_path)
    os.utime(file, ns=(file.stat().st_atime_ns + 10**12, file.stat().st_mtime_ns))
    utils.load_vectors(vocab, tmp_path)
    assert len(list((tmp_path / "cache").iterdir())) == 1


def test_changed_vector_file_is_read_again(tmp_path, vocab):
    write_vectors(tmp_path)
    utils.load_vectors(vocab, tmp_path)
    write_vectors(tmp_path, lines=["good " + " ".join(["7.25"] * 50)])
    assert (utils.load_vectors(vocab, tmp_path).matrix[vocab.stoi["good"]] == 7.25).all()


def test_one_hundred_dimensions_are_preferred(tmp_path):
    for end in ("300d.txt", "50d.txt.gz", "100d.txt.xz", "zip"):
        (tmp_path / f"glove.6B.{end}").touch()
    assert environment.vector_files(tmp_path)[0].name == "glove.6B.100d.txt.xz"


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("bad 1 2 3", "3 values, expected 50"),
        ("bad " + " ".join(["x"] * 50), "could not convert"),
        ("bad " + " ".join(["nan"] * 50), "not a finite number"),
        ("bad", "0 values, expected 50"),
    ],
)
def test_broken_vector_file_names_file_and_line(tmp_path, vocab, line, complaint):
    write_vectors(tmp_path, lines=["good " + " ".join(["1"] * 50), line])
    with pytest.raises(LabError, match=rf"glove\.6B\.50d\.txt, line 2: .*{complaint}"):
        utils.load_vectors(vocab, tmp_path)


@pytest.mark.parametrize("is_file", [True, False])
def test_texts_without_a_word_that_glove_knows_get_random_vectors(tmp_path, capsys, is_file):
    if is_file:
        write_vectors(tmp_path)
    strange = utils.Vocab(utils.Counter({"很好看的电影": 2, "前台态度冷淡": 1}))
    for _ in range(2):  # the second time from the cache
        vectors = utils.load_vectors(strange, tmp_path)
        assert vectors.matrix.shape == (4, 50) and not vectors.known.any()
        assert 0.4 < vectors.matrix[2:].std() < 1 and not vectors.matrix[:2].any()
        assert "it knows 0.0% of the words" in capsys.readouterr().out


VALUES = " ".join(["2.5"] * 50)


@pytest.mark.parametrize(
    "lines",
    [
        ["4 50", "good @", "film @"],
        ["4 50 ", "good @ ", "film @ \r"],
        ["good @", ". . @", "New York @", "at name@host @ ", "film @"],
        ["good @ \t ", "very good indeed @", "film @\r"],
    ],
)
def test_vectors_are_read_as_others_write_them(tmp_path, vocab, lines):
    """A first line of two numbers, blanks at the end of lines, words with blanks in them."""
    write_vectors(tmp_path, lines=[line.replace("@", VALUES) for line in lines])
    vectors = utils.load_vectors(vocab, tmp_path)
    assert {vocab.itos[i] for i in np.flatnonzero(vectors.known)} == {"good", "film"}
    assert (vectors.matrix[vectors.known] == 2.5).all()


def test_words_with_blanks_are_found(tmp_path):
    write_vectors(tmp_path, lines=[f". . . {VALUES}", f"one {VALUES} "])
    _, vectors = glove.read_vector_file(tmp_path / "glove.6B.50d.txt", {". . .": 0})
    assert vectors.tolist() == [[2.5] * 50]


@pytest.mark.parametrize("extra", ["1", "-0.5", "1e-3"])
def test_a_value_too_many_is_no_part_of_a_word(tmp_path, extra):
    write_vectors(tmp_path, lines=[f"good {VALUES}", f"bad {extra} {VALUES}"])
    with pytest.raises(LabError, match="line 2: 51 values, expected 50"):
        glove.read_vector_file(tmp_path / "glove.6B.50d.txt", {"good": 0})


def test_cut_compressed_vector_file_is_named(tmp_path, vocab):
    write_vectors(tmp_path, "glove.6B.50d.txt.gz")
    file = tmp_path / "glove.6B.50d.txt.gz"
    file.write_bytes(file.read_bytes()[:-12])
    with pytest.raises(LabError, match=r"glove\.6B\.50d\.txt\.gz, line"):
        utils.load_vectors(vocab, tmp_path)


def test_batches_are_repeatable_and_shuffled(data):
    def order(seed):
        return [tuple(batch.index) for batch in utils.make_batches(data.train, 16, 10, seed)]

    assert order(5) == order(5) != order(6)


def test_batches_are_bucketed_by_length(data):
    spread = [
        int(batch.text_length.max() - batch.text_length.min())
        for batch in utils.make_batches(data.train, 16, 12, seed=0)
    ]
    assert max(spread) <= 4  # lengths 1 to 12 in six batches; mixed ones would span about 11
