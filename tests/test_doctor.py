"""The doctor before sick environments: each is simulated, and its words are compared."""

import errno
import io
import json
import os
import re
import shutil
import subprocess
import sys
import venv
from pathlib import Path
from types import SimpleNamespace

import pytest
from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_file
from babel.messages.mofile import write_mo
from helpers import ROOT, imports_of, outside
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

import doctor
from lab import config, environment, symptoms
from lab.config import LabError

INSTALL = doctor.INSTALL


def only(lines):
    (line,) = lines
    return line


def test_oldest_grammar_reads_it_and_it_needs_nothing():
    names = imports_of(ROOT / "doctor.py", feature_version=(3, 8))
    assert {name.split(".")[0] for name in names} <= {*sys.stdlib_module_names, "lab"}


def copy_doctor(folder):
    """Put the doctor into a folder, and what it needs of the lab, and nothing else."""
    needed = ("doctor.py", "requirements.txt", "lab/__init__.py", "lab/config.py",
              "lab/environment.py", "lab/symptoms.py", "lab/base/__init__.py",
              "lab/base/messages.py", "translations/zh/LC_MESSAGES/lab.mo")  # fmt: skip
    for file in needed:
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / file, folder / file)


@pytest.fixture
def bare(tmp_path):
    """Let a Python without packages run the doctor of a student's folder; returns what came."""
    copy_doctor(tmp_path / "lab2")
    venv.create(tmp_path / "other", with_pip=False)
    python = tmp_path / "other" / ("Scripts" if os.name == "nt" else "bin") / "python"

    def run():
        command = [str(python), "doctor.py"]
        return subprocess.run(command, cwd=tmp_path / "lab2", capture_output=True, text=True)

    return run


def test_it_runs_without_any_package_and_explains(bare):
    done = bare()
    assert done.returncode == 1 and done.stderr == ""
    blocks = done.stdout.split("\nfail ")[1:]
    for block, name in zip(blocks, ("versions", "plot after torch", "torch"), strict=True):
        found, why, fix = block.splitlines()[:3]
        assert found.startswith(f"{name}: ") and why.strip()
        assert fix == "     -> python tools/install.py"
    assert "missing: torch, torchtext" in blocks[0] and "pytest" not in blocks[0]
    assert "warn kernel: no Jupyter: a package is missing" in done.stdout


def test_a_python_without_packages_is_sent_to_the_lab_s_own(bare, tmp_path):
    """The installation is healthy: nothing but the wrong interpreter is told."""
    venv.create(tmp_path / "lab2" / ".venv", with_pip=False)
    done = bare()
    _, first, *rest = done.stdout.splitlines()
    assert done.returncode == 1 and len(rest) == 2 and "installed in .venv" in first
    assert rest[1].startswith(f"     -> {doctor.OWN_PYTHON} doctor.py")


@pytest.mark.parametrize(
    "prefix, has_torch, expected",
    [
        (".venv", None, f"{doctor.OWN_PYTHON} tools/install.py"),
        ("conda", None, "python tools/install.py"),
        ("system", "2.13.0", "python tools/install.py"),  # as in a container
        ("system", None, f"-m venv .venv, then: {doctor.OWN_PYTHON} tools/install.py"),
    ],
)
def test_packages_go_into_no_system_and_where_the_reader_works(
    monkeypatch, tmp_path, prefix, has_torch, expected
):
    monkeypatch.setattr(doctor, "OWN", tmp_path / ".venv")
    monkeypatch.setattr(doctor.sys, "prefix", str(tmp_path / prefix))
    monkeypatch.setattr(doctor.sys, "base_prefix", str(tmp_path / "system"))
    monkeypatch.setattr(doctor, "installed", lambda _: has_torch)
    assert doctor.install_command().endswith(expected)


@pytest.mark.parametrize("variable", ["LAB2_DATA", "LAB2_OUT"])
def test_a_folder_of_results_that_cannot_be_written_is_seen(monkeypatch, tmp_path, variable):
    assert only(doctor.check_writing()).status == "ok"
    monkeypatch.setenv(variable, str(tmp_path))

    def refuse(dir):
        if dir == str(tmp_path):
            raise OSError(errno.EROFS, "Read-only file system")
        return io.BytesIO()

    monkeypatch.setattr(doctor.tempfile, "TemporaryFile", refuse)
    line = only(doctor.check_writing())
    assert line.status == "fail" and line.found.endswith("written there: Read-only file system")


