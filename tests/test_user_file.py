"""The reader's own texts: right, or one clear sentence."""

import contextlib
import csv
import io
import json
import os
import random
import sys
from importlib.metadata import PackageNotFoundError
from types import SimpleNamespace
from unittest import mock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import utils
from lab import config
from lab.config import LabError
from lab.datasets import chinese, labels, token_stream, user_file


@pytest.fixture
def write(tmp_path):
    """Write a file and return its path."""

    def to(name, content):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8"))
        return path

    return to


def table(rows=200, head="text,label", line="film number {i},{label}", names=("bad", "good")):
    lines = [line.format(i=i, label=names[i % 2]) for i in range(rows)]
    return "\n".join([head, *lines]) + "\n"


def json_lines(end, names):
    rows = [{"text": f"film number {i}", "label": names[i % 2], "id": i} for i in range(200)]
    return end.join(map(json.dumps, rows))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", table()),
        ("a.csv", table(head="Sentiment;Review", line="{label};film number {i}")),
        ("a.tsv", table(head="label\ttext", line="{label}\tfilm number {i}")),
        ("a.CSV", "\ufeff" + table().replace("\n", "\r\n")),
        ("a.csv", table(line='"film number {i}",{label}')),
        ("a.jsonl", json_lines("\n", ("bad", "good"))),
        ("a.jsonl", json_lines("\n\n", (0, 1))),
    ],
)
def test_columns_and_labels_are_found(write, name, content):
    reviews = user_file.read_own(write(name, content))
    assert reviews["text"].tolist() == [f"film number {i}" for i in range(200)]
    assert reviews["label"].tolist() == [0, 1] * 100


def test_columns_can_be_named(write, monkeypatch):
    path = write("a.csv", table(head="what they wrote,stars", names=("1", "5")))
    with pytest.raises(LabError, match=r"columns what they wrote, stars\. None has"):
        user_file.read_own(path)
    monkeypatch.setenv("LAB2_TEXT", "what they wrote")
    with pytest.raises(LabError, match="Set LAB2_LABEL"):
        user_file.read_own(path)
    monkeypatch.setenv("LAB2_LABEL", "stars")
    assert user_file.read_own(path)["label"].tolist() == [0, 1] * 100
    monkeypatch.setenv("LAB2_LABEL", "star")
    with pytest.raises(LabError, match="LAB2_LABEL=star is none of them"):
        user_file.read_own(path)


@pytest.mark.parametrize(
    ("names", "first"),
    [(("yes", "no"), 1), (("good", "poor"), 1), (("1", "0"), 1), (("1", "-1"), 1), (("5", "1"), 1)],
)
def test_which_label_is_the_good_one(write, names, first):
    """Known names tell; else the first in the alphabet, or the fewer stars, is 0."""
    assert user_file.read_own(write("a.csv", table(names=names)))["label"][0] == first


@pytest.mark.parametrize(
    ("names", "bad", "good"),
    [(("2", "10"), "2", "10"), (("+1", "-1"), "-1", "+1"), (("0.5", "1e1"), "0.5", "1e1")],
)
def test_labels_that_are_numbers_are_in_the_order_of_numbers(write, names, bad, good):
    reviews = user_file.read_own(write("a.csv", table(names=names)))
    assert f"100 {bad!r} (0), 100 {good!r} (1)" in reviews.attrs["source"]


@pytest.mark.parametrize(
    ("head", "line"),
    [
        ("review, as it was written;sentiment", "film {i}, fine, yes, yes;{label}"),
        ("sentiment;review", "{label};film {i}, fine, yes"),
        ("text;label;a,b,c", 'film {i};{label};"x, y"'),
        ("label|text", "{label}|film {i}; fine, yes"),
    ],
)
def test_what_parts_the_columns_is_found_whatever_the_texts_hold(write, monkeypatch, head, line):
    columns = head.replace("|", ";").split(";")
    monkeypatch.setenv("LAB2_TEXT", next(n for n in columns if "text" in n or "review" in n))
    reviews = user_file.read_own(write("a.csv", table(head=head, line=line)))
    assert len(reviews) == 200 and reviews["text"].str.startswith("film").all()


