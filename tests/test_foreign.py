"""Tables of other programs: each kind is read as it was written, and goes back as it was."""

import codecs
import csv
import io

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from lab.base import foreign
from lab.config import LabError

FORMS = {
    "csv": ({"delimiter": ","}, foreign.DOUBLED),
    "quoted": ({"delimiter": ",", "quoting": csv.QUOTE_ALL}, foreign.DOUBLED),
    "semicolons": ({"delimiter": ";"}, foreign.DOUBLED),
    "tabs": ({"delimiter": "\t", "quoting": csv.QUOTE_ALL}, foreign.DOUBLED),
    "escaped": (
        {"delimiter": "\t", "quoting": csv.QUOTE_ALL, "doublequote": False, "escapechar": "\\"},
        foreign.ESCAPED,
    ),
    "raw": (
        {"delimiter": "\t", "quoting": csv.QUOTE_NONE, "quotechar": None, "escapechar": None},
        foreign.NONE,
    ),
}
ENCODINGS = {
    "utf-8": b"",
    "utf-8 ": codecs.BOM_UTF8,
    "utf-16-le": codecs.BOM_UTF16_LE,
    "utf-16-be": codecs.BOM_UTF16_BE,
}
WORDS = ["film", "good", "'", ",", ";", "|", "\\", "\\n", "café", "张三", "😀"]
WORDS += ["\u2028", "\u2029", "\x85", "\x0c", "\x1c", "\v"]  # ends of lines for Python alone
MORE = {"raw": ['"'], "csv": ["\n", '"'], "escaped": ["\n", '"', '\\"']}
MORE |= {form: ["\n", '"', "\t"] for form in ("quoted", "semicolons", "tabs")}


def fields(form):
    """Texts that a form can hold; a first word, so that no line is blank."""
    words = st.lists(st.sampled_from([*WORDS, *MORE[form]]), max_size=8)
    return words.map(lambda parts: " ".join(["w", *parts]))


def written(rows, form, newline="\n"):
    text = io.StringIO()
    csv.writer(text, lineterminator=newline, **FORMS[form][0]).writerows(rows)
    return text.getvalue()


@st.composite
def files(draw):
    """A file, what it is to be read as, and its form."""
    form = draw(st.sampled_from(sorted(FORMS)))
    rows = draw(st.lists(st.tuples(fields(form), fields(form)), min_size=1, max_size=30))
    rows = [["text", "label", "id"], *([*row, str(i)] for i, row in enumerate(rows))]
    if form == "escaped":  # or it could not be told
        rows[1][0] += ' "so"'
    newline = draw(st.sampled_from(["\n", "\r\n"]))
    text = written(rows, form, newline)
    if form == "semicolons" and draw(st.booleans()):
        text = f"sep=;{newline}{text}"
    text = text if draw(st.booleans()) else text.removesuffix(newline)
    encoding = draw(st.sampled_from(sorted(ENCODINGS)))
    return ENCODINGS[encoding] + text.encode(encoding.strip()), rows, form, encoding.strip()


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return tmp_path_factory.mktemp("tables") / "table.csv"


def can_be_told(rows, form):
    """Not if each line alone has as many fields as the head, though texts have several lines."""
    lines = written(rows, form).removesuffix("\n").split("\n")
    delimiter = FORMS[form][0]["delimiter"]
    return len(lines) == len(rows) or any(line.count(delimiter) != 2 for line in lines)


@settings(max_examples=150, deadline=None)
@given(file=files(), data=st.data())
def test_all_kinds_come_back_and_go_back(path, file, data):
    content, rows, form, encoding = file
    assume(can_be_told(rows, form))
    path.write_bytes(content)
    table = foreign.read(path, "table")
    assert table.rows == rows
    assert (table.encoding, table.delimiter) == (encoding, FORMS[form][0]["delimiter"])
    assert foreign.write(table, table.rows) == content
    where = data.draw(st.integers(1, len(rows) - 1))
    rows[where][1] = data.draw(fields(form))
    assume(can_be_told(rows, form))
    path.write_bytes(foreign.write(table, rows))
    assert foreign.read(path, "table").rows == rows
    lines = [content.splitlines(), path.read_bytes().splitlines()]
    if "\n" not in "".join(map("".join, [*rows, *table.rows])) and encoding == "utf-8":
        others = [all_lines[: table.records[where].first - 1] for all_lines in lines]
        assert others[0] == others[1]