def test_this_environment_is_well():
    lines = {line.name: line for line in doctor.run_checks()}
    for name in ("python", "kernel", "versions", "imports", "torch"):
        assert lines[name].status == "ok", lines[name]
    assert "torch 2.13.0" in lines["torch"].found


def test_block_names_no_user_no_host_and_no_path(monkeypatch):
    monkeypatch.setattr(doctor.platform, "node", lambda: "ada-laptop")
    monkeypatch.setattr(doctor.Path, "home", lambda: Path("/home/ada"))
    found = f"in /home/ada/lab of ada-laptop by ada, {doctor.HERE}, {sys.prefix}"
    text = doctor.as_text([doctor.Line("x", "fail", found, "for a reason", "do it")])
    assert "ada" not in text and str(doctor.HERE) not in text and sys.prefix not in text
    assert "for a reason" in text and "-> do it" in text
    text = symptoms.shorten(
        "cannot open '/home/ada/env/lib/libtorch.so': C:\\Users\\ada\\x.dll " * 9
    )
    assert "ada" not in text and "libtorch.so" in text and len(text) <= 160
    assert os.sep + "home" not in text


def told(*found, fix):
    """Return the lines of a table as they are shown, but for the first."""
    lines = [doctor.Line("x", "fail", one, "because", fix) for one in found]
    return doctor.as_text(lines).splitlines()[1:]


@pytest.fixture
def called(monkeypatch):
    """Give the user, or the machine, a name, or an own folder."""

    def to(user="ada", host="laptop", home="/home/{}"):
        monkeypatch.setattr(doctor.Path, "home", lambda: Path(home.format(user)))
        monkeypatch.setattr(doctor.platform, "node", lambda: host)

    return to


def own_words():
    """Return all that the doctor may say of its own accord, and each word of it."""
    texts = [INSTALL, f"{doctor.OWN_PYTHON} tools/install.py", PIP + "cu128"]
    for file in WORDS:
        for _, text, *_ in extract_from_file("python", ROOT / file, keywords={"_": None}):
            texts.append(text)
    texts += [fix for _, fix in POISONS.values()]
    return texts, {word for text in texts for word in re.findall(r"[\w.@-]+|\w+", text)}


def test_no_name_of_a_user_or_machine_breaks_what_the_doctor_says_itself(called):
    """Users are called python, data or jupyter, and a machine lab2; a home may be the root."""
    texts, words = own_words()
    assert {"python", "jupyter", "data", "lab2", "tools", "venv"} <= words
    lines = [doctor.Line(text, "fail", doctor._(text), text, text) for text in texts]
    called()
    expected = doctor.as_text(lines)
    assert expected.count("-> ") >= len(texts)
    for word in words:
        called(word, word)
        assert doctor.as_text(lines) == expected, word
    for home in ("/", ".", "/venv", "/tools"):
        called(home=home)
        assert doctor.as_text(lines) == expected, home


SIGNS = st.characters(codec="utf-8", categories=["L", "N"], include_characters="-_.+ ")
MASKS = {"user", "host", "home", "lab", "environment", "there", *config.PROFILES, "en", "zh"}


@settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.text(SIGNS, min_size=1, max_size=12).filter(lambda n: n == n.strip(" .")), st.booleans())
def test_no_name_stands_in_what_was_found(called, name, of_the_host):
    assume(name not in MASKS)
    called("ada" if of_the_host else name, name if of_the_host else "laptop")
    path = "/home/{}/there" if not of_the_host else "/{}/there"
    values = [name, f"{name}.local", path.format(name), [name, name], f"({name})", Path("/") / name]
    values.append(doctor._("{inner!r}", inner=name))
    rows = told(*(doctor._("{value}", value=value) for value in values), name, fix=name)
    found = [row.removeprefix("fail x: ") for row in rows if row.startswith("fail")]
    assert len(found) == len(values) + 1 and rows[2] == f"     -> {name}"
    shown = re.escape(name)
    assert not [row for row in found if re.search(rf"(?a)(?<!\w){shown}(?!\w)", row)]


def test_a_machine_that_knows_no_home_gets_its_table(monkeypatch):
    def unknown():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(doctor.Path, "home", unknown)
    line = "There is no /x. Nor y, that is."
    assert told(line, fix="python doctor.py") == [
        *(f"fail x: {line}", "     because", "     -> python doctor.py")
    ]


