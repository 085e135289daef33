"""Turns pip's report of an installation into a list with hashes: `make lock` writes it.

    pip install --dry-run --ignore-installed --report - -r requirements.txt | python tools/lock.py

Imports nothing of the lab.
"""

import json
import sys

HEAD = """\
# Every package of the lab and all that they need, each with the SHA-256 of its file: for Linux on
# x86-64, Python 3.11, and the CPU build of torch. Made by `make lock`; not edited by hand.
#     python -m pip install --require-hashes -r requirements.lock
"""


def locked(report: dict) -> str:
    """Return the lines of the list, in the order of the names."""
    lines = []
    for package in report["install"]:
        name, version = package["metadata"]["name"].lower(), package["metadata"]["version"]
        digest = package["download_info"]["archive_info"]["hashes"]["sha256"]
        lines.append(f"{name}=={version.split('+')[0]} \\\n    --hash=sha256:{digest}\n")
    return HEAD + "".join(sorted(lines))


if __name__ == "__main__":
    sys.stdout.write(locked(json.load(sys.stdin)))
