"""Installs the lab's packages into the Python that runs this, with progress; `make` calls it.

    python tools/install.py [--cluster]

Versions are those of requirements.txt, of requirements-develop.txt where that is there (not in the
student's edition), and of constraints.txt for whatever these need. PyTorch is,
on Linux without an NVIDIA device, the CPU build of PyTorch's own index, if that answers within some
seconds; anywhere else what the package index gives. The variable TORCH overrides that: `index` is
the package index, an address is another index of PyTorch builds. The package index is pip's: the
variable PIP_INDEX_URL, or pip's own configuration, names another. If little arrives, it says so.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import platform
import re
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from http.client import HTTPException
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import doctor
from lab import environment
from lab.base.messages import Message, _, say

CPU_BUILDS = "https://download.pytorch.org/whl/cpu"
PATIENCE, LONGEST = 5.0, 30.0  # seconds for an index of PyTorch to answer, and to tell all
INSTALLING = re.compile("Installing collected")  # what pip says when all is fetched
EVERY = 8.0  # seconds between two lines of progress
LOOK = 30.0  # seconds between two looks at what has arrived
SLOW = 1e5  # bytes a second: 0.6 GB would take more than an hour and a half
PAGE = 1e6  # bytes that a page of the index counts for: it is small, but takes as long as a file
MIRROR = _(
    "If nothing, or little, arrives from the package index: stop with Ctrl-C, set PIP_INDEX_URL "
    "to the address of a mirror near you, and run the same command again; what was fetched whole "
    "is not fetched again. TORCH=index takes PyTorch from there too, TORCH=https://... from "
    "another index of its builds. README.md says more."
)


def torch_index(wanted: str) -> str:
    """Return the index of PyTorch's builds to look into first, "" for the package index alone.

    wanted: what the variable TORCH says. What is taken, and how large it is, is printed.
    """
    if wanted == "index":
        tell(_("PyTorch: from the package index, as TORCH says."))
        return ""
    if not wanted and (platform.system() != "Linux" or environment.nvidia_driver() is not None):
        tell(_("PyTorch: from the package index."))
        return ""
    index = wanted or CPU_BUILDS
    size = size_at(index)
    if size is None:
        tell(
            _(
                "PyTorch: {index} does not answer in time, or has no build for this Python; from "
                "the package index, whose build for Linux may bring CUDA: several GB.",
                index=index,
            )
        )
        return ""
    tell(_("PyTorch: from {index}, {size:,.0f} MB.", index=index, size=size / 1e6))
    return index


def size_at(index: str) -> int | None:
    """Return the bytes of the pinned torch for this Python at an index; None if it has none.

    One that has not told all within LONGEST has none: it may never end.
    """
    answers: list[int] = []

    def ask() -> None:
        with contextlib.suppress(OSError, ValueError, TypeError, HTTPException):
            answers.extend(_sizes_at(index))

    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    asking.join(LONGEST)
    return answers[0] if answers else None


def _sizes_at(index: str) -> Iterator[int]:
    version = doctor.read_pins(ROOT / "requirements.txt")["torch"]
    python = f"cp{sys.version_info[0]}{sys.version_info[1]}"
    processor = platform.machine().lower()
    wheel = re.compile(rf"torch-{version}(\+\w+)?-{python}-{python}-\w*{processor}\.whl")
    page = f"{index.rstrip('/')}/torch/"
    with urllib.request.urlopen(page, timeout=PATIENCE) as answer:
        links = re.findall(r'href="([^"#]+)', answer.read().decode("utf-8", "replace"))
    for link in links:
        if wheel.fullmatch(urllib.parse.unquote(link.rsplit("/", 1)[-1])):
            request = urllib.request.Request(urllib.parse.urljoin(page, link), method="HEAD")
            with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
                yield int(answer.headers["Content-Length"])


def pip_command(cluster: bool, index: str) -> list[str]:
    """Return the command that installs everything."""
    command = [sys.executable, "-m", "pip", "install", "--disable-pip-version-check"]
    for name in (*doctor.PINS, *["requirements-cluster.txt"] * cluster):
        command += ["-r", name] if (ROOT / name).exists() else []
    command += ["-c", "constraints.txt"]
    return command + (["--extra-index-url", index] if index else [])


class Arrivals:
    """What has come of an installation: bytes and pip's lines; and whether that is slow."""

    def __init__(self, folder: Path, lines: list[str]) -> None:
        """Begin to count. folder: where pip puts what it fetches; lines: what it says, growing."""
        self.folder, self.lines = folder, lines
        self.start, self.told = time.monotonic(), False
        self.since, self.before = self.start, 0.0

    @property
    def fetched(self) -> int:
        """Bytes in the folder."""
        size = 0
        for folder, _folders, names in os.walk(self.folder):
            for name in names:
                with contextlib.suppress(OSError):  # pip has taken it away
                    size += Path(folder, name).stat().st_size
        return size

    def so_far(self) -> Message:
        """Return in a line how far it is."""
        return _(
            "  {seconds:.0f} s, {size:.0f} MB fetched, {packages} packages are there ...",
            seconds=time.monotonic() - self.start, size=self.fetched / 1e6,
            packages=sum(len([*Path(path).glob("*.dist-info")]) for path in sys.path),
        )  # fmt: skip

    def is_slow(self) -> bool:
        """Say, once, whether less came since the last look, some time ago, than a mirror gives.

        A line of pip's is a page of the index that came.
        """
        seconds = time.monotonic() - self.since
        if self.told or seconds < LOOK or any(map(INSTALLING.match, self.lines)):
            return False
        now = self.fetched + PAGE * len(self.lines)
        self.told = now - self.before < SLOW * seconds
        self.since, self.before = time.monotonic(), now
        return self.told