@pytest.fixture
def barred(monkeypatch, tmp_path):
    """Make a folder that one may not enter, also for root, who may enter all."""
    folder, stat = tmp_path / "barred", os.stat
    folder.mkdir()

    def refuse(path, *arguments, **named):
        text = os.fsdecode(path) if isinstance(path, (str, bytes, os.PathLike)) else ""
        if text.startswith(f"{folder}{os.sep}"):
            raise PermissionError(errno.EACCES, "Permission denied", text)
        return stat(path, *arguments, **named)

    monkeypatch.setattr(os, "stat", refuse)
    return folder


@pytest.mark.parametrize("variable", ["LAB2_DATA", "LAB2_OUT", "LAB2_REVIEWS"])
@pytest.mark.parametrize("below", ["", "x", "x/y.csv"])
def test_a_variable_that_names_what_one_may_not_enter_is_named(
    monkeypatch, barred, variable, below
):
    """By the doctor, and by whatever asks for the place."""
    monkeypatch.setenv(variable, str(barred / below))
    ask_for = {"LAB2_DATA": config.data_folder, "LAB2_OUT": config.output_folder}
    with pytest.raises(LabError, match=f"{variable} names a place that you may not enter"):
        ask_for.get(variable, config.own_texts)()
    lines = doctor.run_checks([doctor.check_room, doctor.check_writing, doctor.check_settings])
    (bad,) = [line for line in lines if line.status != "ok"]
    assert bad.status == "fail" and bad.found.startswith(f"{variable} names a place")
    assert bad.fix == "Correct it, or unset it."


def test_own_texts_that_one_may_not_read_are_named(monkeypatch, tmp_path):
    (tmp_path / "mine.csv").touch()
    monkeypatch.setenv("LAB2_REVIEWS", str(tmp_path / "mine.csv"))
    monkeypatch.setattr(environment.os, "access", lambda path, mode: mode != os.R_OK)
    line = doctor.check_settings()[0]
    assert (line.status, line.found) == (
        *("fail", "LAB2_REVIEWS names mine.csv, which you may not read"),
    )


def test_a_check_that_fails_itself_says_so_and_the_rest_go_on():
    def check_luck():
        raise RuntimeError("no luck")

    luck, *rooms = doctor.run_checks([check_luck, doctor.check_room])
    assert luck.status == "warn" and "no luck" in luck.found and luck.name == "luck"
    assert len(rooms) == 4


@pytest.mark.parametrize("status, expected", [("ok", 0), ("warn", 0), ("fail", 1)])
def test_exit_status_tells_a_fail_from_a_warning(monkeypatch, capsys, status, expected):
    line = doctor.Line("x", status, "found", "because", "mend")
    monkeypatch.setattr(doctor, "run_checks", lambda: [line])
    assert doctor.main() == expected
    assert "found" in capsys.readouterr().out


def test_command_that_is_not_there_or_does_not_end():
    assert environment.run(["no-such-program"], 9, ROOT)[0] == 127
    sleeper = "import time; print('so far', flush=True); time.sleep(60)"
    code, output, _ = environment.run([sys.executable, "-c", sleeper], 2, ROOT)
    assert code == 124 and output.strip() == "so far"


@pytest.mark.parametrize(
    "system, fix",
    [
        ("Linux", "Install Python 3.11, 3.12 or 3.13, then the lab with it (README.md)"),
        ("Darwin", "brew install python@3.11, then install the lab with it (README.md)"),
        ("Windows", "Install Python 3.11 (64-bit) from python.org, then: py -3.11 -m venv .venv"),
    ],
)
@pytest.mark.parametrize("version", [(3, 8), (3, 14)])
def test_wrong_python(monkeypatch, version, system, fix):
    monkeypatch.setattr(doctor.platform, "system", lambda: system)
    monkeypatch.setattr(doctor.sys, "version_info", (*version, 0))
    line = only(doctor.check_python())
    assert line.status == "fail" and line.fix == fix


def test_python_of_32_bits(monkeypatch):
    monkeypatch.setattr(doctor.ctypes, "sizeof", lambda _: 4)
    line = only(doctor.check_python())
    assert line.status == "fail" and "32-bit" in line.found


def test_other_environment_is_active_in_the_terminal(monkeypatch, tmp_path):
    monkeypatch.setattr(doctor, "HERE", tmp_path)
    monkeypatch.delenv("VIRTUAL_ENV", raising=False)
    monkeypatch.setenv("CONDA_PREFIX", str(tmp_path / "pytorch-gpu"))
    line = only(doctor.check_terminal())
    assert line.status == "warn" and "the terminal has activated pytorch-gpu" in line.found
    for prefix in (tmp_path / "pytorch-gpu", tmp_path / ".venv"):  # the same, or that of `make`
        monkeypatch.setattr(doctor.sys, "prefix", str(prefix))
        assert only(doctor.check_terminal()).status == "ok"


