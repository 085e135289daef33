"""A short check of the environment: what is there, and what to do where it is not right.

    python doctor.py

Standard library only, so that it runs and explains where nothing else does. Section 1 of the
notebook shows the same table.
"""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Dict, List

HERE = Path(__file__).resolve().parent
PYTHONS = ((3, 11), (3, 12))
MEMORY_GB = 4  # the quick profile peaks below 2 GB; the rest is for the system and the browser
DISK_GB = 3

Check = Dict[str, str]


def check(name: str, ok: bool, found: str, fix: str, bad: str = "fail") -> Check:
    """Return one line of the table; `fix` is kept only where the check is not ok."""
    return {
        "name": name,
        "status": "ok" if ok else bad,
        "found": found,
        "what to do": "" if ok else fix,
    }


def check_python() -> Check:
    """Is this a Python the pinned packages are made for?"""
    found = "Python {} in environment {}".format(platform.python_version(), Path(sys.prefix).name)
    return check(
        "interpreter",
        sys.version_info[:2] in PYTHONS,
        found,
        "Use Python 3.11 or 3.12, then `make run`; in JupyterLab choose the kernel of the lab.",
    )


def check_versions() -> Check:
    """Are the pinned packages installed, in the pinned versions?"""
    wrong = []
    for name, wanted in read_pins(HERE / "requirements.txt").items():
        try:
            found = metadata.version(name).split("+")[0]  # 2.13.0+cpu is a build of 2.13.0
        except metadata.PackageNotFoundError:
            found = "missing"
        if found != wanted:
            wrong.append("{} {} (wanted {})".format(name, found, wanted))
    found = ", ".join(wrong) if wrong else "all packages as pinned in requirements.txt"
    return check("versions", not wrong, found, "pip install -r requirements.txt", bad="warn")


def read_pins(path: Path) -> Dict[str, str]:
    """Return {package: version} of the `name==version` lines of a requirements file."""
    pins = re.findall(r"^([A-Za-z0-9_.-]+)==(\S+)", path.read_text(encoding="utf-8"), re.MULTILINE)
    return dict(pins)


def check_torch() -> Check:
    """Which torch is it, and does a GPU compute?

    Asked in a process of its own: a torch that crashes on import must not take this one along.
    """
    code = (
        "import torch;"
        "build = 'CUDA ' + torch.version.cuda if torch.version.cuda else 'CPU';"
        "print('torch', torch.__version__ + ',', build, 'build, torch.cuda.is_available():',"
        "torch.cuda.is_available())"
    )
    run = subprocess.run([sys.executable, "-c", code], cwd=HERE, capture_output=True, text=True)
    if run.returncode:
        reason = (run.stderr.strip().splitlines() or ["died without a word"])[-1]
        return check("torch", False, reason, "pip install -r requirements.txt")
    found = run.stdout.strip()
    if shutil.which("nvidia-smi") and "CPU build" in found:
        fix = "There is an NVIDIA driver: see 'With a GPU' in README.md to get a CUDA build."
        return check("torch", False, found, fix, bad="warn")
    return check("torch", True, found, "")


def check_cores() -> Check:
    """How many cores may this process use?"""
    if hasattr(os, "sched_getaffinity"):
        cores = len(os.sched_getaffinity(0))
    else:
        cores = os.cpu_count() or 1
    fix = "The quick run takes about twice as long on one core; grant a second if you can."
    return check("cores", cores >= 2, "{} usable".format(cores), fix, bad="warn")


def check_memory() -> Check:
    """How much memory has the machine? Not known on every system."""
    try:
        total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    except (AttributeError, ValueError, OSError):
        return check("memory", True, "not known on this system", "")
    fix = "Close other programs; the quick run needs 2 GB of its own."
    return check("memory", total >= MEMORY_GB, "{:.0f} GB".format(total), fix, bad="warn")


def check_disk() -> Check:
    """Is there room where the lab lives?"""
    free = shutil.disk_usage(HERE).free / 1e9
    fix = "Free some space, or put the data elsewhere with LAB2_DATA."
    return check("disk", free >= DISK_GB, "{:.0f} GB free".format(free), fix)


CHECKS = (check_python, check_torch, check_cores, check_memory, check_disk, check_versions)


def run_checks() -> List[Check]:
    """Run all checks. One that itself fails says so, and the rest go on."""
    results = []
    for one in CHECKS:
        try:
            results.append(one())
        except Exception as error:
            name = one.__name__.replace("check_", "")
            found = "the check itself failed: {!r}".format(error)
            results.append(check(name, False, found, "Go on; the others still hold.", bad="warn"))
    return results


def main() -> int:
    """Print the table; return 1 if a check failed."""
    results = run_checks()
    for line in results:
        print("{status:<5}{name:<12} {found}".format(**line))
        if line["what to do"]:
            print("{:<18}-> {}".format("", line["what to do"]))
    return int(any(line["status"] == "fail" for line in results))


if __name__ == "__main__":
    sys.exit(main())