def test_a_quotation_mark_that_is_never_closed_is_named_with_its_line(write, capsys):
    lines = table().splitlines()
    lines[50] = '"film number 49,good'
    with pytest.raises(LabError, match=r"line 51: a quotation mark is opened and never closed"):
        user_file.read_own(write("a.csv", "\n".join(lines)))
    with pytest.raises(LabError, match=r"line 1: a quotation mark is opened"):
        user_file.read_own(write("a.csv", '"' + table()))
    end = table() + '"cut off,good'
    assert len(user_file.read_own(write("a.csv", end))) == 200
    assert "line 202: a quotation mark is never closed" in capsys.readouterr().out


def test_bad_rows_are_counted_with_their_lines(write, capsys):
    lines = table().splitlines()
    lines[3] = "a,b,c"
    lines[7] = ",good"
    lines[9] = "text without a label,"
    lines[15] = ",  "
    lines[11:13] = ['"two', 'lines",good']
    reviews = user_file.read_own(write("a.csv", "\n".join(lines)))
    said = capsys.readouterr().out
    assert "4 rows left out" in said and "line 16: no text and no label" in said
    assert "line 4: 3 fields instead of 2; line 8: no text; line 10: no label" in said
    assert len(reviews) == 195 and "two\nlines" in set(reviews["text"])


def test_bad_json_is_counted_with_its_line(write, capsys):
    lines = [json.dumps({"text": f"film {i}", "label": i % 2}) for i in range(150)]
    lines[4], lines[6], lines[8] = '{"text": "cut', "[1, 2]", '{"text": "no label", "label": null}'
    lines += ['{"text": "film", "label": 1' for _ in range(5)]
    assert len(user_file.read_own(write("a.jsonl", "\n".join(lines)))) == 147
    said = capsys.readouterr().out
    assert "8 rows left out (line 5: no JSON" in said and "and 3 more" in said
    assert "line 7: no JSON object" in said and "line 9: no label" in said


@pytest.mark.parametrize(
    ("name", "content", "match"),
    [
        ("a.xlsx", b"PK", "no .csv, .tsv or .jsonl"),
        ("a.csv", b"", "a.csv is empty"),
        ("a.csv", "text,label\n", "column names and no row below"),
        ("a.csv", table(50), "50 rows that can be read; at least 100"),
        ("a.csv", table(names=("good", "good")), "has 1 labels"),
        ("a.csv", table() + "film,so-so\n", "has 3 labels"),
        ("a.csv", table(names=["bad"] * 2) + "film,good\n" * 90, "1 different texts .*'good'; at"),
        ("a.csv", table().encode() + "café,good\n".encode("cp1252"), "LAB2_ENCODING=cp1252"),
        ("a.csv", table(line="很好看{i},{label}").encode("gbk"), "set LAB2_ENCODING=gb18030"),
        ("a.json", b" ", "a.json is empty"),
    ],
)
def test_what_cannot_be_read_is_said(write, name, content, match):
    with pytest.raises(LabError, match=match):
        user_file.read_own(write(name, content))


def test_a_missing_file_and_a_wrong_encoding_are_said(write, monkeypatch, tmp_path):
    with pytest.raises(LabError, match="cannot be read: No such file"):
        user_file.read_own(tmp_path / "none.csv")
    path = write("a.csv", table().encode("cp1252"))
    monkeypatch.setenv("LAB2_ENCODING", "no-such")
    with pytest.raises(LabError, match="no such encoding"):
        user_file.read_own(path)


def test_another_encoding_can_be_named(write, monkeypatch):
    monkeypatch.setenv("LAB2_ENCODING", "cp1252")
    path = write("a.csv", table(line="café {i},{label}").encode("cp1252"))
    assert user_file.read_own(path)["text"][0] == "café 0"