OTHERS = "no kernel runs this interpreter; registered for others: "


@pytest.mark.parametrize(
    "program, status, found",
    [
        ("/usr/bin/python9", "warn", OTHERS + "lab2"),
        (sys.executable, "ok", "kernel lab2 runs this interpreter"),
        ("python", "ok", "kernel lab2 runs this interpreter"),  # Jupyter's own
        (None, "warn", OTHERS + "none"),
    ],
)
def test_kernels(monkeypatch, tmp_path, program, status, found):
    for name, text in {"lab2": json.dumps({"argv": [program]}), "broken": "{"}.items():
        (tmp_path / "kernels" / name).mkdir(parents=True)
        (tmp_path / "kernels" / name / "kernel.json").write_text(text if program else "{")
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path))
    # what Jupyter offers of its own accord is left out
    script = doctor.KERNELS.replace("in kernels.items()", "in kernels.items() if name == 'lab2'")
    monkeypatch.setattr(doctor, "KERNELS", script)
    line = only(doctor.check_kernel())
    assert (line.status, line.found) == (status, found)
    assert (status == "warn") == line.fix.startswith("python -m ipykernel install --user ")


def test_missing_and_wrong_packages(monkeypatch):
    have = {"torch": "1.10.2", "nbval": "0.11.0"}
    monkeypatch.setattr(doctor, "read_pins", lambda _: {"torch": "2.13.0", "nbval": "0.11.0"})
    monkeypatch.setattr(doctor, "installed", have.get)
    line = only(doctor.check_versions())
    assert (line.status, line.fix) == ("warn", INSTALL)
    assert line.found == "torch 1.10.2 instead of 2.13.0"
    have["nbval"] = "0.10.0"  # it does not start under this pytest
    assert only(doctor.check_versions()).found.endswith("; nbval 0.10.0 instead of 0.11.0")
    del have["nbval"]
    line = only(doctor.check_versions())
    assert line.status == "fail" and line.found.startswith("missing: nbval; torch")


def test_a_build_tag_is_not_another_version(monkeypatch):
    monkeypatch.setattr(doctor.metadata, "version", lambda _: "2.13.0+cpu")
    assert doctor.installed("torch") == "2.13.0"


@pytest.fixture
def stub(monkeypatch, tmp_path):
    """Put a package of our own before all others, in the processes that the doctor starts."""

    def make(code):
        (tmp_path / "joblib.py").write_text(code)
        monkeypatch.setenv("PYTHONPATH", str(tmp_path))
        monkeypatch.setattr(doctor, "IMPORTS", ("json", "joblib", "csv"))
        monkeypatch.setattr(doctor, "PLOT", "print('a plot')")
        return only(doctor.check_imports())

    return make


TORCHTEXT = ("a torchtext that was built for another", "python -m pip install torchtext==0.6.0")
POISONS = {
    "OMP: Error #15: Initializing libiomp5md.dll, but found libiomp5md.dll already initialized.\\n"
    "OMP: Hint This means that multiple copies": ("two OpenMP libraries", symptoms.NEW),
    "A module that was compiled using NumPy 1.x cannot be run in\\nNumPy 2.4.6": (
        "a package built for NumPy 1 beside NumPy 2",
        INSTALL,
    ),
    "libtorchtext.so: undefined symbol: _ZN5torch3jit17parseSchemaOrNameERKSs": TORCHTEXT,
    "cannot import name 'Field' from 'torchtext.data'": TORCHTEXT,
    "DLL load failed while importing _C: The specified module could not be found.": (
        "a Windows library is missing",
        "winget install Microsoft.VCRedist.2015+.x64",
    ),
    "version `GLIBC_2.28' not found": (
        "this Linux is older than the packages",
        "use a newer system",
    ),
    "[E941] Can't find model 'en'": ("a spaCy model is asked for", INSTALL),
    "No module named 'six'": ("a package is missing", INSTALL),
    "[Errno 28] No space left on device": ("the disk is full", "free some space, then: " + INSTALL),
    "[WinError 1455] The paging file is too small": ("no memory left", "close other programs"),
    "something that nobody has seen": ("ImportError", symptoms.NEW),
}