CLASS = "number,name\ns101,Jane Doe\n2026001,王小明\ns109,李雷\n"


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-be", "gbk"])
def test_a_class_list_is_the_same_in_each_form(path, delimiter, encoding):
    content = CLASS.replace(",", delimiter).encode(encoding)
    path.write_bytes(content)
    table = foreign.read(path, "class list")
    assert table.rows == [line.split(",") for line in CLASS.splitlines()]
    assert foreign.write(table, table.rows) == content


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("Müller", "cp1252"), ("Jörg Größe, élève", "cp1252"), ("Фильм был хороший", "cp1251"),
        ("이 영화는 정말 재미있었다", "euc_kr"), ("この映画はとても面白かった", "shift_jis"),
        ("這部電影非常好看我很喜歡", "big5"),
    ],
)  # fmt: skip
def test_what_cannot_be_told_is_asked_and_can_be_named(path, text, encoding):
    content = f"number;name\n1;{text}\n2;{text}\n".encode(encoding)
    path.write_bytes(content)
    with pytest.raises(LabError, match=r"list .*table.csv, line 2, is not in utf-8.*as UTF-8\."):
        foreign.read(path, "class list")
    table = foreign.read(path, "class list", encoding)
    assert table.rows[1] == ["1", text] and foreign.write(table, table.rows) == content


def test_an_encoding_is_suggested_where_it_can_be_named(path):
    path.write_bytes(f"text,label\n{'老板人好，值得推荐。' * 3},1\n".encode("gb18030"))
    with pytest.raises(LabError, match="If it is in gb18030, set CODE=gb18030"):
        foreign.read(path, "texts", option="CODE")
    with pytest.raises(LabError, match="is in gb18030, as it seems, not in cp1252"):
        foreign.read(path, "texts", encoding="cp1252")
    with pytest.raises(LabError, match="CODE=nothing: there is no such encoding"):
        foreign.read(path, "texts", encoding="nothing", option="CODE")


def test_one_column_is_a_table_too(path):
    path.write_bytes(b'name\nDoe\n"Zen, Zoe"\n')
    table = foreign.read(path, "class list")
    assert table.rows == [["name"], ["Doe"], ["Zen, Zoe"]]
    assert foreign.write(table, [["name"], ["x, y"]]) == b'name\n"x, y"\n'


def test_rows_may_be_longer_fewer_or_more(path):
    path.write_bytes(b'a;b\r\n"1";\r\n\r\n2;"x"')
    table = foreign.read(path, "table")
    assert table.rows == [["a", "b"], ["1", ""], ["2", "x"]]
    changed = [["a", "b"], ["1", "y"], ["2", "x;y"], ["3", ""]]
    assert foreign.write(table, changed) == b'a;b\r\n"1";y\r\n\r\n2;"x;y"\r\n3;\r\n'
    assert foreign.write(table, [*table.rows[:2], [""]]) == b'a;b\r\n"1";\r\n\r\n""'


def test_signs_that_the_encoding_lacks_stop_nothing(path):
    path.write_bytes("name;comment\nMüller;gut\n".encode("cp1252"))
    table = foreign.read(path, "table", encoding="cp1252")
    table.rows[1][1] = "王 \ud83d"
    assert foreign.write(table, table.rows).endswith(b"M\xfcller;&#29579; &#55357;\n")


