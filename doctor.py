"""A doctor for the environment: what is there, why it matters, and the one step that mends it.

    python doctor.py            the table, to paste into a question; ends with 1 if a check failed

Standard library only (and `lab/config.py` and `lab/environment.py`, which keep to it too), written
for Python 3.8 to 3.14, so that it runs and explains where nothing else does. It asks nothing of the
network.

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

from lab import config, environment

HERE = Path(__file__).resolve().parent
PYTHONS = ((3, 11), (3, 12), (3, 13))
CUDA_BUILDS = ((13, 0), (12, 8), (12, 6))  # of the pinned torch, newest first
PINS = ("requirements.txt", "requirements-develop.txt")  # no student has the second
OWN = HERE / ".venv"  # the lab's environment, as README.md makes it
OWN_PYTHON = r".venv\Scripts\python" if os.name == "nt" else ".venv/bin/python"  # as one types it
APART = "Packages installed in one environment are not there in another, nor in its notebooks."
NEW = "make a new environment in which all packages come from pip, as README.md says"


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


def shorten(message: str, length: int = 160) -> str:
    """Return a message on one line, without paths."""
    text = re.sub(r"(/|[A-Za-z]:\\)[^\s'\"]*[/\\]", "…/", " ".join(message.split()))
    return text if len(text) <= length else text[: length - 1] + "…"


def not_the_labs_own() -> list[Line]:
    """Return what to say to a Python without packages, where the lab's own is there; or nothing."""
    python = OWN / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    if installed("torch") or Path(sys.prefix).resolve() == OWN.resolve() or not python.exists():
        return []
    found = f"running in {environment.kind_of_python()}, but the lab is installed in .venv"
    fix = f"{OWN_PYTHON} doctor.py (and JupyterLab: {OWN_PYTHON} -m jupyter lab lab2.ipynb)"
    return [Line("environment", "fail", found, APART, fix)]


def check_python() -> list[Line]:
    """Is this a Python for which the pinned packages exist?"""
    bits = 8 * ctypes.sizeof(ctypes.c_void_p)
    found = f"Python {platform.python_version()}, {bits}-bit, {environment.kind_of_python()}"
    why = "The pinned packages are built for Python 3.11 to 3.13 in 64 bits; pip finds no others."
    fixes = {
        "Windows": "Install Python 3.11 (64-bit) from python.org, then: py -3.11 -m venv .venv",
        "Darwin": "brew install python@3.11, then install the lab with it (README.md)",
    }
    others = "Install Python 3.11, 3.12 or 3.13, then the lab with it (README.md)"
    good = sys.version_info[:2] in PYTHONS and bits == 64
    return [line("python", good, found, why, fixes.get(platform.system(), others))]


def check_terminal() -> list[Line]:
    """Is this interpreter the one of the environment that the terminal has activated?"""
    active = os.environ.get("VIRTUAL_ENV") or os.environ.get("CONDA_PREFIX") or sys.prefix
    # `make` uses the lab's own environment whatever the terminal has activated
    good = Path(sys.prefix).resolve() in (Path(active).resolve(), HERE / ".venv")
    found = environment.kind_of_python()
    if not good:
        found = f"running in {found}, but the terminal has activated {Path(active).name}"
    fix = "In the terminal: deactivate, then activate the environment that you mean."
    return [line("environment", good, found, APART, fix, "warn")]


KERNELS = """
from jupyter_client.kernelspec import KernelSpecManager
kernels = KernelSpecManager().get_all_specs()
tell({name: kernel["spec"]["argv"][0] for name, kernel in kernels.items()})
tell(kernels.get("python3", {}).get("resource_dir", ""))
"""


