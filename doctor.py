"""A doctor for the environment: what is there, why it matters, and the one step that mends it.

    python doctor.py            the table, to paste into a question; ends with 1 if a check failed

Standard library only (and what it imports of `lab`, which keeps to it too), written for Python 3.8
to 3.14, so that it runs and explains where nothing else does. It asks nothing of the network.

    ok     as it should be
    warn   the lab works, but something will be slow, missing or different
    fail   the lab will not work

Whatever may crash (imports, the GPU) is tried in a process of its own.
"""

from __future__ import annotations

import os
import sys

if __name__ == "__main__":  # a random.py beside it must not be taken for Python's own
    FOLDER = __file__.rpartition(os.sep)[0]
    sys.path[:] = [*(one for one in sys.path if one != FOLDER), FOLDER]

import ctypes
import functools
import json
import platform
import re
import shutil
import tempfile
from concurrent.futures import ThreadPoolExecutor
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Callable, NamedTuple, Sequence

from lab import config, environment, symptoms
from lab.base.messages import ENGLISH, Message, _, reason, say

HERE = Path(__file__).resolve().parent
PYTHONS = ((3, 11), (3, 12), (3, 13))
PINS = ("requirements.txt", "requirements-develop.txt")  # no student has the second
OWN = HERE / ".venv"  # the lab's environment, as README.md makes it
OWN_PYTHON = r".venv\Scripts\python" if os.name == "nt" else ".venv/bin/python"  # as one types it
APART = _("Packages installed in one environment are not there in another, nor in its notebooks.")


class Line(NamedTuple):
    """One line of the table."""

    name: str
    status: str  # ok, warn or fail
    found: str
    why: str
    fix: str = ""  # empty where the status is ok


def line(name: str, ok: bool, found: str, why: str, fix: str, bad: str = "fail") -> Line:
    """Return a line of the table; `fix` is kept only where the check is not ok."""
    return Line(name, "ok" if ok else bad, found, why, "" if ok else fix)


TELL = """
import json, os, sys
sys.path[:] = [one for one in sys.path if one] + [os.getcwd()]  # as in a kernel
os.environ["MPLBACKEND"] = "Agg"
def tell(value):
    print("doctor:", json.dumps(value), flush=True)
"""


def ask(script: str, argument: Any = None) -> tuple[list[Any], int, str]:
    """Run a script that tells values; return these, its exit status and its error output."""
    command = [sys.executable, "-c", TELL + script, json.dumps(argument)]
    code, output, errors = environment.run(command, 120, HERE)
    return [json.loads(text) for text in re.findall("^doctor: (.+)", output, re.M)], code, errors


def not_the_labs_own() -> list[Line]:
    """Return what to say to a Python without packages, where the lab's own is there; or nothing."""
    python = OWN / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    there = os.access(python, os.X_OK)  # False, too, where one may not look
    if installed("torch") or Path(sys.prefix).resolve() == OWN.resolve() or not there:
        return []
    here = environment.kind_of_python()
    found = _("running in {here}, but the lab is installed in .venv", here=here)
    fix = _(
        "{python} doctor.py (and JupyterLab: {python} -m jupyter lab lab2.ipynb)", python=OWN_PYTHON
    )
    return [Line(_("environment"), "fail", found, APART, fix)]


def check_python() -> list[Line]:
    """Is this a Python for which the pinned packages exist?"""
    bits = 8 * ctypes.sizeof(ctypes.c_void_p)
    found = _(
        "Python {version}, {bits}-bit, {kind}",
        version=platform.python_version(), bits=bits, kind=environment.kind_of_python(),
    )  # fmt: skip
    why = _(
        "The pinned packages are built for Python 3.11 to 3.13 in 64 bits; pip finds no others."
    )
    fixes = {
        "Windows": _("Install Python 3.11 (64-bit) from python.org, then: py -3.11 -m venv .venv"),
        "Darwin": _("brew install python@3.11, then install the lab with it (README.md)"),
    }
    others = _("Install Python 3.11, 3.12 or 3.13, then the lab with it (README.md)")
    good = sys.version_info[:2] in PYTHONS and bits == 64
    return [line(_("python"), good, found, why, fixes.get(platform.system(), others))]


