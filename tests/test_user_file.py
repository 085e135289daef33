"""The reader's own texts: right, or one clear sentence."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

import utils
from lab import config
from lab.config import LabError
from lab.datasets import user_file


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
    with pytest.raises(LabError, match="columns what they wrote, stars; none has"):
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


@pytest.mark.parametrize("sign", ["\u2028", "\x0c", "\x85", "\x1c", "\u2029", "\v"])
def test_signs_that_only_python_takes_for_ends_of_lines_cut_no_row(write, capsys, sign):
    text = f"film{sign}number"
    reviews = user_file.read_own(write("a.csv", table(line=f"{text} {{i}},{{label}}")))
    assert reviews["text"][0] == f"{text} 0" and len(reviews) == 200
    assert "left out" not in capsys.readouterr().out


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
        ("a.csv", table().encode("utf-16"), "LAB2_ENCODING=utf-16"),
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
        assert user_file.read_own(path)["text"].tolist() == expected


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