def check_kernel() -> list[Line]:
    """Does a kernel that Jupyter offers run this interpreter?"""
    why = "Jupyter runs cells in the interpreter that the chosen kernel names, and in no other."
    fix = (
        'python -m ipykernel install --user --name lab2 --display-name "Python (lab2)", '
        'then choose the kernel "Python (lab2)" in JupyterLab'
    )
    answers, code, errors = ask(KERNELS)
    if not answers:
        if code == environment.SLOW:
            return [Line("kernel", "warn", TOO_SLOW, why, AGAIN)]
        return [Line("kernel", "warn", f"no Jupyter: {explain(errors)[0]}", why, INSTALL)]
    first, place = Path(answers[0].get("python3", "python")), answers[-1]
    if first.name != str(first) and not first.exists():  # it hides the environment's own
        found = f"the kernel python3 in {place} runs a Python that is not there any more"
        gone = "jupyter kernelspec remove python3; or unset JUPYTER_PATH, if that names the folder"
        return [Line("kernel", "fail", found, why, gone)]
    # the folder decides, not what the file is a link to; a bare name is Jupyter's own interpreter
    here = Path(sys.executable).parent.resolve()
    for name, program in answers[0].items():
        if Path(program).name == program or Path(program).parent.resolve() == here:
            return [line("kernel", True, f"kernel {name} runs this interpreter", why, "")]
    others = ", ".join(sorted(answers[0])) or "none"
    found = f"no kernel runs this interpreter; registered for others: {others}"
    return [line("kernel", False, found, why, fix, "warn")]


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
        return f"{new} -m venv .venv, then: {OWN_PYTHON} tools/install.py"
    return "python tools/install.py"


INSTALL = install_command()


def check_versions() -> list[Line]:
    """Are the pinned packages installed, in the pinned versions?"""
    why = "Other versions may do other things; these were tested together."
    paths = [HERE / name for name in PINS]
    pins = dict(pin for path in paths if path.exists() for pin in read_pins(path).items())
    versions = {name: installed(name) for name in pins}
    missing = [name for name, version in versions.items() if version is None]
    problems = ["missing: " + ", ".join(missing)] if missing else []
    for name, version in versions.items():
        if version not in (None, pins[name]):
            problems.append(f"{name} {version} instead of {pins[name]}")
    found = "; ".join(problems) or "all packages as pinned"
    return [line("versions", not problems, found, why, INSTALL, "fail" if missing else "warn")]


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
# (what stands in the message, what it means, the step that mends it)
DIAGNOSES = (
    (
        r"OMP: Error #15|already initialized",
        "two OpenMP libraries in one process, mostly torch from pip beside numpy from conda",
        NEW,
    ),
    (
        r"compiled using NumPy 1\.x|Numpy is not available|numpy\.core\.multiarray failed",
        "a package built for NumPy 1 beside NumPy 2",
        INSTALL,
    ),
    (
        r"libtorchtext|undefined symbol|torch\.ops\.load_library|import name 'Field'|text\.legacy",
        "a torchtext that was built for another torch or without the interface of 0.6.0",
        "python -m pip install torchtext==0.6.0",
    ),
    (
        r"DLL load failed|WinError 126|WinError 1114|vcruntime|msvcp140",
        "a Windows library is missing, mostly Microsoft's Visual C++ runtime",
        "winget install Microsoft.VCRedist.2015+.x64",
    ),
    (r"GLIBC", "this Linux is older than the packages", "use a newer system"),
    (r"Can't find model|E050|E941", "a spaCy model is asked for; the lab needs none", INSTALL),
    (r"No module named", "a package is missing", INSTALL),
    (r"No space left", "the disk is full", f"free some space, then: {INSTALL}"),
    (r"Cannot allocate memory|MemoryError|WinError 1455", "no memory left", "close other programs"),
)


def explain(errors: str) -> tuple[str, str]:
    """Return what error output means, with the line that says so, and the step that mends it."""
    for pattern, meaning, fix in DIAGNOSES:
        lines = re.findall(f".*(?:{pattern}).*", errors)
        if lines:
            return f"{meaning}: {shorten(lines[-1])}", fix
    last = (errors.strip() or "died without a word").splitlines()[-1]
    return shorten(last), NEW


