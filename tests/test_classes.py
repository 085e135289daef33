"""Who handed in what: each entry of a folder is one row, and whose it is, its name alone tells.

Classes are generated, as teachers find them: names with dates in them, platforms' names, copies,
archives in archives, entries of any other kind. No student's code is run.
"""

import io
import itertools
import json
import random
import re
import shutil
import zipfile
from collections import Counter
from typing import NamedTuple

import pytest

from grading import people, submissions
from grading.graded import flags_of
from grading.marking import Result
from grading.submissions import find
from lab.exercises import answer_cells

FIRST = ["anna", "ben", "cleo", "dan", "eve", "finn", "gita", "hugo", "ida", "jan"]
LAST = ["adler", "brandt", "costa", "dietz", "ebert", "fuchs", "graf"]
CHINESE = ["王小明", "李伟", "张丽", "陈静", "刘洋", "赵敏", "孙悦", "周杰", "吴磊", "郑爽"]
DATED = (
    "lab2_2025_11_{0}", "lab2_11_2025_{0}", "{0} 2025-11-30", "{0}_2025_11_lab2", "20251130_{0}",
    "{0}_30_11_2025", "lab2 ({1})", "group_3_{1}_{0}", "{1}", "{0}-{1}", "hw_{1}_2_{0}",
    "v1.{1} {0}",
)  # fmt: skip
JUNK = ("__MACOSX/._lab2.ipynb", "._lab2.ipynb", ".DS_Store", ".ipynb_checkpoints/x.ipynb")


def cell(name, source, kind="code"):
    return {"cell_type": kind, "metadata": {"exercise": {"id": name}}, "source": source}


def notebook(name, number, answer="a", extra="", further=False):
    """A notebook, as small as one can be: who it is by, and one answer."""
    if further:
        cells = [cell("reading-sizes", f"My answer {answer}.", "markdown")]
    else:
        about = cell("about-you", f"student = {{'name': {name!r}, 'number': {number!r}}}")
        cells = [about, cell("confound", f"answer_confound = {answer!r}")]
    return json.dumps({"cells": cells, "nbformat": 4, "metadata": {"extra": extra}}).encode()


def zipped(files, letters="utf-8"):
    """An archive; letters: in which its names are, without saying so where it is GBK."""

    class Info(zipfile.ZipInfo):
        def _encodeFilenameFlags(self):
            return self.filename.encode("gbk"), self.flag_bits & ~0x800

    kind, content = Info if letters == "gbk" else zipfile.ZipInfo, io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, inside in files.items():
            archive.writestr(kind(name), inside, zipfile.ZIP_DEFLATED)
    return content.getvalue()


def write(folder, files):
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        if not name.endswith("/"):
            (folder / name).write_bytes(content)
        else:
            (folder / name).mkdir(exist_ok=True)


class Person(NamedTuple):
    """A student of a generated class, and what must come of the hand-in."""

    student: str
    number: str
    files: dict  # path in the folder -> content
    typed: tuple  # name and number that the notebook says
    hand_ins: int = 1  # notebooks of the lab, of which one counts

    @property
    def entries(self):
        return {path.partition("/")[0] for path in self.files}