def check_terminal() -> list[Line]:
    """Is this interpreter the one of the environment that the terminal has activated?"""
    active = os.environ.get("VIRTUAL_ENV") or os.environ.get("CONDA_PREFIX") or sys.prefix
    # `make` uses the lab's own environment whatever the terminal has activated
    good = Path(sys.prefix).resolve() in (Path(active).resolve(), HERE / ".venv")
    found = environment.kind_of_python()
    if not good:
        other = Path(active).name
        found = _(
            "running in {here}, but the terminal has activated {other}", here=found, other=other
        )
    fix = _("In the terminal: deactivate, then activate the environment that you mean.")
    return [line(_("environment"), good, found, APART, fix, "warn")]


KERNEL = _("kernel")
KERNELS = """
from jupyter_client.kernelspec import KernelSpecManager
kernels = KernelSpecManager().get_all_specs()
tell({name: kernel["spec"]["argv"][0] for name, kernel in kernels.items()})
tell(kernels.get("python3", {}).get("resource_dir", ""))
"""


def check_kernel() -> list[Line]:
    """Does a kernel that Jupyter offers run this interpreter?"""
    why = _("Jupyter runs cells in the interpreter that the chosen kernel names, and in no other.")
    fix = _(
        'python -m ipykernel install --user --name lab2 --display-name "Python (lab2)", '
        'then choose the kernel "Python (lab2)" in JupyterLab'
    )
    answers, code, errors = ask(KERNELS)
    if not answers:
        if code == environment.SLOW:
            return [Line(KERNEL, "warn", TOO_SLOW, why, AGAIN)]
        found = _("no Jupyter: {error}", error=symptoms.explain(errors, INSTALL)[0])
        return [Line(KERNEL, "warn", found, why, INSTALL)]
    first, place = Path(answers[0].get("python3", "python")), answers[-1]
    if first.name != str(first) and not first.exists():  # it hides the environment's own
        found = _(
            "the kernel python3 in {folder} runs a Python that is not there any more", folder=place
        )
        gone = _(
            "jupyter kernelspec remove python3; or unset JUPYTER_PATH, if that names the folder"
        )
        return [Line(KERNEL, "fail", found, why, gone)]
    # the folder decides, not what the file is a link to; a bare name is Jupyter's own interpreter
    here = Path(sys.executable).parent.resolve()
    for name, program in answers[0].items():
        if Path(program).name == program or Path(program).parent.resolve() == here:
            found = _("kernel {name} runs this interpreter", name=name)
            return [line(KERNEL, True, found, why, "")]
    others = sorted(answers[0]) or _("none")
    found = _("no kernel runs this interpreter; registered for others: {others}", others=others)
    return [line(KERNEL, False, found, why, fix, "warn")]


def read_pins(path: Path) -> dict[str, str]:
    """Return {package: version} of the `name==version` lines of a requirements file."""
    text = path.read_text(encoding="utf-8")
    return dict(re.findall(r"^([A-Za-z0-9_.-]+)==(\S+)", text, re.MULTILINE))


def installed(name: str) -> str | None:
    """Return the installed version of a package, without its build tag, or None."""
    try:
        return metadata.version(name).split("+")[0]  # 2.13.0+cpu is a build of 2.13.0
    except metadata.PackageNotFoundError:
        return None


def install_command() -> str:
    """Return what installs the packages into this Python, or first makes an environment."""
    if Path(sys.prefix).resolve() == OWN.resolve():
        return f"{OWN_PYTHON} tools/install.py"
    if environment.kind_of_python() == environment.SYSTEM and installed("torch") is None:
        new = "py" if os.name == "nt" else "python3"
        return _("{python} -m venv .venv, then: {own} tools/install.py", python=new, own=OWN_PYTHON)
    return "python tools/install.py"


INSTALL = install_command()


def _all_of(found: Sequence[Message]) -> Message:
    """Return one message that says several."""
    return functools.reduce(lambda one, other: _("{one}; {other}", one=one, other=other), found)


