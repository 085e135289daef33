"""The pages for who reads texts, as a person uses them: in a real Chromium. `make browser` runs it.

150 students with 8 texts each, with figures of their own, some of which try to run scripts. A page
opens within two seconds, nothing of a student runs, and what was typed is there again after the
browser was closed. Leaves screenshots in build/. Needs what browser.py needs.
"""

import csv
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

import reading_class
from browser import find_browser, say, sync_playwright

from grading.graded import Reading, digest_of
from grading.pages import reading
from grading.records import readings

STUDENTS = 150
QUICK = 2.0  # seconds within which a page must be there
HEAD = "student,exercise,text,points,criteria,comment,reader,when"
STATES = "[...document.querySelectorAll('article')].map(a => [a.querySelector('.points').value, "
STATES += "a.querySelector('textarea').value, a.querySelectorAll(':checked').length])"


def main():
    """Run the whole story; return the exit status."""
    browser = find_browser()
    if browser is None:
        return 2
    shots = ROOT / "build"
    shots.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as name, sync_playwright() as tools:
        folder = Path(name)
        everybody, hand_ins = reading_class.make(STUDENTS)
        reading.write([*map(read_before, everybody)], hand_ins, folder, "a course")

        @contextmanager
        def opened(exercise, profile="profile"):
            """Open a page in a browser that keeps what it was told; close it afterwards."""
            context = tools.chromium.launch_persistent_context(
                folder / profile, executable_path=browser, accept_downloads=True,
                viewport={"width": 1400, "height": 1000},
                args=["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"],
            )  # fmt: skip
            page = context.new_page()
            page.on("pageerror", lambda error: sys.exit(f"the script of the page: {error}"))
            page.goto((folder / "reading" / f"{exercise}.html").as_uri())
            try:
                yield page
            finally:
                page.screenshot(path=shots / f"reading-{exercise}.png")
                context.close()

        for step in (opens_quickly, keeps_what_is_typed, saves_and_loads, differs, shares):
            step(opened)
    return 0


ODD = '=an "odd"\x1b, <name>'


def read_before(one):
    """Give one student a reading of the present text, and one of an earlier text."""
    if one.who == "1004":
        return one._replace(who=ODD)
    if one.who != "1003":
        return one
    text = digest_of(one.result.marks["traps"].text)
    ones = (
        Reading(one.who, "traps", text, 1.5, "a", "<b>Why?</b>", "Ann", "2026-01-01T00:00:00Z"),
        Reading(one.who, "conclusion", "0" * 12, 2.0, "", "", "Ann", "2026-01-01T00:00:00Z"),
    )
    return one._replace(readings=ones)


def opens_quickly(opened):
    """Each page is there in time, with all texts, and nothing that a student wrote has run."""
    with opened("index") as page:
        for exercise in reading_class.READ:
            address = page.url.rsplit("/", 1)[0] + f"/{exercise}.html"
            seconds = min(seconds_to_open(page, address) for _ in range(3))  # others compute, too
            assert seconds < QUICK, f"{exercise}: {seconds:.1f} s"
            assert page.locator("article").count() == STUDENTS
            assert exercise in page.title(), "a text has run a script"
            loaded = "[...document.images].filter(one => one.naturalWidth).length"
            count = page.evaluate(loaded)
            assert count < STUDENTS, "pictures are loaded that nobody sees"
            say(f"{exercise}: {seconds:.2f} s, {count} pictures of those in view")


def seconds_to_open(page, address):
    """Return how long it takes until a page is there, drawn."""
    start = time.monotonic()
    page.goto(address)
    page.locator("article .points").first.wait_for()
    page.evaluate("new Promise(requestAnimationFrame)")
    return time.monotonic() - start


