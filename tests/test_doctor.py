"""The doctor before sick environments: each is simulated, and its words are compared."""

import ast
import json
import os
import subprocess
import sys
import venv
from pathlib import Path
from types import SimpleNamespace

import pytest

import doctor

ROOT = Path(__file__).parents[1]
INSTALL = "python -m pip install -r requirements.txt -c constraints.txt"


def only(lines):
    (line,) = lines
    return line


def named(lines, name):
    return next(line for line in lines if line.name == name)


@pytest.fixture
def system(monkeypatch):
    """Make the doctor believe in another operating system."""
    return lambda name: monkeypatch.setattr(doctor.platform, "system", lambda: name)


@pytest.fixture
def commands(monkeypatch):
    """Answer commands by their first word: {"nvidia-smi": (status, output, errors)}."""

    def answer(answers):
        def run(command, seconds=60.0):
            first = Path(command[0]).name
            return answers.get(first, (127, "", "not found"))

        monkeypatch.setattr(doctor, "run", run)

    return answer


# ── the program itself ──────────────────────────────────────────────────────────────────────────


def test_oldest_grammar_reads_it_and_it_needs_nothing():
    tree = ast.parse((ROOT / "doctor.py").read_text(encoding="utf-8"), feature_version=(3, 8))
    for node in ast.walk(tree):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else [node.module]
            assert all(name.split(".")[0] in {*sys.stdlib_module_names, "lab"} for name in names)


def test_it_runs_without_any_package_and_explains(tmp_path):
    venv.create(tmp_path, with_pip=False)
    python = tmp_path / ("Scripts" if os.name == "nt" else "bin") / "python"
    command = [str(python), "doctor.py", "--json"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    lines = {line["name"]: line for line in json.loads(done.stdout)}
    assert done.returncode == 1
    assert lines["versions"]["status"] == "fail" and "missing: torch" in lines["versions"]["found"]
    assert lines["versions"]["fix"] == INSTALL
    assert lines["torch"]["fix"] == lines["import a plot after torch"]["fix"] == INSTALL
    assert set(lines["versions"]) == {"name", "status", "found", "why", "fix"}


def test_this_environment_is_well():
    lines = {line.name: line for line in doctor.run_checks()}
    for name in ("python", "versions", "imports", "torch", "tokenizer", "reviews"):
        assert lines[name].status == "ok", lines[name]
    assert "torch 2.13.0" in lines["torch"].found


def test_block_names_no_user_no_host_and_no_path(monkeypatch, tmp_path):
    monkeypatch.setattr(doctor.platform, "node", lambda: "ada-laptop")
    monkeypatch.setattr(doctor.Path, "home", lambda: Path("/home/ada"))
    found = f"in /home/ada/lab of ada-laptop by ada, {doctor.HERE}, {sys.prefix}"
    text = doctor.as_text([doctor.Line("x", "fail", found, "why", "do it")])
    assert "ada" not in text and str(doctor.HERE) not in text and sys.prefix not in text
    assert "-> do it" in text


def test_a_check_that_fails_itself_says_so_and_the_rest_go_on(monkeypatch):
    def check_luck():
        raise RuntimeError("no luck")

    luck, *rooms = doctor.run_checks([check_luck, doctor.check_room])
    assert luck.status == "warn" and "no luck" in luck.found and luck.name == "luck"
    assert len(rooms) == 3


def test_exit_status_tells_a_fail_from_a_warning(monkeypatch, capsys):
    for status, expected in (("ok", 0), ("warn", 0), ("fail", 1)):
        line = doctor.Line("x", status, "found", "because", "mend")
        monkeypatch.setattr(doctor, "run_checks", lambda checks=None, line=line: [line])
        assert doctor.main([]) == expected
        assert "found" in capsys.readouterr().out


# ── interpreter and kernel ──────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "name, fix",
    [
        ("Linux", "Install Python 3.11, 3.12 or 3.13, then the lab with it (README.md)"),
        ("Darwin", "brew install python@3.11, then install the lab with it (README.md)"),
        ("Windows", "Install Python 3.11 (64-bit) from python.org, then: py -3.11 -m venv .venv"),
    ],
)
@pytest.mark.parametrize("version", [(3, 8), (3, 14)])
def test_wrong_python(monkeypatch, system, version, name, fix):
    system(name)
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


