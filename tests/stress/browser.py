"""The first use, as a user does it: JupyterLab in a real Chromium. `make browser` runs it.

Opens a copy of the lab, runs all cells, looks for the progress bar, presses stop in mid-training,
runs all cells again, and wants them to go on from where they were and to end without an error.
Then it types into the text box of section 9, and wants colours and curves to follow.
`python tests/stress/browser.py student` is the first use of the student's edition: unpack it, open
it, run to the first cell in code, write that, and see the check turn right.
Leaves screenshots in build/. Takes a little longer than `make run`. Needs Chromium (in Debian:
chromium) and the package playwright; where one is missing it says so and ends with status 2.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[2]
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
PORT = 8899
WHOLE_RUN = 60 * 60  # seconds that a run of all cells may take

try:
    from playwright.sync_api import sync_playwright
except ImportError:
    sync_playwright = None


def main():
    """Run the whole story; return the exit status."""
    browser = find_browser()
    if browser is None:
        return 2
    shots = ROOT / "build"
    shots.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        student = "student" in sys.argv[1:]
        lab = students_edition(Path(name)) if student else copy_of_the_lab(Path(name))
        with jupyter(lab) as address, sync_playwright() as tools:
            options = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
            chromium = tools.chromium.launch(executable_path=browser, args=options)
            page = chromium.new_page(viewport={"width": 1400, "height": 1000})
            page.goto(address)
            try:
                (first_check if student else story)(page, lab, shots)
            finally:
                page.screenshot(path=shots / "browser-end.png")
                chromium.close()
    return 0


def find_browser():
    """Return the path of Chromium; None if it or playwright is missing, and say so."""
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None or sync_playwright is None:
        print(
            "This check needs Chromium (Debian: apt install chromium) and: pip install playwright"
        )
        return None
    return browser


def copy_of_the_lab(folder):
    """Copy what is tracked of the lab, so that the reader's own results stay as they are."""
    files = subprocess.run(
        ["git", "-C", str(ROOT), "ls-files"], capture_output=True, text=True, check=True
    ).stdout.splitlines()
    for file in files:
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / file, folder / file)
    notebook = json.loads((folder / "lab2.ipynb").read_text(encoding="utf-8"))
    for cell in notebook["cells"]:  # what is there at the end must have been made here
        if cell["cell_type"] == "code":
            cell |= {"outputs": [], "execution_count": None}
    (folder / "lab2.ipynb").write_text(json.dumps(notebook), encoding="utf-8")
    return folder


def students_edition(folder):
    """Make the student's edition, and unpack its archive as a student does."""
    command = [
        sys.executable,
        str(ROOT / "tools" / "teachers" / "student_edition.py"),
        str(folder / "student"),
    ]
    subprocess.run(command, check=True)
    shutil.unpack_archive(folder / "lab2-student.zip", folder / "unpacked")
    return next((folder / "unpacked").glob("lab2-*"))


@contextmanager
def jupyter(folder):
    """Start JupyterLab in a folder; give the address of the lab's notebook in it."""
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", f"--port={PORT}", "--allow-root"]
    command += ["--IdentityProvider.token=", "--ServerApp.password=", f"--notebook-dir={folder}"]
    command += [f"--LabApp.user_settings_dir={every_cell_in_the_page(folder / 'settings')}"]
    environment = os.environ | {"LAB2_OUT": str(folder / "out"), "LAB2_PROFILE": "quick"}
    log = (folder / "jupyter.log").open("wb")
    server = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
    try:
        time.sleep(5)
        yield f"http://127.0.0.1:{PORT}/lab/tree/lab2.ipynb"
    finally:
        server.terminate()
        server.wait(30)
        log.close()


def every_cell_in_the_page(folder):
    """Write JupyterLab's setting that keeps cells in the page which are not in view."""
    tracker = folder / "@jupyterlab" / "notebook-extension" / "tracker.jupyterlab-settings"
    tracker.parent.mkdir(parents=True)
    tracker.write_text('{"windowingMode": "none"}')
    return folder


def wait_for_kernel(page):
    """Wait until the page knows its kernel: "Run All Cells" before that asks which one to take."""
    page.wait_for_selector(".jp-Notebook", timeout=120_000)
    page.get_by_text("| Idle").first.wait_for(timeout=120_000)