def keeps_what_is_typed(opened):
    """Type by keyboard, boxes and fields; close the browser; want all of it again."""
    with opened("conclusion") as page:
        page.fill("#reader", "Bo")
        page.keyboard.press("Tab")
        page.locator("article h2").first.click()
        for keys in ("3", ".", "5", "j", "6"):
            page.keyboard.press(keys)
        second, third = (page.locator("article").nth(i) for i in (1, 2))
        assert second.locator(".fault").inner_text() == "At most 5."
        second.locator(".points").fill("2,5")
        assert second.locator(".fault").inner_text() == "Write 2.5, with a point."
        second.locator(".points").fill("2.5")
        third.locator("[type=checkbox]").nth(0).check()
        third.locator("[type=checkbox]").nth(3).check()
        page.keyboard.press("c")
        page.keyboard.type('So it is, "perhaps",\nand no more.')
        assert third.locator(".points").input_value() == "2"
        for i in range(3, STUDENTS):
            page.locator(".points").nth(i).fill(str(i % 6))
        before = page.evaluate(STATES)
        assert f"{STUDENTS} of {STUDENTS} read" in page.locator("nav").inner_text()
    assert before[0][0] == "3.5" and before[1][0] == "2.5"
    with opened("conclusion") as page:
        assert page.evaluate(STATES) == before
        page.check("#unread")
        assert page.locator("article:visible").count() == 1  # the present one alone
    with opened("index") as page:
        assert (
            f"{STUDENTS} of {STUDENTS} read"
            in page.locator("tr", has_text="conclusion").inner_text()
        )
    say("what was typed is there after the browser was closed")


def saves_and_loads(opened):
    """Save, and take the file into another browser; what others gave before stays in it."""
    with opened("traps") as page:
        page.locator(".points").nth(0).fill("x")
        with page.expect_download() as download:
            page.click("#save")
        path = download.value.path()
        text = path.read_text(encoding="utf-8")
        rows = list(csv.DictReader(text.splitlines(keepends=True)))
        assert text.startswith(HEAD) and len(rows) == STUDENTS + 2
        assert "1 have no points" in page.locator("#said").inner_text()
        ann = [row for row in rows if row["reader"] == "Ann"]
        assert [row["points"] for row in ann] == ["1.5", "2"] and ann[0]["comment"] == "<b>Why?</b>"
        kept = path.read_bytes()
        taken = readings.read(path)  # as the grader does
        assert len(taken) == len(rows) and ODD in {one.student for one in taken}
    with opened("conclusion", "another") as page:
        assert "An earlier text had 2 points." in page.text_content("article[data-student='1003']")
        worse = kept.replace(b'"3.5"', b'"5.5"', 1) + b'"1","traps","0","-1","","","",""\n'
        page.set_input_files("#load", {"name": "a.csv", "mimeType": "text/csv", "buffer": worse})
        page.locator("#said", has_text="Loaded, but").wait_for()
        said = page.locator("#said").inner_text()
        assert "5.5" in said and "-1" in said, said
        page.set_input_files("#load", {"name": "b.csv", "mimeType": "text/csv", "buffer": kept})
        page.locator("#said", has_text="Loaded.").wait_for()
        page.fill("#reader", "Bo")
        page.keyboard.press("Tab")
        states = page.evaluate(STATES)
        assert states[0][0] == "3.5" and states[2][1:] == ['So it is, "perhaps",\nand no more.', 2]
    say("a saved file is taken in by another browser, but for points that are none")


def differs(opened):
    """Another's points are named after one's own, and a text with two stays open until settled."""
    with opened("traps", "fourth") as page:
        page.fill("#reader", "Di")
        page.keyboard.press("Tab")
        article = page.locator("article[data-student='1003']")
        others, points = article.locator(".others"), article.locator(".points")
        assert others.text_content().strip() == "Also read by Ann."
        points.fill("2")
        assert others.text_content().strip() == "Ann gave 1.5."
        assert f"0 of {STUDENTS} read" in page.locator("nav").inner_text()
        points.fill("1.5")
        assert others.text_content().strip() == "Also read by Ann."
        assert f"1 of {STUDENTS} read" in page.locator("nav").inner_text()
        points.fill("2")
        page.evaluate("known.settled.push(['1003', 'traps']); choose()")  # as by an override
        assert f"1 of {STUDENTS} read" in page.locator("nav").inner_text()
    say("another's points are named where two differ, and the text counts as open")


def shares(opened):
    """Three readers have each a third, without names until they ask for them."""
    seen = []
    with opened("reading-recall", "third") as page:
        address = page.url
        for share in (1, 2, 3):
            page.goto("about:blank")
            page.goto(f"{address}#reader={share}/3")
            seen += page.locator("article:not([hidden]) h2").all_text_contents()
            assert page.locator("a.carry").first.get_attribute("href").endswith(f"{share}/3")
        assert len(seen) == len(set(seen)) == STUDENTS
        name = page.locator("article:not([hidden]) .who").first
        assert not name.is_visible()
        page.check("#names")
        assert name.is_visible()
    say("each of three readers has a third of the texts, without names")


if __name__ == "__main__":
    sys.exit(main())