def stray(delimiter, first, last, rows=400):
    """Rows of which two texts begin, and two others end, with a quotation mark."""
    texts = [f"a film number {i}" for i in range(rows)]
    texts[first], texts[last] = f'"{texts[first]}', f'{texts[last]}"'
    return [f"{i % 2}{delimiter}{text}" for i, text in enumerate(texts)]


@settings(deadline=None)
@given(first=st.integers(0, 390), length=st.integers(1, 9), delimiter=st.sampled_from("\t,;"))
def test_stray_quotation_marks_swallow_no_row(path, first, length, delimiter):
    lines = [f"label{delimiter}text", *stray(delimiter, first, first + length)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    table = foreign.read(path, "table")
    assert table.rows == [line.split(delimiter) for line in lines]


def test_a_field_that_needs_its_marks_tells_that_others_enclose_too(path):
    path.write_text('a;b;c\n1;2;3\n"w ;";"w\n ;";2\n', encoding="utf-8")
    assert foreign.read(path, "table").rows[2] == ["w ;", "w\n ;", "2"]


def test_rows_that_are_swallowed_among_quoted_ones_are_named(path):
    lines = ["label,text", '1,"yes, good"', *stray(",", 7, 40)]
    path.write_text("\n".join(lines), encoding="utf-8")
    with pytest.raises(LabError, match=r"line 10: .* in line 43, so that these 34"):
        foreign.read(path, "table")


@pytest.mark.parametrize("line", [2, 17, 39])
def test_a_mark_that_is_never_closed_is_named(path, line):
    lines = ["label,text", *(f"{i % 2},film {i}" for i in range(39))]
    lines[line - 1] = '1,"film'
    path.write_text("\n".join(lines), encoding="utf-8")
    with pytest.raises(LabError, match=rf"line {line}: a quotation mark is opened and never"):
        foreign.read(path, "table")
    path.write_text("\n".join(lines[:line]), encoding="utf-8")
    assert foreign.read(path, "table").is_cut


@settings(deadline=None)
@given(content=st.binary(max_size=300), encoding=st.sampled_from(["", "cp1252", "utf-16"]))
def test_any_bytes_are_read_and_come_back_or_are_refused(path, content, encoding):
    path.write_bytes(content)
    try:
        table = foreign.read(path, "table", encoding)
    except LabError as error:
        assert len(str(error)) > 20
    else:
        assert foreign.write(table, table.rows) == content


WESTERN = "Jörg Müller, Zoë Ångström, François Lefèvre, Íñigo Núñez, Søren, Groß, O’Neil – Œuvre"
OTHERS = {
    "cp1251": "Анна Иванова, Борис Петров",
    "cp1253": "Άννα Παπαδοπούλου, Γιώργος",
    "koi8_r": "Анна Иванова, Борис Петров",
    "shift_jis": "山田太郎, 鈴木花子",
    "euc_kr": "김철수, 이영희",
    "cp1256": "محمد علي, فاطمة",
}


@pytest.mark.parametrize("words", [WESTERN, *WESTERN.split(", ")])
def test_what_a_western_excel_saves_is_read_where_the_caller_allows_it(path, words):
    path.write_bytes(f"name;number\r\n{words};7\r\n".encode("cp1252"))
    if not words.isascii():
        with pytest.raises(LabError, match="is not in utf-8"):
            foreign.read(path, "class list")
    table = foreign.read(path, "class list", is_western=True)
    assert table.rows[1][0] == words and table.encoding == (
        "utf-8" if words.isascii() else "cp1252"
    )
    assert foreign.write(table, table.rows) == path.read_bytes()


@pytest.mark.parametrize("encoding", OTHERS)
def test_letters_of_elsewhere_are_not_read_as_western(path, encoding):
    path.write_bytes(f"name;number\r\n{OTHERS[encoding]};7\r\n".encode(encoding))
    try:
        assert foreign.read(path, "class list", is_western=True).encoding != "cp1252"
    except LabError as error:
        assert "is not in utf-8" in str(error)
