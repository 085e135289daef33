"""Holds every package that the lab needs: writes constraints.txt and environment.yml anew.

    make constraints

uv, which `make constraints` installs, resolves requirements.txt and requirements-cluster.txt at
once for Linux, macOS and Windows and for all Pythons from 3.11 on. Run it when a pin changes.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LISTS = ("requirements.txt", "requirements-cluster.txt")
HEAD = """\
# The version of every package that the lab needs, those included that others ask for: for Linux,
# macOS and Windows, Python 3.11 to 3.13. Made by `make constraints`; not edited by hand.
"""
CONDA = """\
# The conda route: all of constraints.txt, inline, because not every conda tool finds a file that is
# named here. All from pip: two builds of OpenMP, one from conda and one from pip, kill the kernel
# at the first plot. Made by `make constraints`; not edited by hand.
name: lab2
channels:
  - conda-forge
dependencies:
  - python=3.11
  - pip
  - pip:
"""


def resolved() -> list[str]:
    """Return a line for each package: its version, and where it is needed if not everywhere."""
    command = [sys.executable, "-m", "uv", "pip", "compile", "--quiet", "--universal"]
    command += ["--python-version", "3.11", "--no-header", "--no-annotate", *LISTS]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"uv cannot resolve {' and '.join(LISTS)}: {done.stderr.strip()}")
    return [line for line in done.stdout.splitlines() if "==" in line]


def main() -> None:
    """Write both files."""
    lines = resolved()
    text = HEAD + "".join(f"{line}\n" for line in lines)
    (ROOT / "constraints.txt").write_text(text, encoding="utf-8")
    text = CONDA + "".join(f'      - "{line}"\n' for line in lines)
    (ROOT / "environment.yml").write_text(text, encoding="utf-8")
    print(f"{len(lines)} lines in constraints.txt and environment.yml")


if __name__ == "__main__":
    main()