def test_own_texts_go_the_way_of_all_reviews(write, monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("LAB2_REVIEWS", str(write("mine.csv", table(400))))
    reviews = utils.load_reviews(config.PROFILES["quick"], tmp_path)
    assert reviews["split"].value_counts().to_dict() == {"train": 280, "test": 60, "valid": 60}
    assert "your own, mine.csv" in capsys.readouterr().out
    assert "200 'bad' (0), 200 'good' (1)" in reviews.attrs["source"]


def of_one_label(texts, numbers):
    """Return each text once, in order, without those that stand under 0 and under 1.

    numbers: of the labels of the rows, in turn
    """
    under = {}
    for row, text in enumerate(texts):
        under.setdefault(text, set()).add(numbers[row % len(numbers)])
    return [text for text, found in under.items() if len(found) == 1]


NUMBERS = {  # labels of a file, and which are 0 and 1; the others are left out
    "two": {"bad": 0, "good": 1},
    "stars": {"1": 0, "2": 0, "3": None, "4": 1, "5": 1},
    "words": {"negative": 0, "neutral": None, "positive": 1},
}


@st.composite
def files_with_repeats(draw):
    """Draw the rows (text, label) of a file, and the numbers of its labels.

    Some texts are repeated, under their label or another, as in files put together of several.
    """
    chance = random.Random(draw(st.integers(0, 2**32)))
    number = NUMBERS[draw(st.sampled_from(sorted(NUMBERS)))]
    weights = [draw(st.integers(1, 5)) ** 2 for _ in number]
    texts = [f"film number {i}" for i in range(draw(st.integers(len(number), 300)))]
    more = chance.choices([*number], weights, k=len(texts) - len(number))
    rows = list(zip(texts, [*number, *more]))
    others = draw(st.sampled_from([0, 0, 0.1, 0.8, 1]))  # share of the texts under a label more
    rows += [(t, chance.choice([*number])) for t in chance.sample(texts, int(others * len(texts)))]
    rows += chance.choices(rows, k=draw(st.sampled_from([0, 1, 90, 800])))
    chance.shuffle(rows)
    return rows, number


@settings(max_examples=60, deadline=None)
@given(made=files_with_repeats(), profile=st.sampled_from(["tiny", "quick", "full"]))
def test_a_text_counts_once_and_under_one_label(tmp_path_factory, made, profile):
    """As what is judged, and as what suffices: else one sentence names the file and the number."""
    rows, number = made
    path = tmp_path_factory.getbasetemp() / "repeats.csv"
    path.write_text(in_csv(rows), encoding="utf-8")
    used = [(text, number[label]) for text, label in rows if number[label] is not None]
    texts, values = zip(*used)
    kept = of_one_label(texts, values)
    sizes = [sum(label == value for text, label in {*used} if text in kept) for value in (0, 1)]
    said = io.StringIO()
    with mock.patch.dict(os.environ, LAB2_REVIEWS=str(path)), contextlib.redirect_stdout(said):
        if min(sizes) < labels.LEAST_OF_A_LABEL or sum(sizes) < labels.LEAST:
            with pytest.raises(LabError, match=r"repeats\.csv has \d+ .*at least \d+ (of each )?"):
                utils.load_reviews(config.PROFILES[profile], path.parent)
            return
        own = user_file.read_own(path)
        reviews = utils.load_reviews(config.PROFILES[profile], path.parent)
    assert own["text"].tolist() == kept
    both = [text for text in texts if text not in kept]
    for problem, count in (
        ("their texts stand under both labels", len(both)),
        ("copies of texts above them", len(texts) - len(both) - len(kept)),
    ):
        assert (f"{count} rows left out ({problem})" in said.getvalue()) == (count > 0)
    shares = reviews["split"].value_counts() / len(kept)
    assert max(shares["valid"], shares["test"]) <= 0.15 and len(shares) == 3
    assert set(reviews.loc[reviews["split"] == "train", "label"]) == {0, 1}


@given(content=st.binary(max_size=400), name=st.sampled_from(["a.csv", "a.tsv", "a.jsonl"]))
def test_any_bytes_are_read_or_refused(tmp_path_factory, content, name):
    path = tmp_path_factory.getbasetemp() / name
    path.write_bytes(b"text,label\n" + content)
    try:
        user_file.read_own(path)
    except LabError as error:
        assert len(str(error)) > 20


@given(texts=st.lists(st.text(min_size=1).filter(str.strip), min_size=1, max_size=20))
def test_any_text_comes_back_from_json(tmp_path_factory, texts):
    path = tmp_path_factory.getbasetemp() / "any.jsonl"
    texts += [f"film number {i}" for i in range(100)]
    lines = [json.dumps({"text": text, "label": i % 2}) for i, text in enumerate(texts)]
    path.write_text("\n".join(lines), encoding="utf-8")
    expected = [text.replace("\0", " ").strip() for text in texts]
    if all(expected):
        assert user_file.read_own(path)["text"].tolist() == of_one_label(expected, [0, 1])


@pytest.mark.parametrize(("rows", "rare"), [(100, 50), (3000, 300), (400, 20)])
def test_the_first_training_runs_on_whatever_the_reader_takes(
    write, monkeypatch, tmp_path, notebook, lesson, rows, rare
):
    """Small files, and files with few texts of one label."""
    lines = [f"film number {i},{'good' if i < rare else 'bad'}" for i in range(rows)]
    monkeypatch.setenv("LAB2_REVIEWS", str(write("mine.csv", "text,label\n" + "\n".join(lines))))
    monkeypatch.setenv("LAB2_DATA", str(tmp_path))
    data = utils.load_corpus(config.PROFILES["tiny"]).data
    (cell,) = [cell for cell in notebook.cells if cell.id == "first-training"]
    scope = vars(lesson) | {"data": data, "train": data.train, "valid": data.valid}
    exec(cell.source, scope)
    assert 0 < scope["few"].labels.sum() == len(scope["few"]) / 2


def read(path):
    reviews = user_file.read_own(path)
    return reviews["text"].tolist(), reviews["label"].tolist()


QUOTED = {"delimiter": "\t", "quoting": csv.QUOTE_ALL}
ESCAPED = {**QUOTED, "doublequote": False, "escapechar": "\\"}
TEXTS = [f'a film, number {i}; "so" they say' for i in range(120)]


def rows_of(names, texts=TEXTS):
    return [(text, names[i % len(names)]) for i, text in enumerate(texts)]


def in_csv(rows, head=("text", "label"), **form):
    text = io.StringIO()
    csv.writer(text, **form).writerows([head, *rows] if head else rows)
    return text.getvalue()


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize(
    ("name", "form"),
    [
        ("a.csv", {"quoting": csv.QUOTE_ALL}),
        ("a.csv", {"delimiter": ";"}),
        ("a.tsv", {"delimiter": "\t", "quoting": csv.QUOTE_NONE, "quotechar": None}),
        ("a.tsv", ESCAPED),
        ("a.txt.tsv", QUOTED),
    ],
)
def test_texts_are_those_that_were_written(write, capsys, name, form, encoding):
    texts = [f'"{TEXTS[0]}', *TEXTS[1:], f'{TEXTS[0]}"'] if "quotechar" in form else TEXTS
    texts, labels = zip(*rows_of(("bad", "good"), texts))
    path = write(name, in_csv(zip(texts, labels), **form).encode(encoding))
    assert read(path) == ([*texts], [int(label == "good") for label in labels])
    assert not capsys.readouterr().out


@pytest.mark.parametrize("sorted_by_label", [False, True])
def test_a_file_without_a_line_of_names_is_told_and_can_be_read(
    write, monkeypatch, sorted_by_label
):
    rows = [(label, str(10**9 + i), "NO_QUERY", text) for i, (text, label) in
            enumerate(rows_of(("0", "4")))]  # fmt: skip
    rows = sorted(rows) if sorted_by_label else rows
    path = write("a.csv", in_csv(rows, head=None, quoting=csv.QUOTE_ALL))
    with pytest.raises(LabError, match=r"no line of names.* as LAB2_TEXT=4 and LAB2_LABEL=1"):
        user_file.read_own(path)
    monkeypatch.setenv("LAB2_TEXT", "4")
    monkeypatch.setenv("LAB2_LABEL", "1")
    assert read(path) == ([row[3] for row in rows], [int(row[0] == "4") for row in rows])
    named = write("b.csv", in_csv(rows, head=("how", "id", "query", "what")))
    assert read(named) == read(path)  # places name columns that have names, too


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (("1", "2", "3", "4", "5"), (0, 0, None, 1, 1)),
        (("5 stars", "1 star", "3 stars"), (1, 0, None)),
        (("★", "★★★★★", "★★★★", "★★★"), (0, 1, 1, None)),
        ([*map(str, range(1, 11))], [0] * 4 + [None] * 2 + [1] * 4),
        (("0", "2", "4"), (0, None, 1)),
        (("-1", "0", "1"), (0, None, 1)),
        (("4.0", "1.0", "2.0", "5.0"), (1, 0, 0, 1)),
        (("Positive", "negative", "Neutral"), (1, 0, None)),
        (("positive", "Positive", "negative"), (1, 1, 0)),
        (("正面", "负面", "中性"), (1, 0, None)),
        (("正面", "负面"), (1, 0)),
        (("好评", "差评"), (1, 0)),
        (("fresh", "rotten"), (1, 0)),
        (("ham", "spam"), (0, 1)),
        (("neg", "okay"), (0, 1)),
        (("fine", "neg"), (1, 0)),
    ],
)
def test_two_classes_are_made_of_labels(write, names, expected):
    texts = [f"a film, number {i}" for i in range(60 * len(names))]
    path = write("a.csv", in_csv(rows_of(names, texts)))
    wanted = [(text, expected[i % len(names)]) for i, text in enumerate(texts)]
    wanted = [(text, label) for text, label in wanted if label is not None]
    assert [*zip(*read(path))] == wanted
    source = user_file.read_own(path).attrs["source"]
    assert ("left out: " in source) == (None in expected)