@pytest.mark.parametrize("message", POISONS)
def test_package_that_fails_on_import_is_named_with_its_cure(stub, message):
    meaning, fix = POISONS[message]
    line = stub(f'raise ImportError("{message}")')
    assert line.name == "import joblib" and line.status == "fail"
    assert line.found.startswith(meaning) and message[:30] in line.found
    assert "exit status" not in line.found and line.fix == fix


@pytest.mark.parametrize(
    "code, how",
    [
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "killed by the system"),
        ("import os; os.abort()", "crashed"),
        ("import os; os._exit(3)", "exit status 3"),
        ("raise SystemExit(0)", "exit status 0"),
    ],
)
def test_package_that_kills_the_process_is_named_and_the_rest_are_tried(stub, code, how):
    words = "import sys; print('OMP: Error #15: two of them', file=sys.stderr, flush=True)\n"
    line = stub(words + code)
    assert line.name == "import joblib" and "OMP: Error #15" in line.found and how in line.found


def test_kernel_that_dies_at_each_plot(monkeypatch):
    poisoned = doctor.PLOT.replace("plt.plot([0, 1])", "import os; os.abort()")
    monkeypatch.setattr(doctor, "PLOT", poisoned)
    monkeypatch.setattr(doctor, "IMPORTS", ("numpy",))
    line = only(doctor.check_imports())
    assert line.name == "plot after torch" and "crashed" in line.found


def test_import_that_never_ends_is_named_and_the_rest_are_tried(monkeypatch):
    endless = {"a": "print(1)", "b": "import time; time.sleep(60)", "c": "print(1)"}
    run = environment.run
    monkeypatch.setattr(environment, "run", lambda command, _, folder: run(command, 2, folder))
    assert doctor.try_all(endless) == {"b": ("no answer", 124)}


CPU = {"version": "2.13.0+cpu", "cuda": None, "works": False, "error": ""}
CUDA = {**CPU, "version": "2.13.0+cu128", "cuda": "12.8"}
FINE = {**CUDA, "works": True, "capability": [8, 6], "architectures": ["sm_86"]}
OLD = {**FINE, "works": False, "capability": [6, 1], "error": "no kernel image is available"}
BROKEN = {**FINE, "works": False, "error": "unspecified launch failure"}
NEWER = "Install a newer NVIDIA driver"
SMI = "| NVIDIA-SMI 550.54   Driver Version: 550.54   CUDA Version: {}  |"
PIP = (
    "python -m pip install --force-reinstall --no-cache-dir torch==2.13.0 "
    "--index-url https://download.pytorch.org/whl/"
)


@pytest.mark.parametrize(
    "facts, driver, status, found, fix",
    [
        (CPU, None, "ok", "no NVIDIA device, so the CPU build is right", ""),
        (CUDA, None, "ok", "no NVIDIA device answers; this build computes on the CPU", ""),
        (FINE, "12.8", "ok", "NVIDIA RTX, driver 550.54, CUDA 12.8: it computes", ""),
        (CPU, 12060, "warn", "driver of unknown version, but torch is a CPU", PIP + "cu126"),
        (CPU, "12.6", "warn", "RTX, driver 550.54, but torch is a CPU build", PIP + "cu126"),
        (CPU, "12.9", "warn", "but torch is a CPU build", PIP + "cu128"),
        (CPU, "13.2", "warn", "but torch is a CPU build", PIP + "cu130"),
        (CUDA, "10.1", "warn", "too old: it supports CUDA 10.1, torch needs 12.8", f"{NEWER}: the"),
        (CUDA, "12.6", "warn", "driver too old", f"{NEWER}, or: {PIP}cu126"),
        (CUDA, "N/A", "warn", "does not compute: torch sees no GPU", "Restart the machine"),
        (OLD, "12.8", "warn", "capability 6.1, for which this torch has no code", PIP + "cu126"),
        (BROKEN, "12.8", "warn", "compute: unspecified launch failure", "Restart the machine"),
    ],
)
def test_verdict_on_the_gpu(monkeypatch, facts, driver, status, found, fix):
    def run(command, seconds, folder):
        if not isinstance(driver, str):
            return 127, "", "not found"
        return 0, "NVIDIA RTX\n" if len(command) > 1 else SMI.format(driver), ""

    monkeypatch.setattr(environment, "run", run)
    monkeypatch.setattr(environment, "library_cuda", lambda: driver or 0)
    line = symptoms.gpu_verdict(facts, environment.nvidia_driver())
    assert line.status == status and found in line.found
    assert line.fix.startswith(fix) and bool(line.fix) == bool(fix)