def watch(command: list[str]) -> int:
    """Run pip in the lab's folder, and say every few seconds how far it is; its status.

    What pip writes as an error is shown, the rest only counted.
    """
    lines: list[str] = []
    with tempfile.TemporaryDirectory(prefix="lab2-", ignore_cleanup_errors=True) as folder:
        places = dict.fromkeys(("TMPDIR", "TEMP", "TMP"), folder)
        process = subprocess.Popen(
            command, cwd=ROOT, env={**os.environ, **places}, stdout=subprocess.PIPE,
            text=True, errors="replace",
        )  # fmt: skip
        threading.Thread(target=lambda: lines.extend(process.stdout), daemon=True).start()
        arrivals = Arrivals(Path(folder), lines)
        while True:
            try:
                return process.wait(EVERY)
            except subprocess.TimeoutExpired:
                tell(arrivals.so_far())
                if arrivals.is_slow():
                    tell(MIRROR)


def tell(text: str) -> None:
    """Print a message at once, in the reader's language."""
    print(say(text, doctor.language()), flush=True)


def main() -> int:
    """Install, and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--cluster", action="store_true", help="also what a cluster needs")
    options = parser.parse_args()
    doctor.say_on_any_console()
    (python,) = doctor.check_python()
    if python.fix:
        about = {"found": python.found, "why": python.why, "fix": python.fix}
        tell(_("This is {found}. {why} {fix}.", **about))
        return 1
    tell(_("Installing more than a hundred packages, some minutes the first time."))
    status = watch(pip_command(options.cluster, torch_index(os.environ.get("TORCH", ""))))
    if status:
        tell(
            _(
                "The installation failed; pip's words are above. Run the same command again to go "
                "on."
            )
        )
        tell(MIRROR)
        return status
    kernel = [sys.executable, "-m", "ipykernel", "install", "--sys-prefix", "--name", "python3"]
    subprocess.run(kernel, check=True, stdout=subprocess.DEVNULL)
    return 0


if __name__ == "__main__":
    sys.exit(main())