def kernel(folder, name, *argv):
    (folder / name).mkdir(parents=True)
    (folder / name / "kernel.json").write_text(json.dumps({"argv": list(argv)}))


@pytest.mark.parametrize("name, quote", [("Linux", "'"), ("Windows", '"')])
def test_kernel_of_another_interpreter(monkeypatch, system, tmp_path, name, quote):
    system(name)
    kernel(tmp_path, "python3", "/usr/bin/python3", "-m", "ipykernel_launcher")
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "kernel.json").write_text("{")
    monkeypatch.setattr(doctor, "kernel_folders", lambda: [tmp_path])
    line = only(doctor.check_kernel())
    assert line.status == "warn"
    assert line.found == (
        "no kernel runs this interpreter; registered for others: broken (unreadable), python3"
    )
    register = "python -m ipykernel install --user --name lab2 --display-name "
    choose = ", then choose the kernel 'Python (lab2)' in JupyterLab"
    assert line.fix == f"{register}{quote}Python (lab2){quote}{choose}"


def test_kernel_of_this_interpreter(monkeypatch, tmp_path):
    kernel(tmp_path, "lab2", sys.executable, "-m", "ipykernel_launcher")
    monkeypatch.setattr(doctor, "kernel_folders", lambda: [tmp_path])
    line = only(doctor.check_kernel())
    assert line.status == "ok" and line.found == "kernel lab2 runs this interpreter"


def test_no_kernel_at_all(monkeypatch, tmp_path):
    monkeypatch.setattr(doctor, "kernel_folders", lambda: [tmp_path / "none"])
    assert only(doctor.check_kernel()).found == "no kernel runs this interpreter"


# ── packages ────────────────────────────────────────────────────────────────────────────────────


def test_missing_and_wrong_packages(monkeypatch):
    have = {"torch": "1.10.2", "numpy": "2.4.6"}
    monkeypatch.setattr(doctor, "read_pins", lambda _: {"torch": "2.13.0", "numpy": "2.4.6"})
    monkeypatch.setattr(doctor, "installed", have.get)
    line = only(doctor.check_versions())
    assert (line.status, line.fix) == ("warn", INSTALL)
    assert line.found == "torch 1.10.2 instead of 2.13.0"
    del have["numpy"]
    line = only(doctor.check_versions())
    assert line.status == "fail" and line.found.startswith("missing: numpy; torch")


def test_a_build_tag_is_not_another_version(monkeypatch):
    monkeypatch.setattr(doctor.metadata, "version", lambda _: "2.13.0+cpu")
    assert doctor.installed("torch") == "2.13.0"


@pytest.fixture
def stub(monkeypatch, tmp_path):
    """Put a package of our own before all others, in the processes that the doctor starts."""

    def make(code, name="joblib"):
        (tmp_path / (name + ".py")).write_text(code)
        monkeypatch.setenv("PYTHONPATH", str(tmp_path))
        monkeypatch.setattr(doctor, "IMPORTS", ("json", name, "csv"))
        monkeypatch.setattr(doctor, "PLOT", "string")
        monkeypatch.setattr(doctor, "metadata_has", lambda _: True)
        return only(doctor.check_imports())

    return make


POISONS = {
    "OMP: Error #15: Initializing libiomp5md.dll, but found libiomp5md.dll already initialized.": (
        "two OpenMP libraries",
        "make a new environment in which all packages come from pip: conda env create -f "
        "environment.yml",
    ),
    "A module that was compiled using NumPy 1.x cannot be run in NumPy 2.4.6": (
        "a package built for NumPy 1 beside NumPy 2",
        INSTALL,
    ),
    "libtorchtext.so: undefined symbol: _ZN5torch3jit17parseSchemaOrNameERKSs": (
        "a torchtext that was built for another torch",
        "python -m pip install torchtext==0.6.0",
    ),
    "cannot import name 'Field' from 'torchtext.data'": (
        "a torchtext without the interface",
        "python -m pip install torchtext==0.6.0",
    ),
    "DLL load failed while importing _C: The specified module could not be found.": (
        "a Windows library is missing",
        "winget install Microsoft.VCRedist.2015+.x64",
    ),
    "version `GLIBC_2.28' not found": (
        "this Linux is older than the packages",
        "use a newer system or container, or conda: conda env create -f environment.yml",
    ),
    "[E941] Can't find model 'en'": ("a spaCy model is asked for", INSTALL),
    "No module named 'six'": ("a package is missing", INSTALL),
    "[Errno 28] No space left on device": (
        "the disk is full",
        "free some space, then: " + INSTALL,
    ),
    "[WinError 1455] The paging file is too small": (
        "not enough memory",
        "close other programs, or restart the kernel",
    ),
    "something that nobody has seen": (
        "",
        "python -m pip install --force-reinstall -r requirements.txt -c constraints.txt",
    ),
}