def test_torch_that_cannot_be_asked(monkeypatch):
    monkeypatch.setattr(environment, "run", lambda *_: (-6, "", "Aborted"))
    line = only(doctor.check_torch())
    assert (line.status, line.fix) == ("fail", INSTALL)


@pytest.mark.parametrize(
    "full, fix",
    [
        ("environment", "Free some space: python -m pip cache purge"),
        ("temporary files", "Free some space, or set TMPDIR (Windows: TEMP)"),
        ("data", "Free some space, or set LAB2_DATA to another folder"),
        ("results", "Free some space, or set LAB2_OUT to another folder"),
    ],
)
def test_full_disks(monkeypatch, tmp_path, full, fix):
    """A folder that has still to be made lies on the disk of the nearest one above it."""
    places = {"environment": sys.prefix, "temporary files": "/t"}
    for name, variable in {"data": "LAB2_DATA", "results": "LAB2_OUT"}.items():
        (tmp_path / name).mkdir()
        places[name] = str(tmp_path / name)
        monkeypatch.setenv(variable, str(tmp_path / name / "to" / "come"))
    monkeypatch.setattr(doctor.tempfile, "gettempdir", lambda: places["temporary files"])
    monkeypatch.setattr(doctor, "installed", lambda _: None)  # nothing is installed yet
    usage = {place: SimpleNamespace(free=50e9) for place in places.values()}
    usage[places[full]].free = 0.1e9
    monkeypatch.setattr(doctor.shutil, "disk_usage", usage.__getitem__)
    bad = only([line for line in doctor.check_room() if line.status != "ok"])
    assert (bad.name, bad.status, bad.fix) == ("room: " + full, "fail", fix)
    assert bad.found.startswith("0.1 GB free")


@pytest.mark.parametrize("limit, status", [("2000000000", "warn"), ("max", "ok"), (None, "ok")])
@pytest.mark.parametrize("group", ["user.slice/job.scope", "user.slice", ""])
def test_a_group_with_little_memory(monkeypatch, tmp_path, limit, status, group):
    """The group of this process counts, and each above it, as systemd or Slurm set them."""
    (tmp_path / "proc/self").mkdir(parents=True)
    (tmp_path / "proc/self/cgroup").write_text("0::/user.slice/job.scope\n")
    (tmp_path / "sys/fs/cgroup/user.slice/job.scope").mkdir(parents=True)
    if limit:
        (tmp_path / "sys/fs/cgroup" / group / "memory.max").write_text(f"{limit}\n")
    known = environment.memory_limit(tmp_path)
    assert known == (2_000_000_000 if status == "warn" else None)
    sizes = {"SC_PAGE_SIZE": 4096, "SC_PHYS_PAGES": 4_000_000}
    monkeypatch.setattr(doctor.os, "sysconf", sizes.__getitem__)
    monkeypatch.setattr(environment, "memory_limit", lambda: known)
    assert only(doctor.check_memory()).status == status


def test_memory_that_cannot_be_known(monkeypatch):
    monkeypatch.delattr(doctor.os, "sysconf")
    line = only(doctor.check_memory())
    assert (line.status, line.found) == ("ok", "not known on this system")


AS_TYPED = ("random.py", "gettext.py")  # faults in the way of what the doctor itself imports
# a fault, made on purpose: the line of the table that it gives, and the step that mends it
FAULTS = {
    "random.py": ("names", "beside the notebook lies random.py, called like", "Rename random.py."),
    "gettext.py": ("names", "beside the notebook lies gettext.py", "Rename gettext.py."),
    "torch.py": ("names", "beside the notebook lies torch.py, called like", "Rename torch.py."),
    "seaborn.py": ("names", "lies seaborn.py", "Rename seaborn.py."),
    "torch/__init__.py": ("names", "beside the notebook lies torch, called", "Rename torch."),
    "LAB2_PROFILE=Quick": ("settings", "Unknown profile 'Quick'", "Correct it, or unset it."),
    "LAB2_DEVICE=gpu": ("settings", "LAB2_DEVICE is 'gpu'", "Correct it, or unset it."),
    "LAB2_REVIEWS=mine.csv": (
        "settings",
        "names mine.csv, and there is no",
        "Correct LAB2_REVIEWS",
    ),
    "PYTHONPATH=other": ("names", "PYTHONPATH names a folder with another", "Unset PYTHONPATH"),
    "PYTHONSAFEPATH=1": ("settings", "PYTHONSAFEPATH is set", "Unset it"),
    "LAB2_TOKENS=chinese": ("settings", "LAB2_TOKENS=chinese is not known", "Correct it"),
    **{
        f"data/glove.6B.{name}": ("data", f"of the package; not read: glove.6B.{name}", "A file of")
        for name in ("100d (1).txt", "100d.txt.crdownload", "42d.txt", "zip")
    },
}