def check_versions() -> list[Line]:
    """Are the pinned packages installed, in the pinned versions?"""
    why = _("Other versions may do other things; these were tested together.")
    paths = [HERE / name for name in PINS]
    pins = dict(pin for path in paths if path.exists() for pin in read_pins(path).items())
    versions = {name: installed(name) for name in pins}
    missing = [name for name, version in versions.items() if version is None]
    problems = [_("missing: {names}", names=missing)] if missing else []
    for name, version in versions.items():
        if version not in (None, pins[name]):
            wanted = pins[name]
            problems.append(
                _(
                    "{name} {version} instead of {wanted}",
                    **{"name": name, "version": version, "wanted": wanted},
                )
            )
    found = _all_of(problems) if problems else _("all packages as pinned")
    return [line(_("versions"), not problems, found, why, INSTALL, "fail" if missing else "warn")]


IMPORTS = (  # in the order in which the notebook needs them
    "numpy", "scipy", "pandas", "sklearn", "matplotlib.pyplot", "seaborn", "joblib", "filelock",
    "tqdm", "fastparquet", "spacy", "torch", "torchtext.vocab", "ipywidgets", "papermill",
    "nbformat", "nbconvert", "jupyterlab", "pypandoc", "typst", "pytest", "nbval",
)  # fmt: skip
PLOT = """
import torch; torch.ones(9, 9) @ torch.ones(9, 9); torch.ones(1).numpy()
import matplotlib.pyplot as plt; plt.plot([0, 1]); plt.gcf().canvas.draw()
"""  # two OpenMP libraries in one process die here and not before
NEXT = "doctor: next"  # parts the errors of one trial from those of the next
TRY = f"""
for name, code in json.loads(sys.argv[1]).items():
    tell(name)
    print("{NEXT}", file=sys.stderr)
    exec(code, {{}})
tell("all")
"""
TOO_SLOW = _("no answer within two minutes: a slow disk, a virus scanner, or other programs")
AGAIN = _("Nothing is known to be wrong. Wait until the machine is quiet, and ask again.")
ENDS = {  # how a process ended, by its exit status; after 1, Python has said why
    1: "",
    -9: _("killed by the system, mostly for its memory"),
    **dict.fromkeys((-11, -6, 0xC0000005), _("crashed")),
}


def try_all(trials: dict[str, str]) -> dict[str, tuple[str, int]]:
    """Run pieces of code in one process; return {name: (errors, exit status)} of those that failed.

    A piece that fails ends the process, and a new one tries the rest.
    """
    failed = {}
    waiting = list(trials)
    while waiting:
        begun, code, errors = ask(TRY, {name: trials[name] for name in waiting})
        if "all" in begun:
            break
        at = max(len(begun), 1)  # the last one that was begun is to blame
        failed[waiting[at - 1]] = (errors.split(NEXT)[-1], code)
        waiting = waiting[at:]
    return failed


def check_imports() -> list[Line]:
    """Can everything be imported, and does a plot work after a product of matrices?"""
    why = _(
        "A package that crashes on import kills the kernel without a word; here it may say why."
    )
    # a missing package is the business of `versions`
    names = [name for name in IMPORTS if find_spec(name.split(".")[0])]
    trials = {f"import {name}": f"import {name}" for name in names}
    failed = try_all({**trials, _("plot after torch"): PLOT})
    if not failed:
        found = _("{count} packages, and a plot after torch", count=len(names))
        return [line(_("imports"), True, found, why, "")]
    lines = []
    for name, (errors, code) in failed.items():
        if code == environment.SLOW:
            lines.append(Line(name, "warn", TOO_SLOW, why, AGAIN))
            continue
        found, fix = symptoms.explain(errors, INSTALL)
        if end := ENDS.get(code, _("exit status {code}", code=code)):
            found = _("{found} [{end}]", found=found, end=end)
        lines.append(Line(name, "fail", found, why, fix))
    return lines


TORCH = """
import torch
facts = {"version": torch.__version__, "cuda": torch.version.cuda, "works": False, "error": ""}
if torch.cuda.is_available():
    facts["capability"] = list(torch.cuda.get_device_capability())
    facts["architectures"] = torch.cuda.get_arch_list()
    try:
        from lab.base import machine
        machine.train_a_step(torch.device("cuda"))
        facts["works"] = True
    except RuntimeError as error:
        facts["error"] = str(error).splitlines()[0]
tell(facts)
"""