TOO_SLOW = "no answer within two minutes: a slow disk, a virus scanner, or other programs"
AGAIN = "Nothing is known to be wrong. Wait until the machine is quiet, and ask again."
ENDS = {  # how a process ended, by its exit status; after 1, Python has said why
    1: "",
    -9: " [killed by the system, mostly for its memory]",
    **dict.fromkeys((-11, -6, 0xC0000005), " [crashed]"),
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
    why = "A package that crashes on import kills the kernel without a word; here it may say why."
    # a missing package is the business of `versions`
    names = [name for name in IMPORTS if find_spec(name.split(".")[0])]
    trials = {f"import {name}": f"import {name}" for name in names}
    failed = try_all({**trials, "plot after torch": PLOT})
    if not failed:
        return [line("imports", True, f"{len(names)} packages, and a plot after torch", why, "")]
    lines = []
    for name, (errors, code) in failed.items():
        if code == environment.SLOW:
            lines.append(Line(name, "warn", TOO_SLOW, why, AGAIN))
            continue
        found, fix = explain(errors)
        lines.append(Line(name, "fail", found + ENDS.get(code, f" [exit status {code}]"), why, fix))
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
    answers, code, _ = ask(TORCH)
    why = "It does all the computing; the CPU build is enough for this lab."
    if not answers and code == environment.SLOW:
        return [Line("torch", "warn", TOO_SLOW, why, AGAIN)]
    if not answers:
        return [Line("torch", "fail", "torch cannot be asked", why, INSTALL)]
    (facts,) = answers
    build = f"CUDA {facts['cuda']}" if facts["cuda"] else "CPU"
    found = f"torch {facts['version']}, {build} build"
    return [line("torch", True, found, why, ""), gpu_verdict(facts, environment.nvidia_driver())]


def gpu_verdict(facts: dict[str, Any], driver: tuple[str, tuple[int, int] | None] | None) -> Line:
    """Return one of the verdicts: no device; right; a CPU build; driver too old; device too old."""
    why = "A GPU needs a driver, a torch built for CUDA, and the two must fit. A CPU needs nothing."
    build, capability = facts["cuda"], facts.get("capability")
    if driver is None and build:
        return Line("gpu", "ok", "no NVIDIA device answers; this build computes on the CPU", why)
    if driver is None:
        return Line("gpu", "ok", "no NVIDIA device, so the CPU build is right", why)
    device, newest = driver
    if facts["works"]:
        return Line("gpu", "ok", f"{device}, CUDA {build}: it computes", why)
    fix = install_cuda(facts["version"], newest)
    if not build:
        found = "but torch is a CPU build"
    elif newest and not capability and newest < tuple(map(int, build.split("."))):
        found = f"driver too old: it supports CUDA {newest[0]}.{newest[1]}, torch needs {build}"
        fix = fix.replace("python", "Install a newer NVIDIA driver, or: python", 1)
    elif capability and "sm_{}{}".format(*capability) not in facts["architectures"]:
        found = "compute capability {}.{}, for which this torch has no code".format(*capability)
        fix = install_cuda(facts["version"], CUDA_BUILDS[-1])
    else:
        found = f"but it does not compute: {facts['error'] or 'torch sees no GPU'}"
        fix = "Restart the machine, or install the driver anew. The CPU will do."
    return Line("gpu", "warn", f"{device}, {found}", why, fix)


def install_cuda(version: str, newest: tuple[int, int] | None) -> str:
    """Return the command that installs a CUDA build of this torch which the driver supports."""
    builds = [build for build in CUDA_BUILDS if newest is None or build <= newest]
    if not builds:
        return "Install a newer NVIDIA driver: the oldest CUDA build of this torch needs CUDA 12.6."
    pip = f"python -m pip install --force-reinstall --no-cache-dir torch=={version.split('+')[0]}"
    return pip + " --index-url https://download.pytorch.org/whl/cu{}{}".format(*builds[0])


def check_room() -> list[Line]:
    """Is there room for the environment, for temporary files and for data?"""
    why = "pip unpacks in the folder of temporary files, which may be a small disk of its own."
    packages = 0.5 if installed("torch") else 3  # GB; a CUDA build of torch needs 6 more
    data, out = map(environment.existing, (config.data_folder(), config.output_folder()))
    places = (
        ("environment", sys.prefix, packages, ": python -m pip cache purge"),
        ("temporary files", tempfile.gettempdir(), packages, ", or set TMPDIR (Windows: TEMP)"),
        ("data", str(data), 1, ", or set LAB2_DATA to another folder"),
        ("results", str(out), 0.2, ", or set LAB2_OUT to another folder"),
    )
    lines = []
    for name, place, needed, fix in places:
        free = shutil.disk_usage(place).free / 1e9
        found = f"{free:.1f} GB free, {needed:g} needed"
        lines.append(line(f"room: {name}", free >= needed, found, why, f"Free some space{fix}"))
    return lines


def check_writing() -> list[Line]:
    """Can the lab write its results? (A data folder that cannot be written does no harm.)"""
    why = "The lab keeps word numbers, runs, tables and figures."
    try:
        with tempfile.TemporaryFile(dir=str(environment.existing(config.output_folder()))):
            pass
    except OSError as error:
        found = f"nothing can be written there: {error.strerror}"
        fix = "Move the lab to a folder of your own, or set LAB2_OUT to one."
        return [Line("results", "fail", found, why, fix)]
    return [line("results", True, "can be written", why, "")]


def check_files_in_the_way() -> list[Line]:
    """Does a file here, or on PYTHONPATH, have the name of a module that the lab needs?"""
    why = "Python takes the first file of a name that it finds, and the lab gets the wrong one."
    lines, names = [], ", ".join(environment.shadowing_files(HERE))
    if names:
        found = f"beside the notebook lies {names}, called like a module of Python or of a package"
        lines.append(Line("names", "fail", found, why, f"Rename {names}."))
    if environment.foreign_modules():
        found = "PYTHONPATH names a folder with another lab, utils or doctor in it"
        lines.append(Line("names", "fail", found, why, "Unset PYTHONPATH, and start Jupyter anew."))
    return lines


def check_settings() -> list[Line]:
    """Do the variables of the environment say what the lab can do, and which data does it take?"""
    why = "The lab does what its LAB2_* variables say; README.md lists them."
    wrong = environment.wrong_settings().items()
    lines = [Line("settings", "fail", found, why, fix) for found, fix in wrong]
    if not environment.workers_folder()[0]:
        found = "the folder of temporary files has letters that joblib cannot write"
        fix = "Set JOBLIB_TEMP_FOLDER to a folder in plain letters, such as C:\\Temp: it is faster."
        lines.append(Line("processes", "warn", found, "One process at a time is slower.", fix))
    if os.environ.get("PYTHONSAFEPATH"):
        found = "PYTHONSAFEPATH is set: Python does not look beside the notebook"
        fix = "Unset it if a cell does not find the lab."
        lines.append(Line("settings", "warn", found, why, fix))
    lines = lines or [line("settings", True, f"profile {config.get_profile().name}", why, "")]
    own, (vectors, left) = config.own_texts(), environment.vector_files(config.data_folder())
    official = (config.data_folder() / "aclImdb").is_dir()
    reviews = own.name if own else "aclImdb" if official else "of the package"
    found = f"reviews: {reviews}; vectors: {vectors.name if vectors else 'of the package'}"
    found += f"; not read: {', '.join(left)}" * bool(left)
    fix = "A file of vectors is called glove.6B.100d.txt. Rename, unpack or remove it."
    return [*lines, line("data", not left, found, "The lab takes these.", fix, "warn")]


def check_memory() -> list[Line]:
    """How much memory does the machine have, or a container's share of it?"""
    why = "A system without memory kills the kernel without a word."
    fix = "Close other programs, or use a machine with more memory; the quick run needs 2 GB."
    if not hasattr(os, "sysconf"):  # Windows, which says so itself: WinError 1455
        return [line("memory", True, "not known on this system", why, "")]
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    total = min(total, environment.memory_limit() or total)
    return [line("memory", total >= 4e9, f"{total / 1e9:.1f} GB", why, fix, "warn")]


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
    except Exception as error:
        name = check.__name__.replace("check_", "")
        found = shorten(f"the check itself failed: {error!r}")
        return [Line(name, "warn", found, "The others still hold.", "Go on.")]


def as_text(lines: Sequence[Line]) -> str:
    """Return the table as text without names of user and host, and without paths."""
    rows = [f"lab2 doctor, {platform.system()} {platform.machine()}"]
    for one in lines:
        rows.append(f"{one.status:<5}{one.name}: {one.found}")
        if one.fix:
            rows += [f"     {one.why}", f"     -> {one.fix}"]
    text = "\n".join(rows)
    home = str(Path.home())
    private = {str(HERE): "lab", sys.prefix: "environment", home: "home", platform.node(): "host"}
    private[Path(home).name] = "user"
    for secret in sorted(filter(None, private), key=len, reverse=True):
        text = re.sub(rf"(?<!\w){re.escape(secret)}(?!\w)", private[secret], text)
    return text


def main() -> int:
    """Print the table; return 1 if a check failed."""
    lines = run_checks()
    print(as_text(lines))
    return int(any(one.status == "fail" for one in lines))


if __name__ == "__main__":
    sys.exit(main())
