"""What surrounds the lab: folders that can be written, files that stand in its way, variables.

The doctor and the lab ask the same functions here, so that what the one says is what the other
does. Standard library only, and nothing is changed.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import platform
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from lab import config
from lab.base.messages import Message, _, languages

MODULES = {"doctor", "utils", "conftest", "report", "migrate"}  # of the lab, in its folder
USED = {
    *("IPython", "ipykernel", "ipywidgets", "joblib", "jupyterlab", "matplotlib", "nbformat"),
    *("nbconvert", "numpy", "pandas", "papermill", "pytest", "scipy", "seaborn", "sklearn"),
    *("spacy", "torch", "torchtext", "tqdm", "typst", "pypandoc", "fastparquet", "filelock"),
}
VECTOR_FILE = re.compile(r"glove\.6B\.(\d+)d(?:\.subset)?\.txt(?:\.xz|\.gz)?$")
DIMENSIONS = (100, 200, 300, 50)  # of vectors, the preferred first: the starting report used 100
SYSTEM = _("the system's own Python")
SLOW, MISSING = 124, 127  # exit statuses of a program that took too long, or is not there


def kind_of_python() -> Message:
    """Return in what kind of environment this Python is, and its folder's name."""
    folder = Path(sys.prefix)
    if (folder / "conda-meta").is_dir():
        return _("conda environment {name}", name=folder.name)
    if sys.prefix != sys.base_prefix:
        return _("virtual environment {name}", name=folder.name)
    return SYSTEM


def shadowing_files(folder: Path) -> list[str]:
    """Return the names in a folder that Python would take for a module of its own or a package's.

    The kernel finds Python's own modules first; the processes that train find such a file instead.
    """
    known = USED | set(getattr(sys, "stdlib_module_names", ()))
    found = [path.name for path in folder.glob("*.py") if path.stem in known - MODULES]
    packages = [path.parent.name for path in folder.glob("*/__init__.py")]
    return sorted(found + [name for name in packages if name in known])


def foreign_modules() -> list[str]:
    """Return the folders of PYTHONPATH that hold another `lab`, `utils` or `doctor`.

    A kernel looks there before it looks beside the notebook.
    """
    places = [Path(one) for one in os.environ.get("PYTHONPATH", "").split(os.pathsep) if one]
    names = ("lab/__init__.py", "lab.py", "utils.py", "utils/__init__.py", "doctor.py")
    here = config.ROOT.resolve()
    return [
        str(place)
        for place in places
        if place.resolve() != here and any(os.access(place / name, os.R_OK) for name in names)
    ]


def vector_files(folder: Path) -> tuple[Path | None, list[str]]:
    """Return the file of GloVe vectors in a folder that is used, if any; and names that are not.

    100 dimensions come first. Not used: a second download, "glove.6B.100d (1).txt", one that is not
    finished, other dimensions.
    """
    files = sorted(folder.glob("glove.6B*"))
    sizes = {path: VECTOR_FILE.fullmatch(path.name) for path in files}
    known = [path for path in files if sizes[path] and int(sizes[path][1]) in DIMENSIONS]
    chosen = min(known, key=lambda path: DIMENSIONS.index(int(sizes[path][1])), default=None)
    return chosen, [path.name for path in files if path not in known]


def wrong_settings() -> dict[str, str]:
    """Return which LAB2_* variables the lab cannot follow, in words, each with the remedy."""
    wrong: dict[str, str] = {}
    if (language := config.language()) not in languages():
        known = [*languages()]
        found = _("LAB2_LANGUAGE is {language}; there are {known}", language=language, known=known)
        wrong[found] = _("Correct LAB2_LANGUAGE, or unset it.")
    paths = (config.data_folder, config.output_folder, config.own_texts)
    for ask_for in (config.get_profile, config.device, config.tokens, *paths):
        try:
            ask_for()
        except config.LabError as error:
            wrong[error.args[0]] = _("Correct it, or unset it.")
    with contextlib.suppress(config.LabError):  # it was told above
        if (own := config.own_texts()) and not (own.is_file() and os.access(own, os.R_OK)):
            found = _("LAB2_REVIEWS names {file}, and there is no such file", file=own.name)
            if own.is_file():
                found = _("LAB2_REVIEWS names {file}, which you may not read", file=own.name)
            wrong[found] = _("Correct LAB2_REVIEWS, or unset it.")
    return wrong


def private_words() -> dict[str, str]:
    """Return what names the reader or the machine, and what is shown for it.

    A word that the lab itself gives as a choice, such as `quick`, is not among them.
    """
    try:
        home = Path.home()
    except RuntimeError:  # as in a container, for a user whom the system does not know
        home = Path()
    private = {str(config.ROOT): "lab", sys.prefix: "environment", str(home): "home"}
    private.update({platform.node(): "host", home.name: "user"})
    known = {"", ".", home.anchor, *config.PROFILES, *languages()}
    return {word: other for word, other in private.items() if word not in known}