def check_torch() -> list[Line]:
    """Which torch is it, and does it fit the GPU, if there is one?"""
    answers, code, _errors = ask(TORCH)
    why = _("It does all the computing; the CPU build is enough for this lab.")
    if not answers and code == environment.SLOW:
        return [Line("torch", "warn", TOO_SLOW, why, AGAIN)]
    if not answers:
        return [Line("torch", "fail", _("torch cannot be asked"), why, INSTALL)]
    (facts,) = answers
    build = f"CUDA {facts['cuda']}" if facts["cuda"] else "CPU"
    found = _("torch {version}, {build} build", version=facts["version"], build=build)
    status, device, fix = symptoms.gpu_verdict(facts, environment.nvidia_driver())
    fits = _(
        "A GPU needs a driver, a torch built for CUDA, and the two must fit. A CPU needs nothing."
    )
    return [line("torch", True, found, why, ""), Line("gpu", status, device, fits, fix)]


def check_room() -> list[Line]:
    """Is there room for the environment, for temporary files and for data?"""
    why = _("pip unpacks in the folder of temporary files, which may be a small disk of its own.")
    packages = 0.5 if installed("torch") else 3  # GB; a CUDA build of torch needs 6 more
    data, out = map(environment.existing, (config.data_folder(), config.output_folder()))
    places = (
        (_("room: environment"), sys.prefix, packages,
         _("Free some space: python -m pip cache purge")),
        (_("room: temporary files"), tempfile.gettempdir(), packages,
         _("Free some space, or set TMPDIR (Windows: TEMP)")),
        (_("room: data"), str(data), 1, _("Free some space, or set LAB2_DATA to another folder")),
        (_("room: results"), str(out), 0.2,
         _("Free some space, or set LAB2_OUT to another folder")),
    )  # fmt: skip
    lines = []
    for name, place, needed, fix in places:
        free = shutil.disk_usage(place).free / 1e9
        found = _("{free:.1f} GB free, {needed:g} needed", free=free, needed=needed)
        lines.append(line(name, free >= needed, found, why, fix))
    return lines


def check_writing() -> list[Line]:
    """Can the lab write its results? (A data folder that cannot be written does no harm.)"""
    name, why = _("results"), _("The lab keeps word numbers, runs, tables and figures.")
    try:
        with tempfile.TemporaryFile(dir=str(environment.existing(config.output_folder()))):
            pass
    except OSError as error:
        found = _("nothing can be written there: {error}", error=reason(error))
        fix = _("Move the lab to a folder of your own, or set LAB2_OUT to one.")
        return [Line(name, "fail", found, why, fix)]
    return [line(name, True, _("can be written"), why, "")]


def check_files_in_the_way() -> list[Line]:
    """Does a file here, or on PYTHONPATH, have the name of a module that the lab needs?"""
    why = _("Python takes the first file of a name that it finds, and the lab gets the wrong one.")
    lines, names = [], environment.shadowing_files(HERE)
    if names:
        found = _(
            "beside the notebook lies {names}, called like a module of Python or of a package",
            names=names,
        )
        lines.append(Line(_("names"), "fail", found, why, _("Rename {names}.", names=names)))
    if environment.foreign_modules():
        found = _("PYTHONPATH names a folder with another lab, utils or doctor in it")
        fix = _("Unset PYTHONPATH, and start Jupyter anew.")
        lines.append(Line(_("names"), "fail", found, why, fix))
    return lines


def check_settings() -> list[Line]:
    """Do the variables of the environment say what the lab can do, and which data does it take?"""
    why = _("The lab does what its LAB2_* variables say; README.md lists them.")
    name = _("settings")
    wrong = environment.wrong_settings()
    lines = [Line(name, "fail", found, why, fix) for found, fix in wrong.items()]
    if not wrong and not environment.workers_folder()[0]:
        found = _("the folder of temporary files has letters that joblib cannot write")
        slow = _("One process at a time is slower.")
        fix = _(
            "Set JOBLIB_TEMP_FOLDER to a folder in plain letters, such as C:\\Temp: it is faster."
        )
        lines.append(Line(_("processes"), "warn", found, slow, fix))
    if os.environ.get("PYTHONSAFEPATH"):
        found = _("PYTHONSAFEPATH is set: Python does not look beside the notebook")
        fix = _("Unset it if a cell does not find the lab.")
        lines.append(Line(name, "warn", found, why, fix))
    if not lines:
        found = _("profile {profile}", profile=config.get_profile().name)
        lines = [line(name, True, found, why, "")]
    return [*lines, *run_check(check_data)]