def faulty(tmp_path, fault, **more):
    """Let the doctor look at a folder with a fault, and ask nothing that takes long; what came."""
    copy_doctor(tmp_path)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "utils.py").touch()
    variables = {n: v for n, v in os.environ.items() if not n.startswith(("LAB2_", "PYTHONPATH"))}
    variables |= more
    if "=" not in fault:
        (tmp_path / fault).parent.mkdir(exist_ok=True)
        (tmp_path / fault).write_text("raise SystemExit('the wrong file')")
    else:
        variables |= [fault.split("=")]
    quick = "doctor.run_checks.__defaults__ = ((doctor.check_settings,),); sys.exit(doctor.main())"
    script = f"import sys; sys.path.append(sys.argv[1]); import doctor; {quick}"
    command = [sys.executable, "-I", "-c", script, str(tmp_path)]
    if fault in AS_TYPED:  # Python puts the folder first
        command = [sys.executable, str(tmp_path / "doctor.py")]
    coding = variables.get("PYTHONIOENCODING", "utf-8")
    return subprocess.run(
        command, cwd=tmp_path, capture_output=True, encoding=coding, env=variables
    )


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_made_on_purpose_is_named_before_it_hurts(tmp_path, fault):
    done = faulty(tmp_path, fault)
    name, found, fix = FAULTS[fault]
    assert name in done.stdout and found in done.stdout and f"-> {fix}" in done.stdout, done
    assert done.returncode == ("fail" in done.stdout) and "Traceback" not in done.stderr


WORDS = ("doctor.py", "lab/environment.py", "lab/symptoms.py", "lab/config.py")


@pytest.fixture
def mock(tmp_path):
    """Put two languages into the doctor's folder in which each text stands in brackets."""
    for language, brackets in {"xx": "«{}»", "yy": "【{}】"}.items():
        catalogue = Catalog()
        for file in WORDS:
            for _, text, *_ in extract_from_file("python", ROOT / file, keywords={"_": None}):
                catalogue.add(text, brackets.replace("{}", text))
        target = tmp_path / "translations" / language / "LC_MESSAGES" / "lab.mo"
        target.parent.mkdir(parents=True)
        with target.open("wb") as file:
            write_mo(file, catalogue)
    return {"LAB2_LANGUAGE": "xx", "PYTHONIOENCODING": "utf-8"}


@pytest.mark.parametrize("fault", FAULTS)
def test_all_that_it_says_is_in_the_reader_s_language(tmp_path, mock, fault):
    """But for commands: a part of each line that has no translation stands in no brackets."""
    head, *rows = faulty(tmp_path, fault, **mock).stdout.splitlines()
    assert len(rows) > 2 and outside(head).strip() == ""
    for row in rows:
        if row.startswith("«"):
            assert re.fullmatch("(ok|warn|fail) *: *", outside(row[1:-1])), row
        else:
            assert outside(row).strip() in ("", "->"), row


@pytest.mark.parametrize("coding", ["ascii", "cp1252", "gbk"])
def test_a_console_without_the_letters_of_the_language_hears_english(tmp_path, mock, coding):
    other = {"LAB2_LANGUAGE": "yy", "PYTHONIOENCODING": coding}
    done = faulty(tmp_path, "random.py", **mock | other)
    assert done.returncode == 1 and done.stderr == "" and "random.py" in done.stdout
    assert done.stdout.startswith("【" if coding == "gbk" else "lab2 doctor, ")


@pytest.mark.parametrize("content", [b"", b"PK", b"\xde\x12\x04\x95" + bytes(30)])
def test_a_damaged_catalogue_hides_no_fault(tmp_path, mock, content):
    next(tmp_path.rglob("xx/*/lab.mo")).write_bytes(content)
    found = faulty(tmp_path, "LAB2_PROFILE=Quick", **mock)
    assert "Unknown profile 'Quick'" in found.stdout and found.stderr == ""