class Maker:
    """Makes the students of one class."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.names = [f"{a} {b}" for a in FIRST for b in LAST]
        self.random.shuffle(self.names)
        self.numbers = itertools.count(self.random.randint(1, 9000), self.random.choice((1, 7)))
        self.made = []

    def typed(self, name):
        """What is typed: mostly the truth, else another's, or nothing."""
        other = self.random.choice(self.made).typed if self.made else ("", "")
        return self.random.choice([(name, f"s{next(self.numbers)}")] * 4 + [("", ""), other])

    def content(self, typed):
        """A notebook; now and then an unchanged copy of another's."""
        contents = [c for one in self.made for c in one.files.values() if c.startswith(b"{")]
        if contents and self.random.random() < 0.1:
            return self.random.choice(contents)
        return notebook(*typed, extra=str(self.random.random()))

    def packed(self, content, depth=1):
        """An archive with a notebook in it, or an archive with one."""
        inner = self.random.choice(("lab2.ipynb", "lab2/lab2.ipynb", "实验/lab2.ipynb"))
        packed = zipped({inner: content}, self.random.choice(("utf-8", "gbk")))
        if depth < 3 and self.random.random() < 0.3:
            return zipped({"lab2.zip": self.packed(content, depth + 1)})
        return packed

    def plain(self):
        """By the name of an entry alone."""
        r, (first, *_) = self.random, (name := self.names.pop()).split()
        number, typed = next(self.numbers), self.typed(name)
        stem = r.choice(
            (name, r.choice(CHINESE) + first, *(d.format(first, number) for d in DATED))
        )
        stem = f"{stem} {number}" if stem in {one.student for one in self.made} else stem
        content, ending = self.content(typed), r.choice((".ipynb", ".IPYNB", ".ipynb.txt", ".json"))
        files = r.choice((
            {stem + ending: content}, {f"{stem}/lab2.ipynb": content},
            {f"{stem}/a/b/lab2.ipynb.txt": content}, {f"{stem}.zip": self.packed(content)},
            {f"{stem}.ipynb/lab2.ipynb": content}, {f"{stem}/lab2.zip": self.packed(content)},
            {f"{stem}.ipynb": content, f"{stem}.pdf": b"%PDF"},
            {f"{stem}/lab2.ipynb": content, f"{stem}/report.pdf": b"%PDF"},
        ))  # fmt: skip
        return Person(stem, "", files, typed)

    def odd(self):
        """Nothing that can be graded; a row all the same."""
        stem = f"{self.names.pop()} {next(self.numbers)}"
        files = self.random.choice((
            {f"{stem}.ipynb": b""}, {f"{stem}.ipynb": b"{"}, {f"{stem}/": b""},
            {f"{stem}.rar": b"x"},
            {f"{stem}.pdf": b"%PDF"}, {f"{stem}.zip": zipped({})}, {f"{stem}.zip": b"PK"},
            {f"{stem}/._lab2.ipynb": b"x"}, {f"{stem}/.ipynb_checkpoints/lab2.ipynb": b"{}"},
            {f"{stem}.ipynb/": b""}, {f"{stem}/readme.txt": b"hello"}, {f"{stem}.json": b"[1]"},
        ))  # fmt: skip
        return Person(stem, "", files, ("", ""), 0)

    def moodle(self, name="", number=""):
        """As Moodle packs it: in folders or flat, in several languages."""
        r, name = self.random, name or self.names.pop().title()
        number, typed = number or str(next(self.numbers)), self.typed(name)
        shown = r.choice((name, name, f"Teilnehmer_in {number}", f"参与者 {number}"))
        start = f"{shown}_{number}_assignsubmission_file_"
        files = r.choice((
            {f"{start}/lab2.ipynb": self.content(typed)},
            {f"{start}lab2.ipynb": self.content(typed), f"{start}report.pdf": b"%PDF"},
            {f"{start}/lab2.zip": self.packed(self.content(typed))},
            {f"{start}/lab2.ipynb": self.content(typed),
             f"{shown}_{number}_assignsubmission_onlinetext_/onlinetext.html": b"<p>"},
        ))  # fmt: skip
        return Person(shown, number, files, typed)

    def canvas(self):
        """As Canvas packs it: flat, several files and hand-ins of one student."""
        r, name = self.random, self.names.pop()
        short, number, typed = name.replace(" ", ""), str(next(self.numbers)), self.typed(name)
        start = f"{short}_{r.choice(('', 'LATE_'))}{number}"
        files = {f"{start}_{next(self.numbers)}_lab2.ipynb": notebook(*typed, extra=number)}
        hand_ins = r.choice((1, 1, 2))
        if hand_ins == 2:
            files[f"{start}_{next(self.numbers)}_lab2-1.ipynb"] = notebook(*typed, "b", number)
        if r.random() < 0.5:
            files[f"{start}_{next(self.numbers)}_report.pdf"] = b"%PDF"
        if r.random() < 0.3:
            content = notebook("", "", further=True)
            files[f"{start}_{next(self.numbers)}_gradients.ipynb"] = content
        return Person(short, number, files, typed, hand_ins)

    def twin(self):
        """The same name once more: in another form, or with another number of the platform."""
        plain = [one for one in self.made if not one.number and one.hand_ins == 1]
        named = [one for one in self.made if one.number and " " in one.student]
        one = self.random.choice(plain + named or [self.plain()])
        if one.number:
            return self.moodle(one.student)
        content = notebook(*one.typed, extra="twin")
        taken = {entry for other in self.made for entry in other.entries}
        forms = {f"{one.student}.ipynb": content}, {f"{one.student}/lab2.ipynb": content}
        free = [files for files in forms if not {p.partition("/")[0] for p in files} & taken]
        free = [] if f"{one.student}.pdf" in taken else free  # whose would it be?
        return Person(one.student, "", free[0], one.typed) if free else self.odd()

    def whole(self):
        """The students of a class."""
        kinds = (self.plain, self.plain, self.odd, self.moodle, self.canvas, self.twin)
        for _ in range(self.random.choice((0, 1, 4, 9))):
            self.made.append(self.random.choice(kinds)())
        return self.made