@pytest.mark.parametrize("message", POISONS)
def test_package_that_fails_on_import_is_named_with_its_cure(stub, message):
    meaning, fix = POISONS[message]
    line = stub(f"raise ImportError({message!r})")
    assert line.name == "import joblib" and line.status == "fail"
    assert line.found.startswith(meaning) and message[:30] in line.found
    assert line.fix == fix


@pytest.mark.parametrize(
    "code, how",
    [
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "killed by the system"),
        ("import os; os.abort()", "crashed"),
        ("import os; os._exit(3)", "exit status 3"),
    ],
)
def test_package_that_kills_the_process_is_named_and_the_rest_are_tried(stub, code, how):
    said = "import sys; print('OMP: Error #15: two of them', file=sys.stderr, flush=True)\n"
    line = stub(said + code)
    assert line.name == "import joblib" and "OMP: Error #15" in line.found and how in line.found


def test_kernel_that_dies_at_each_plot(monkeypatch):
    poisoned = doctor.IMPORTER.replace("plt.plot([0, 1])", "os.abort()")
    monkeypatch.setattr(doctor, "IMPORTER", poisoned)
    monkeypatch.setattr(doctor, "IMPORTS", ("numpy",))
    line = only(doctor.check_imports())
    assert line.name == "import a plot after torch" and "crashed" in line.found


def test_import_that_never_ends(monkeypatch):
    monkeypatch.setattr(doctor, "run", lambda *_: (124, "try numpy\n", "no answer within 120 s"))
    assert doctor.try_imports(["numpy"]) == {
        "numpy": "no answer within 120 s [the process died: took too long]"
    }


# ── torch and the GPU ───────────────────────────────────────────────────────────────────────────

CPU = {"version": "2.13.0+cpu", "cuda": None, "available": False, "works": False, "error": ""}
CUDA = {**CPU, "version": "2.13.0+cu128", "cuda": "12.8"}
FINE = {**CUDA, "available": True, "works": True, "capability": [8, 6], "architectures": ["sm_86"]}
SMI = """| NVIDIA-SMI 550.54   Driver Version: 550.54   CUDA Version: {}  |"""


def smi(cuda):
    return {"nvidia-smi": (0, SMI.format(cuda), "")}


def pip_cuda(tag):
    return (
        "python -m pip install --force-reinstall --no-cache-dir torch==2.13.0 "
        "--index-url https://download.pytorch.org/whl/" + tag
    )


def test_no_device_so_the_cpu_build_is_right(monkeypatch, commands):
    commands({})
    monkeypatch.setattr(doctor, "library_cuda", lambda: None)
    line = doctor.gpu_verdict(CPU, doctor.find_driver())
    assert (line.status, line.found) == ("ok", "no NVIDIA device, so the CPU build is right")
    line = doctor.gpu_verdict(CUDA, None)
    assert line.status == "ok" and "computes on the CPU" in line.found


@pytest.mark.parametrize("cuda, tag", [("12.6", "cu126"), ("12.9", "cu128"), ("13.2", "cu130")])
def test_device_but_cpu_build(commands, cuda, tag):
    commands(smi(cuda))
    line = doctor.gpu_verdict(CPU, doctor.find_driver())
    assert line.status == "warn" and "but torch is a CPU build" in line.found
    assert "driver 550.54" in line.found and line.fix == pip_cuda(tag)


def test_device_found_by_the_library_alone(monkeypatch, commands):
    commands({})
    monkeypatch.setattr(doctor, "library_cuda", lambda: 12060)
    assert doctor.find_driver().cuda == (12, 6)
    assert doctor.gpu_verdict(CPU, doctor.find_driver()).fix == pip_cuda("cu126")