@pytest.mark.parametrize(
    "lessons, language",
    [
        ({"lab2.ipynb": None}, "en"),
        ({"lab2.ipynb": "zh"}, "zh"),  # the student's edition in Chinese
        ({"lab2.zh.ipynb": "zh"}, "zh"),
        ({"lab2.ipynb": None, "lab2.zh.ipynb": "zh"}, "en"),
        ({"lab2-张三.ipynb": "zh", "lab2 (1).ipynb": "zh"}, "zh"),
        ({"lab2-a.ipynb": "zh", "lab2-b.ipynb": None}, "en"),
        ({"lab2.ipynb": "no such"}, "en"),
        ({"lab2.ipynb": "../zh/../zh"}, "en"),
        ({}, "en"),
    ],
)
def test_the_language_is_that_of_the_lesson_in_the_folder(tmp_path, monkeypatch, lessons, language):
    for name, one in lessons.items():
        content = {"cells": [], "metadata": {"lab2": {"language": one} if one else {}}}
        (tmp_path / name).write_text(json.dumps(content))
    assert config.lesson_language(tmp_path) == language
    monkeypatch.setattr(config, "lesson_language", lambda _: "zh")
    monkeypatch.delenv("LAB2_LANGUAGE", raising=False)
    assert config.language() == "zh"
    monkeypatch.setenv("LAB2_LANGUAGE", "en")
    assert config.language() == "en"


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b"\xff\xfe", b'{"metadata": {"lab2": 1}}'])
def test_a_damaged_lesson_is_english(tmp_path, content):
    (tmp_path / "lab2.ipynb").write_bytes(content)
    assert config.lesson_language(tmp_path) == "en"


def test_a_kernel_that_is_gone_hides_no_other(monkeypatch, tmp_path):
    (tmp_path / "kernels" / "python3").mkdir(parents=True)
    gone = json.dumps({"argv": [str(tmp_path / "gone" / "python")], "display_name": "old"})
    (tmp_path / "kernels" / "python3" / "kernel.json").write_text(gone)
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path))
    line = only(doctor.check_kernel())
    assert line.status == "fail" and "is not there any more" in line.found
    assert "JUPYTER_PATH" in line.fix


@pytest.mark.parametrize("check", [doctor.check_imports, doctor.check_torch, doctor.check_kernel])
def test_what_is_slow_is_not_called_broken(monkeypatch, check):
    """The first import from a network disk takes minutes: nothing is to be installed for that."""
    monkeypatch.setattr(environment, "run", lambda *_: (environment.SLOW, "", "no answer"))
    for line in check():
        assert line.status == "warn" and "slow disk" in line.found and line.fix == doctor.AGAIN


def test_a_temporary_folder_that_joblib_cannot_name_is_named(monkeypatch):
    monkeypatch.setattr(environment, "workers_folder", lambda: (False, None))
    assert "JOBLIB_TEMP_FOLDER" in doctor.check_settings()[0].fix


@pytest.mark.parametrize(
    "folder, found",
    [
        ("course/lab2-1", "lab2-1"),
        ("course/lab2-1/further/deep", "lab2-1"),  # papermill from a folder in it
        ("course/lab2-1/lab2-2", "lab2-2"),  # an archive that was unpacked in an older one
        ("other", "lab2-3"),  # Colab, VS Code: the folder above is open
        ("course", ""),  # two of them
        ("elsewhere/else", ""),
    ],
)
def test_the_first_cell_finds_the_lab_or_says_one_sentence(tmp_path, notebook, folder, found):
    for lab in ("course/lab2-1", "course/lab2-0", "course/lab2-1/lab2-2", "other/lab2-3"):
        (tmp_path / lab).mkdir(parents=True)
        (tmp_path / lab / "doctor.py").write_text(
            "from pathlib import Path\nas_text = str\n"
            "def run_checks(): return Path().resolve().name\n"
        )
    (tmp_path / folder).mkdir(parents=True, exist_ok=True)
    cell = next(cell.source for cell in notebook.cells if cell.id == "doctor")
    done = subprocess.run(
        [sys.executable, "-I", "-c", cell], cwd=tmp_path / folder, capture_output=True, text=True
    )
    assert done.stdout.strip() == found and bool(done.stderr) != bool(found)
    if not found:
        last = done.stderr.splitlines()[-1]
        assert last.startswith("FileNotFoundError: The lab's files are not in ")
        assert "During handling" not in done.stderr