def rows_of(found, roster=None):
    """The rows of a class, as if it had been graded: what was typed is what the notebook says."""
    named = dict(zip(people.unique_names(found), found, strict=True))
    assert len(named) == len(found)
    results = {name: result_of(one) for name, one in named.items()}
    return people.rows_of_a_class(named, results, {}, roster)


def result_of(one):
    about, typed = answer_cells.find(submissions.whole_of(one).cells or []).get("about-you"), {}
    if about:
        typed = answer_cells.value_of(about[-1].source, "student")
    return Result("graded", {}, [], typed, "", 0.0, one.sha256)


def lay_out(folder, students, maker):
    """Write a class as a folder or an archive, with what systems leave there; return its place."""
    files = {path: content for one in students for path, content in one.files.items()}
    files |= dict.fromkeys(maker.random.sample(JUNK, 2), b"x")
    if maker.random.random() < 0.5 and students:
        letters = maker.random.choice(("utf-8", "gbk"))
        (folder / "all.zip").write_bytes(zipped(files, letters))
        return folder / "all.zip"
    write(folder / "class", files)
    (folder / "class").mkdir(exist_ok=True)
    return folder / "class"


def check_class(seed, folder):
    maker = Maker(seed)
    students = maker.whole()
    found = find(lay_out(folder, students, maker))
    by_entries = {frozenset(one.entries): one for one in found}
    assert set(by_entries) == {frozenset(one.entries) for one in students}
    assert len(found) == len(students) and len({one.who for one in found}) == len(found)
    for one in students:
        row = by_entries[frozenset(one.entries)]
        assert (row.student, row.number) == (one.student, one.number)
        assert row.who == one.number or (row.who in one.entries and not one.number)
        assert row.content is None or one.hand_ins == 0 or row.content.startswith(b"{")
        assert (row.content is not None) == (one.hand_ins > 0) or not one.number
        assert one.hand_ins < 2 or "2 hand-ins by one student" in row.flags[0]
        assert row.content is None or one.hand_ins > 1 or not row.flags
    lines = [one for one in students if one.number and re.search("[a-z]{4}", one.student)]
    check_rows(found, students, lines, maker, folder)


def words_of(name):
    return "".join(sorted(re.sub(r"[\W_]", " ", name.lower()).split()))


def check_rows(found, students, lines, maker, folder):
    """A row each, what is shared is flagged, and nobody is both present and missing."""
    absent = [maker.names.pop().title() for _ in range(3)]
    listed = [(str(i), f"x{i}", one.student) for i, one in enumerate(lines)]
    listed += [(str(i), next(maker.numbers), name) for i, name in enumerate(absent, len(lines))]
    roster = folder / "roster.csv"
    roster.write_text("\n".join(",".join(map(str, one)) for one in [("n", "id", "name"), *listed]))
    rows = rows_of(found, roster)
    handed_in, missing = rows[: len(found)], rows[len(found) :]
    assert [one.who for one in handed_in] == [one.who for one in found]
    assert [one.result.status for one in missing] == ["missing"] * len(missing)
    assert [one.student for one in missing] == [", ".join(map(str, x)) for x in listed[-3:]]
    shared = Counter(words_of(one.student) for one in found)
    copies = Counter(one.sha256 for one in found if one.content)
    for one, sub in zip(handed_in, found, strict=True):
        flags = "; ".join(flags_of(one))
        is_shared = shared[words_of(one.student)] > 1
        assert ("are of one name" in flags) == is_shared
        assert ("byte for byte" in flags) == (copies[sub.sha256] > 1)
        assert one.result.status == ("review" if flags else "graded")


@pytest.mark.parametrize("start", range(0, 300, 50))
def test_each_entry_of_a_class_is_one_row(tmp_path, start):
    for seed in range(start, start + 50):
        (tmp_path / str(seed)).mkdir()
        check_class(seed, tmp_path / str(seed))


@pytest.mark.long
@pytest.mark.parametrize("start", range(1_000, 11_000, 500))
def test_each_entry_of_many_classes_is_one_row(tmp_path, start):
    for seed in range(start, start + 500):
        (tmp_path / str(seed)).mkdir()
        check_class(seed, tmp_path / str(seed))
        shutil.rmtree(tmp_path / str(seed))
