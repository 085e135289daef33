"""Installs the lab's packages into the Python that runs this, with progress; `make` calls it.

    python tools/install.py [--cluster]

Versions are those of requirements.txt, of requirements-develop.txt where that is there (not in the
student's edition), and of constraints.txt for whatever these need. PyTorch is,
on Linux without an NVIDIA device, the CPU build of PyTorch's own index, if that answers within some
seconds; anywhere else what the package index gives. The variable TORCH overrides that: `index` is
the package index, an address is another index of PyTorch builds.
"""

from __future__ import annotations

import argparse
import os
import platform
import re
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import doctor
from lab import environment

CPU_BUILDS = "https://download.pytorch.org/whl/cpu"
PATIENCE = 5.0  # seconds for an index of PyTorch to answer
EVERY = 8.0  # seconds between two lines of progress


def torch_index(wanted: str) -> str:
    """Return the index of PyTorch's builds to look into first, "" for the package index alone.

    wanted: what the variable TORCH says. What is taken, and how large it is, is printed.
    """
    if wanted == "index":
        say("PyTorch: from the package index, as TORCH says.")
        return ""
    if not wanted and (platform.system() != "Linux" or environment.nvidia_driver() is not None):
        say("PyTorch: from the package index.")
        return ""
    index = wanted or CPU_BUILDS
    size = size_at(index)
    if size is None:
        why = f"PyTorch: {index} does not answer, or has no build for this Python;"
        say(f"{why} from the package index, whose build for Linux may bring CUDA: several GB.")
        return ""
    say(f"PyTorch: from {index}, {size / 1e6:,.0f} MB.")
    return index


def size_at(index: str) -> int | None:
    """Return the bytes of the pinned torch for this Python at an index; None if it has none."""
    version = doctor.read_pins(ROOT / "requirements.txt")["torch"]
    python = f"cp{sys.version_info[0]}{sys.version_info[1]}"
    processor = platform.machine().lower()
    wheel = re.compile(rf"torch-{version}(\+\w+)?-{python}-{python}-\w*{processor}\.whl")
    page = f"{index.rstrip('/')}/torch/"
    try:
        with urllib.request.urlopen(page, timeout=PATIENCE) as answer:
            links = re.findall(r'href="([^"#]+)', answer.read().decode("utf-8", "replace"))
        for link in links:
            if wheel.fullmatch(urllib.parse.unquote(link.rsplit("/", 1)[-1])):
                request = urllib.request.Request(urllib.parse.urljoin(page, link), method="HEAD")
                with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
                    return int(answer.headers["Content-Length"])
    except (OSError, ValueError, TypeError):
        return None
    return None


def pip_command(cluster: bool, index: str) -> list[str]:
    """Return the command that installs everything."""
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    for name in (*doctor.PINS, *["requirements-cluster.txt"] * cluster):
        command += ["-r", name] if (ROOT / name).exists() else []
    command += ["-c", "constraints.txt"]
    return command + (["--extra-index-url", index] if index else [])


def watch(command: list[str]) -> int:
    """Run a command in the lab's folder, and say every few seconds how far it is; its status."""
    process, start = subprocess.Popen(command, cwd=ROOT), time.monotonic()
    while True:
        try:
            return process.wait(EVERY)
        except subprocess.TimeoutExpired:
            packages = sum(1 for path in sys.path for _ in Path(path).glob("*.dist-info"))
            say(f"  {time.monotonic() - start:.0f} s, {packages} packages are there ...")


def say(text: str) -> None:
    """Print a line at once."""
    print(text, flush=True)


def main() -> int:
    """Install, and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--cluster", action="store_true", help="also what a cluster needs")
    options = parser.parse_args()
    (python,) = doctor.check_python()
    if python.fix:
        say(f"This is {python.found}. {python.why} {python.fix}.")
        return 1
    say("Installing more than a hundred packages, some minutes the first time.")
    status = watch(pip_command(options.cluster, torch_index(os.environ.get("TORCH", ""))))
    if status:
        say("The installation failed; pip's words are above. Run the same command again to go on.")
        return status
    kernel = [sys.executable, "-m", "ipykernel", "install", "--sys-prefix", "--name", "python3"]
    subprocess.run(kernel, check=True, stdout=subprocess.DEVNULL)
    return 0


if __name__ == "__main__":
    sys.exit(main())