def story(page, lab, shots):
    """Run, see progress, stop, run again, find it finished. Raises AssertionError."""
    wait_for_kernel(page)
    say("JupyterLab shows the notebook")
    page.screenshot(path=shots / "browser-1-open.png")
    runs = lab / "out" / "runs"
    menu(page, "Run", "Run All Cells")
    wait(lambda: any(runs.glob("*/result.json")), "the first network is trained", WHOLE_RUN)
    bar = page.locator(".jp-OutputArea-output", has_text=re.compile(r"epoch \d/\d")).last
    bar.scroll_into_view_if_needed(timeout=60_000)
    say(f"progress is shown: {bar.inner_text().strip()[-60:]}")
    page.screenshot(path=shots / "browser-2-progress.png")
    wait(lambda: any(runs.glob("*/state.pt")), "another is in training", WHOLE_RUN)
    menu(page, "Kernel", "Interrupt Kernel")
    wait(lambda: "Stopped. Finished runs" in saved(page, lab), "stop says what is kept", 120)
    page.screenshot(path=shots / "browser-3-stopped.png")
    before = {path: path.stat().st_mtime_ns for path in runs.glob("*/result.json")}
    curves = {path: len(path.read_text().splitlines()) for path in runs.glob("*/curve.csv")}
    menu(page, "Run", "Run All Cells")
    wait(lambda: everything_ran(saved(page, lab)), "all cells ran", WHOLE_RUN)
    for path, when in before.items():
        assert path.stat().st_mtime_ns == when, f"{path.parent.name} was trained again"
    for path, rows in curves.items():
        assert len(path.read_text().splitlines()) >= rows, f"{path.parent.name} lost epochs"
    errors = [o for o in outputs(saved(page, lab)) if o["output_type"] == "error"]
    assert not errors, errors[0]
    say("no cell ended in an error, and nothing was trained twice")
    type_a_review(page, shots)


RNN_CELL = """# Exercise rnn-cell
def rnn_cell(x, h, w_ih, w_hh, b_ih, b_hh):
    return torch.tanh(x @ w_ih.T + b_ih + h @ w_hh.T{})
"""


def first_check(page, lab, shots):
    """Write the first cell of all, first wrongly, and see what its check says; AssertionError."""
    wait_for_kernel(page)
    start = time.monotonic()
    cell = page.locator(".jp-CodeCell", has_text="# Exercise rnn-cell").first
    cell.scroll_into_view_if_needed(timeout=60_000)
    cell.locator(".cm-content").click()
    menu(page, "Run", "Run All Above Selected Cell")
    said = page.locator(".jp-CodeCell", has_text='check("rnn-cell")').first
    for missing, words in (("", "without its second bias"), (" + b_hh", "rnn-cell: right")):
        cell.locator(".cm-content").click()
        page.keyboard.press("Control+a")
        page.keyboard.insert_text(RNN_CELL.format(missing))
        page.keyboard.press("Shift+Enter")
        page.keyboard.press("Shift+Enter")
        wait(lambda text=words: text in said.inner_text(), f"the check says {words!r}", 600)
        page.screenshot(path=shots / f"browser-student-{'right' if missing else 'wrong'}.png")
    say(f"the first check is right {time.monotonic() - start:.0f} s after the notebook is open")


def type_a_review(page, shots):
    """Type into the live review, and see that what it shows follows. Raises AssertionError."""
    box = page.locator(".jp-OutputArea-output textarea").first
    box.scroll_into_view_if_needed(timeout=60_000)
    box.fill("A dull")
    colours = page.locator(".widget-html-content, .jupyter-widget-html-content").first
    wait(lambda: "dull" in colours.inner_text(), "the words stand below the box", 60)
    curves = page.locator("img.widget-image, img.jupyter-widget-image").first
    before = curves.get_attribute("src")
    box.press_sequentially(" but wonderful film", delay=60)
    wait(lambda: "wonderful film" in colours.inner_text(), "they follow the typing", 60)
    wait(lambda: curves.get_attribute("src") != before, "and so do the curves", 60)
    page.screenshot(path=shots / "browser-4-live.png")


def menu(page, name, entry):
    """Choose an entry of JupyterLab's menu bar."""
    page.locator(".lm-MenuBar-itemLabel", has_text=name).first.click()
    page.locator(".lm-Menu-itemLabel", has_text=entry).first.click()
    page.wait_for_timeout(1000)


def saved(page, lab):
    """Save the notebook as a user does, and return what is in the file."""
    page.keyboard.press("Control+s")
    page.wait_for_timeout(1500)
    return (lab / "lab2.ipynb").read_text(encoding="utf-8")


def outputs(notebook):
    """Return the outputs of all cells."""
    return [o for cell in json.loads(notebook)["cells"] for o in cell.get("outputs", [])]


def everything_ran(notebook):
    """Tell if every code cell has a number, or if one ended in an error after the second start."""
    code = [cell for cell in json.loads(notebook)["cells"] if cell["cell_type"] == "code"]
    time.sleep(5)
    return all(cell["execution_count"] for cell in code)


def wait(true, what, seconds):
    """Wait until something is true, and say so. Raises AssertionError after so many seconds."""
    start = time.monotonic()
    while not true():
        assert time.monotonic() - start < seconds, f"not in {seconds:.0f} s: {what}"
        time.sleep(1)
    say(f"{what} ({time.monotonic() - start:.0f} s)")


def say(what):
    print(f"  {what}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