def workers_folder() -> tuple[bool, str | None]:
    """Return whether several processes can work, and the folder that they must be told, or None.

    joblib 1.6 writes the name of the folder that its processes share in ASCII, and fails where it
    is C:\\Users\\张三\\AppData\\Local\\Temp. So they are told another folder, if there is one.
    """
    shared = "/dev/shm" if sys.platform == "linux" and _writable("/dev/shm") else ""
    usual = os.environ.get("JOBLIB_TEMP_FOLDER") or shared or tempfile.gettempdir()
    if usual.isascii():
        return True, None
    others = (_short_name(usual), shared, tempfile.gettempdir(), os.environ.get("PUBLIC", ""))
    others = (*others, str(config.output_folder()), "/tmp")
    found = next((one for one in others if one and one.isascii() and _writable(one)), None)
    return found is not None, found


def _short_name(path: str) -> str:
    """Return the name of a folder in letters of the old kind, as Windows has it; "" elsewhere."""
    if os.name != "nt":
        return ""
    name = ctypes.create_unicode_buffer(1024)
    length = ctypes.windll.kernel32.GetShortPathNameW(path, name, len(name))
    return name.value if 0 < length < len(name) else ""


def cache_folder(data: Path | None = None) -> Path:
    """Return where to keep what was computed from the files of a data folder (None: the lab's).

    That is its folder `cache`; where nothing can be written there, one below the output folder.
    """
    data = data or config.data_folder()
    cache = data / "cache"
    barred = not _writable(cache if cache.exists() else data) and data.exists()
    return config.output_folder() / "cache" if barred else cache


def cells_folder() -> Path:
    """Return where notebooks' cells are kept as modules: `build`, or below the output folder."""
    build = config.ROOT / "build"
    if _writable(build if build.exists() else config.ROOT):
        return build
    return config.output_folder() / "build"


def existing(folder: Path) -> Path:
    """Return a folder, or of one that has still to be made the nearest above it that is there."""
    return next(one for one in (folder, *folder.resolve().parents) if one.exists())


def memory_limit(system: Path = Path("/")) -> int | None:
    """Return how many bytes this process may use, if something limits it: ulimit, or its group.

    A group of version 2 (memory.max) and all above it count, as systemd, Slurm and containers set
    them. system: the root of the file system
    """
    limits = []
    try:
        import resource  # Windows has none

        limits = [n for n in resource.getrlimit(resource.RLIMIT_AS) if n > 0]
    except (ImportError, OSError):
        pass
    try:
        lines = (system / "proc/self/cgroup").read_text().splitlines()
    except OSError:
        lines = []
    names = [line.split("::", 1)[1].strip("/") for line in lines if "::" in line] or [""]
    top = system / "sys/fs/cgroup"
    for group in [top / name for name in names]:
        for one in (group, *group.parents):
            if one != top and top not in one.parents:
                break
            try:
                limits.append(int((one / "memory.max").read_text()))
            except (OSError, ValueError):  # "max"
                continue
    return min(limits, default=None)


def _writable(folder: str | Path) -> bool:
    return Path(folder).is_dir() and os.access(folder, os.W_OK | os.X_OK)


def run(command: Sequence[str], seconds: float, folder: Path) -> tuple[int, str, str]:
    """Run a command in a folder; return its exit status, output and error output.

    A program that is not there gives MISSING, one that takes too long SLOW.
    """
    try:
        done = subprocess.run(command, cwd=str(folder), capture_output=True, timeout=seconds)
        code, output, errors = done.returncode, done.stdout, done.stderr
    except subprocess.TimeoutExpired as error:
        code, output, errors = SLOW, error.stdout or b"", b"no answer"
    except OSError as error:
        code, output, errors = MISSING, b"", str(error).encode()
    return code, output.decode("utf-8", "replace"), errors.decode("utf-8", "replace")


def nvidia_driver() -> tuple[str, tuple[int, int] | None] | None:
    """Return device and driver of NVIDIA in words, and the newest CUDA they support, if known."""
    code, output, _errors = run(["nvidia-smi"], 15, config.ROOT)
    if code != 0:
        number = library_cuda()
        cuda = (number // 1000, number % 1000 // 10)
        return (_("NVIDIA device, driver of unknown version"), cuda) if number else None
    names = ["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"]
    device = run(names, 15, config.ROOT)[1].strip().split("\n")[0] or "NVIDIA"
    driver = "".join(re.findall(r"Driver Version: *([\d.]+)", output)) or "?"
    newest = re.search(r"CUDA Version: *(\d+)\.(\d+)", output)
    named = _("{device}, driver {driver}", device=device, driver=driver)
    return named, (int(newest[1]), int(newest[2])) if newest else None


def library_cuda() -> int:
    """Return the CUDA of the driver's library, 12040 for 12.4; 0 where there is no device."""
    try:
        library = ctypes.CDLL("nvcuda.dll" if os.name == "nt" else "libcuda.so.1")
        number, devices = ctypes.c_int(0), ctypes.c_int(0)
        if library.cuInit(0) == 0 and library.cuDeviceGetCount(ctypes.byref(devices)) == 0:
            library.cuDriverGetVersion(ctypes.byref(number))
        return number.value if devices.value else 0
    except (OSError, AttributeError):
        return 0
