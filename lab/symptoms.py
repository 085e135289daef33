"""What errors of packages and the state of a GPU mean, in words, and the step that mends them.

The doctor asks. Standard library only, of Python 3.8 on.
"""

from __future__ import annotations

import re
from pathlib import PurePath
from typing import Any, NamedTuple

from lab.base.messages import Message, _

CUDA_BUILDS = ((13, 0), (12, 8), (12, 6))  # of the pinned torch, newest first
NEW = _("make a new environment in which all packages come from pip, as README.md says")


def shorten(message: str, length: int = 160) -> str:
    """Return a message on one line, without paths."""
    text = re.sub(r"(/|[A-Za-z]:\\)[^\s'\"]*[/\\]", "…/", " ".join(message.split()))
    return text if len(text) <= length else text[: length - 1] + "…"


def without(found: Any, private: dict[str, str]) -> Any:
    """Return a message, or a value of one, in which other words stand for private ones.

    The template of a message is the doctor's own, and stays: a user may be called `python`.
    """
    if isinstance(found, Message):
        values = {name: without(value, private) for name, value in found.values.items()}
        return Message(found.template, **values)
    if isinstance(found, (list, tuple)):
        return [without(one, private) for one in found]
    if not isinstance(found, (str, PurePath)):
        return found
    words = "|".join(map(re.escape, sorted(private, key=len, reverse=True)))
    # letters of Latin alone part words: a name stands in Chinese without blanks around it
    return re.sub(rf"(?a)(?<!\w)({words})(?!\w)", lambda word: private[word[0]], str(found))


# ── Packages ────────────────────────────────────────────────────────────────────────────────────


def explain(errors: str, install: str) -> tuple[str, str]:
    """Return what error output means, with the line that says so, and the step that mends it.

    install: the command that installs the packages
    """
    for pattern, meaning, fix in _known(install):
        lines = re.findall(f".*(?:{pattern}).*", errors)
        if lines:
            return _("{meaning}: {error}", meaning=meaning, error=shorten(lines[-1])), fix
    last = errors.strip().splitlines()[-1:]
    return shorten(last[0]) if last else _("died without a word"), NEW


def _known(install: str) -> tuple[tuple[str, Message, str], ...]:
    """Return (what stands in the message, what it means, the step that mends it)."""
    return (
        (
            r"OMP: Error #15|already initialized",
            _("two OpenMP libraries in one process, mostly torch from pip beside numpy from conda"),
            NEW,
        ),
        (
            r"compiled using NumPy 1\.x|Numpy is not available|numpy\.core\.multiarray failed",
            _("a package built for NumPy 1 beside NumPy 2"),
            install,
        ),
        (
            r"libtorchtext|undefined symbol|torch\.ops\.load_library|name 'Field'|text\.legacy",
            _("a torchtext that was built for another torch or without the interface of 0.6.0"),
            "python -m pip install torchtext==0.6.0",
        ),
        (
            r"DLL load failed|WinError 126|WinError 1114|vcruntime|msvcp140",
            _("a Windows library is missing, mostly Microsoft's Visual C++ runtime"),
            "winget install Microsoft.VCRedist.2015+.x64",
        ),
        (r"GLIBC", _("this Linux is older than the packages"), _("use a newer system")),
        (
            r"Can't find model|E050|E941",
            _("a spaCy model is asked for; the lab needs none"),
            install,
        ),
        (r"No module named", _("a package is missing"), install),
        (
            r"No space left",
            _("the disk is full"),
            _("free some space, then: {command}", command=install),
        ),
        (
            r"Cannot allocate memory|MemoryError|WinError 1455",
            _("no memory left"),
            _("close other programs"),
        ),
    )


# ── GPU ─────────────────────────────────────────────────────────────────────────────────────────


class Verdict(NamedTuple):
    """What is to be said of the GPU, as in a line of the doctor's table."""

    status: str
    found: Message
    fix: str = ""


def gpu_verdict(
    facts: dict[str, Any], driver: tuple[Message, tuple[int, int] | None] | None
) -> Verdict:
    """Return one of the verdicts: no device; right; a CPU build; driver too old; device too old."""
    build, capability = facts["cuda"], facts.get("capability")
    if driver is None:
        found = _("no NVIDIA device, so the CPU build is right")
        if build:
            found = _("no NVIDIA device answers; this build computes on the CPU")
        return Verdict("ok", found)
    device, newest = driver
    if facts["works"]:
        found = _("{device}, CUDA {build}: it computes", device=device, build=build)
        return Verdict("ok", found)
    fix = install_cuda(facts["version"], newest)
    if not build:
        found = _("but torch is a CPU build")
    elif newest and not capability and newest < tuple(map(int, build.split("."))):
        supported = "{}.{}".format(*newest)
        found = _(
            "driver too old: it supports CUDA {supported}, torch needs {build}",
            supported=supported, build=build,
        )  # fmt: skip
        if fix is not NO_BUILD:
            fix = _("Install a newer NVIDIA driver, or: {command}", command=fix)
    elif capability and "sm_{}{}".format(*capability) not in facts["architectures"]:
        found = _(
            "compute capability {capability}, for which this torch has no code",
            capability="{}.{}".format(*capability),
        )
        fix = install_cuda(facts["version"], CUDA_BUILDS[-1])
    else:
        error = facts["error"] or _("torch sees no GPU")
        found = _("but it does not compute: {error}", error=error)
        fix = _("Restart the machine, or install the driver anew. The CPU will do.")
    return Verdict("warn", _("{device}, {found}", device=device, found=found), fix)


NO_BUILD = _(
    "Install a newer NVIDIA driver: the oldest CUDA build of this torch needs CUDA {oldest}.",
    oldest="{}.{}".format(*CUDA_BUILDS[-1]),
)


def install_cuda(version: str, newest: tuple[int, int] | None) -> str:
    """Return the command that installs a CUDA build of this torch which the driver supports."""
    builds = [build for build in CUDA_BUILDS if newest is None or build <= newest]
    if not builds:
        return NO_BUILD
    pip = f"python -m pip install --force-reinstall --no-cache-dir torch=={version.split('+')[0]}"
    return pip + " --index-url https://download.pytorch.org/whl/cu{}{}".format(*builds[0])