def test_labels_can_be_chosen(write, monkeypatch):
    names = ("joy", "love", "anger", "fear")
    path = write("a.csv", in_csv(rows_of(names, [f"number {i}" for i in range(400)])))
    with pytest.raises(LabError, match=r"has 4 labels .*Set LAB2_POSITIVE to those"):
        user_file.read_own(path)
    monkeypatch.setenv("LAB2_POSITIVE", "joy, love")
    assert read(path)[1] == [1, 1, 0, 0] * 100
    monkeypatch.setenv("LAB2_NEGATIVE", "fear")
    assert read(path)[1] == [1, 1, 0] * 100
    monkeypatch.delenv("LAB2_POSITIVE")
    assert read(path)[1] == [1, 1, 1, 0] * 100
    monkeypatch.setenv("LAB2_POSITIVE", "hate")
    with pytest.raises(LabError, match="lab tells two apart"):
        user_file.read_own(path)


@pytest.mark.parametrize(("name", "indent"), [("a.jsonl", None), ("a.json", 2), ("a.jsonl", 1)])
def test_an_array_of_json_is_read(write, capsys, name, indent):
    rows = [{"text": text, "label": label, "id": 1} for text, label in rows_of(("bad", "good"))]
    path = write(name, json.dumps([*rows, 3], indent=indent))
    assert read(path) == (TEXTS, [0, 1] * 60)
    assert "1 rows left out (line 121: no JSON object)" in capsys.readouterr().out