def check_data() -> list[Line]:
    """Which reviews and vectors does the lab take, and does a file look like some and is none?"""
    own, (vectors, left) = config.own_texts(), environment.vector_files(config.data_folder())
    official = (config.data_folder() / "aclImdb").is_dir()
    package = _("of the package")
    found = _(
        "reviews: {reviews}; vectors: {vectors}",
        reviews=own.name if own else "aclImdb" if official else package,
        vectors=vectors.name if vectors else package,
    )
    if left:
        found = _("{found}; not read: {names}", found=found, names=left)
    fix = _("A file of vectors is called glove.6B.100d.txt. Rename, unpack or remove it.")
    return [line(_("data"), not left, found, _("The lab takes these."), fix, "warn")]


def check_memory() -> list[Line]:
    """How much memory does the machine have, or a container's share of it?"""
    name, why = _("memory"), _("A system without memory kills the kernel without a word.")
    fix = _("Close other programs, or use a machine with more memory; the quick run needs 2 GB.")
    if not hasattr(os, "sysconf"):  # Windows, which says so itself: WinError 1455
        return [line(name, True, _("not known on this system"), why, "")]
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    total = min(total, environment.memory_limit() or total)
    return [line(name, total >= 4e9, f"{total / 1e9:.1f} GB", why, fix, "warn")]


CHECKS = (
    check_python, check_terminal, check_kernel, check_versions, check_memory, check_room,
    check_writing, check_settings, check_imports, check_torch,
)  # fmt: skip


def run_checks(checks: Sequence[Callable[[], list[Line]]] = CHECKS) -> list[Line]:
    """Run checks, two at a time; return their lines in order. One that fails stops no other.

    Where this is not the lab's own Python, that is all there is to say.
    """
    if wrong := check_files_in_the_way() or not_the_labs_own():
        return wrong
    with ThreadPoolExecutor(2) as pool:
        return [one for lines in pool.map(run_check, checks) for one in lines]


def run_check(check: Callable[[], list[Line]]) -> list[Line]:
    """Run a check; one that itself fails says so."""
    try:
        return check()
    except config.LabError:  # a setting that cannot be followed, as check_settings says
        return []
    except Exception as error:
        name = check.__name__.replace("check_", "")
        found = _("the check itself failed: {error}", error=symptoms.shorten(repr(error)))
        return [Line(name, "warn", found, _("The others still hold."), _("Go on."))]


def language() -> str:
    """Return in which language to speak: the reader's; English where that cannot be shown."""
    try:
        wanted = config.language()
        say(KERNEL, wanted).encode(getattr(sys.stdout, "encoding", None) or "ascii")
    except Exception:  # no such catalogue, a damaged one, a console without its letters
        return ENGLISH
    return wanted


def as_text(lines: Sequence[Line]) -> str:
    """Return the table as text. What was found names no user, no host and none of their paths."""
    said = functools.partial(say, language=language())
    rows = [said(_("lab2 doctor, {system}", system=f"{platform.system()} {platform.machine()}"))]
    private = environment.private_words()
    for name, status, found, why, fix in lines:
        found = symptoms.without(found, private)
        status = f"{status:<4}"
        rows.append(said(_("{status} {name}: {found}", status=status, name=name, found=found)))
        if fix:  # it is to be typed, word for word
            rows += [f"     {said(why)}", f"     -> {said(fix)}"]
    return "\n".join(rows)


def main() -> int:
    """Print the table; return 1 if a check failed."""
    lines = run_checks()
    say_on_any_console()
    print(as_text(lines))
    return int(any(one.status == "fail" for one in lines))


def say_on_any_console() -> None:
    """Let what this console cannot show be printed as a question mark."""
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="replace")


if __name__ == "__main__":
    sys.exit(main())