def test_driver_too_old_for_any_build(commands):
    commands(smi("10.1"))
    line = doctor.gpu_verdict(CUDA, doctor.find_driver())
    assert line.status == "warn"
    assert "supports CUDA up to 10.1, torch was built for 12.8: driver too old" in line.found
    assert line.fix == (
        "Install a newer NVIDIA driver: the oldest CUDA build of this torch needs CUDA 12.6."
    )


def test_driver_too_old_for_this_build(commands):
    commands(smi("12.6"))
    line = doctor.gpu_verdict(CUDA, doctor.find_driver())
    assert "driver too old" in line.found
    assert line.fix == "Install a newer NVIDIA driver, or: " + pip_cuda("cu126")


def test_all_right(commands):
    commands(smi("12.8"))
    line = doctor.gpu_verdict(FINE, doctor.find_driver())
    assert (line.status, line.fix) == ("ok", "") and line.found.endswith("CUDA 12.8: it computes")


def test_device_too_old_for_this_build(commands):
    commands(smi("12.8"))
    old = {**FINE, "works": False, "capability": [6, 1], "error": "no kernel image is available"}
    line = doctor.gpu_verdict(old, doctor.find_driver())
    assert "compute capability 6.1, for which this torch has no code" in line.found
    assert line.fix == pip_cuda("cu126")


def test_device_that_does_not_compute(commands):
    commands(smi("12.8"))
    line = doctor.gpu_verdict(
        {**FINE, "works": False, "error": "unspecified launch failure"}, doctor.find_driver()
    )
    assert "does not compute: unspecified launch failure" in line.found
    assert line.fix.startswith("Restart the machine")


def test_windows_server_is_named_as_a_cause_to_look_at(monkeypatch, commands):
    monkeypatch.setattr(doctor.platform, "platform", lambda: "Windows-2019Server-10.0.17763-SP0")
    commands(smi("10.1"))
    line = doctor.gpu_verdict(CUDA, doctor.find_driver())
    assert "This is Windows Server" in line.found and "look there first" in line.found


def test_torch_that_cannot_be_asked(monkeypatch):
    monkeypatch.setattr(doctor, "run", lambda *_: (-6, "", "Aborted"))
    line = only(doctor.check_torch())
    assert (line.status, line.fix) == ("fail", INSTALL)


# ── the machine ─────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "full, fix",
    [
        ("environment", "Free some space: python -m pip cache purge"),
        ("temporary files", "Free some space, or name another folder: set TMPDIR (Windows: TEMP)"),
        ("data", "Free some space, or name another folder: set LAB2_DATA"),
    ],
)
def test_full_disks(monkeypatch, tmp_path, full, fix):
    places = {
        "environment": sys.prefix,
        "temporary files": str(tmp_path / "tmp"),
        "data": str(tmp_path / "data"),
    }
    (tmp_path / "data").mkdir()
    monkeypatch.setenv("LAB2_DATA", places["data"])
    monkeypatch.setattr(doctor.tempfile, "gettempdir", lambda: places["temporary files"])
    monkeypatch.setattr(doctor, "installed", lambda _: None)  # nothing is installed yet
    usage = {place: SimpleNamespace(free=50e9) for place in places.values()}
    usage[places[full]].free = 0.4e9
    monkeypatch.setattr(doctor.shutil, "disk_usage", usage.__getitem__)
    lines = doctor.check_room()
    bad = only([line for line in lines if line.status != "ok"])
    assert (bad.name, bad.status, bad.fix) == ("room: " + full, "fail", fix)
    assert bad.found.startswith("0.4 GB free")


@pytest.mark.parametrize("limit, status", [("2000000000\n", "warn"), ("max\n", "ok")])
def test_container_with_little_memory(monkeypatch, limit, status):
    sizes = {"SC_PAGE_SIZE": 4096, "SC_PHYS_PAGES": 4_000_000}
    monkeypatch.setattr(doctor.os, "sysconf", sizes.__getitem__)
    monkeypatch.setattr(doctor, "read_text", lambda path: limit if "memory.max" in path else "")
    assert only(doctor.check_memory()).status == status


def test_memory_that_cannot_be_known(monkeypatch):
    monkeypatch.delattr(doctor.os, "sysconf")
    line = only(doctor.check_memory())
    assert (line.status, line.found) == ("ok", "not known on this system")