def test_half_of_a_sign_is_shown_as_a_replacement(write):
    rows = [{"text": f"film {i} \ud83d", "label": i % 2} for i in range(120)]
    rows[0]["text"] = "film \ud83d\ude00"
    texts, _ = read(write("a.jsonl", "\n".join(map(json.dumps, rows))))
    assert texts == ["film 😀", *(f"film {i} \ufffd" for i in range(1, 120))]


CHINESE = "前台态度冷淡，价格太贵，不推荐"
JAPANESE = "この映画はとても面白かったです"
THAI = "ภาพยนตร์เรื่องนี้สนุกมาก"


@pytest.mark.parametrize(
    ("text", "remedy"),
    [(CHINESE, "LAB2_TOKENS=zh .*pip install rjieba"), (JAPANESE, "blanks"), (THAI, "blanks")],
)
def test_texts_without_blanks_are_refused_at_once(write, monkeypatch, text, remedy):
    path = write("a.csv", table(line=f"{text}{{i}},{{label}}"))
    with pytest.raises(LabError, match=f"no blanks between words.*{remedy}"):
        user_file.read_own(path)
    cut = " ".join(text)
    assert len(user_file.read_own(write("b.csv", table(line=f"{cut} {{i}},{{label}}")))) == 200


def test_chinese_texts_go_their_way(write, monkeypatch, tmp_path, capsys):
    """The package that cuts them is stood for: it is no part of the installation."""
    monkeypatch.setenv("LAB2_TOKENS", "zh")
    lines = [f"{CHINESE}{i},{i % 2}" for i in range(200)]
    monkeypatch.setenv("LAB2_REVIEWS", str(write("a.csv", "\n".join(["text,label", *lines]))))
    monkeypatch.setenv("LAB2_DATA", str(tmp_path))
    monkeypatch.setitem(sys.modules, "rjieba", None)
    monkeypatch.setattr(chinese.metadata, "version", mock.Mock(side_effect=PackageNotFoundError))
    with pytest.raises(LabError, match=r"Install it with: pip install rjieba==0\.2\.2$"):
        utils.load_corpus(config.PROFILES["tiny"])
    with pytest.raises(LabError, match="pip install rjieba"):
        utils.tokenize(CHINESE)
    monkeypatch.setitem(sys.modules, "rjieba", SimpleNamespace(cut=list))
    monkeypatch.setattr(chinese.metadata, "version", lambda name: "0")
    corpus = utils.load_corpus(config.PROFILES["tiny"])
    assert utils.tokenize("前台 A") == ["前", "台", "a"]
    assert np.diff(corpus.texts.starts).min() >= len(CHINESE)
    assert "GloVe is English: it knows" in capsys.readouterr().out
    monkeypatch.setenv("LAB2_TOKENS", "fr")
    with pytest.raises(LabError, match="LAB2_TOKENS=fr is not known"):
        utils.tokenize(CHINESE)


@pytest.mark.parametrize("profile", ["tiny", "quick", "course", "full"])
@pytest.mark.parametrize(("rows", "rare", "text"), [(100, 50, "a"), (400, 20, "a fine film")])
def test_language_models_have_enough_to_read(
    write, monkeypatch, tmp_path, profile, rows, rare, text
):
    lines = [f"{text} {i},{'good' if i < rare else 'bad'}" for i in range(rows)]
    monkeypatch.setenv("LAB2_REVIEWS", str(write("mine.csv", "text,label\n" + "\n".join(lines))))
    monkeypatch.setenv("LAB2_DATA", str(tmp_path))
    profile = config.PROFILES[profile]
    data = utils.language_data(profile, utils.load_corpus(profile))
    piece = next(token_stream.stream_batches(data.train, batch_size=32, steps=40))
    assert len(piece.text) == 40  # what section 5 looks at
    for stream in (data.valid, *(token_stream.part_of(data, e) for e in range(data.parts))):
        assert [*token_stream.stream_batches(stream, profile.stream_batch_size, profile.max_length)]
    assert all(len(token_stream.part_of(data, e)) >= profile.max_length for e in range(data.parts))
    assert (data.valid == token_stream.END).sum() >= 3