def test_container_with_half_a_core(monkeypatch):
    monkeypatch.setattr(doctor, "read_text", lambda _: "50000 100000\n")
    monkeypatch.setattr(doctor.os, "cpu_count", lambda: 64)
    line = named(doctor.check_cores(), "cores")
    assert line.status == "warn" and line.found == "0.5 granted of 64 that torch may see"


def test_cores_that_others_keep_busy(monkeypatch):
    monkeypatch.setattr(doctor, "granted_cores", lambda: 2.0)
    monkeypatch.setattr(doctor.os, "getloadavg", lambda: (7.3, 0, 0))
    line = named(doctor.check_cores(), "load")
    assert line.status == "warn" and line.found.startswith("7.3 processes")
    assert line.fix.startswith("Wait until other programs are done")


# ── data and tools ──────────────────────────────────────────────────────────────────────────────


def test_half_unpacked_reviews(monkeypatch, tmp_path):
    for name in ("neg", "pos"):
        (tmp_path / "aclImdb" / "train" / name).mkdir(parents=True)
    (tmp_path / "aclImdb" / "train" / "neg" / "0_1.txt").write_text("x")
    monkeypatch.setenv("LAB2_DATA", str(tmp_path))
    line = named(doctor.check_data(), "reviews")
    assert (line.status, line.found) == ("fail", "aclImdb: 1 negative and 0 positive in train")
    assert line.fix.startswith("Unpack aclImdb_v1.tar.gz again")


def test_no_reviews_and_no_vectors(monkeypatch, tmp_path):
    monkeypatch.setenv("LAB2_DATA", str(tmp_path))
    monkeypatch.setattr(doctor, "installed", lambda _: None)
    lines = doctor.check_data()
    assert [(line.status, line.fix) for line in lines] == [("fail", INSTALL)] * 2
    (tmp_path / "glove.6B.100d.txt").touch()
    assert named(doctor.check_data(), "vectors").found == "glove.6B.100d.txt"


def test_tokenizer_of_another_version(monkeypatch):
    monkeypatch.setattr(doctor, "run", lambda *_: (0, 'tokens [["Do", "not"]]\n', ""))
    line = only(doctor.check_tokenizer())
    assert line.status == "fail" and line.found == "three sentences cut differently"
    monkeypatch.setattr(doctor, "run", lambda *_: (1, "", "No module named 'spacy'"))
    assert only(doctor.check_tokenizer()).found == "No module named 'spacy'"


def test_nbval_that_does_not_start_under_this_pytest(monkeypatch):
    versions = {"pytest": "9.2.0", "nbval": "0.10.0", "pypandoc_binary": "1", "typst": "1"}
    monkeypatch.setattr(doctor, "installed", versions.get)
    line = only(doctor.check_tools())
    assert (line.status, line.fix) == ("warn", INSTALL) and "nbval 0.10.0" in line.found


def test_no_pdf_tool(monkeypatch):
    versions = {"pytest": "9.2.0", "nbval": "0.11.0", "pypandoc_binary": "1"}
    monkeypatch.setattr(doctor, "installed", versions.get)
    assert "typst missing" in only(doctor.check_tools()).found


@pytest.mark.parametrize(
    "file, status", [("NotoSansCJK-Regular.ttc", "ok"), ("DejaVuSans.ttf", "warn")]
)
def test_fonts(monkeypatch, system, tmp_path, file, status):
    system("Linux")
    (tmp_path / file).touch()
    monkeypatch.setattr(doctor, "FONT_FOLDERS", {"Linux": (str(tmp_path), "/nowhere")})
    monkeypatch.setattr(doctor, "installed", lambda _: None)  # the package that brings one
    line = only(doctor.check_fonts())
    assert line.status == status
    assert line.fix == ("" if status == "ok" else "sudo apt install fonts-noto-cjk")


def test_command_that_is_not_there_or_does_not_end():
    assert doctor.run(["no-such-program"])[0] == 127
    sleeper = [sys.executable, "-c", "import time; time.sleep(9)"]
    assert doctor.run(sleeper, seconds=0.2)[0] == 124


def test_messages_keep_no_path():
    text = doctor.shorten("cannot open '/home/ada/env/lib/libtorch.so': C:\\Users\\ada\\x.dll " * 9)
    assert "ada" not in text and "libtorch.so" in text and len(text) <= 160
    assert os.sep + "home" not in text
