"""The wall: nothing outside changes, nothing stays, and no hand-in meets another's.

Programs run here as the user who tests, root included: what a wall keeps out, it keeps out for who
has the rights of its owner. Older kernels are simulated by the version of Landlock that is told.
"""

import contextlib
import ctypes
import functools
import os
import resource
import signal
import socket
import subprocess
import sys
import threading
import time

import probes
import pytest
from helpers import ROOT

from grading.sandbox import faults, program, scratch, trials
from grading.sandbox.trials import Answers, Sandbox

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="grading needs Linux")
NEWEST = 99
KINDS = [("bwrap", 0), ("landlock", NEWEST), ("landlock", 1)]  # the oldest does least
BETWEEN = [pytest.param(("landlock", abi), marks=pytest.mark.long) for abi in range(2, 7)]


@functools.cache
def stands(wall):
    """Say whether a wall is to be tried: always where BOTH_WALLS asks for both."""
    return os.environ.get("BOTH_WALLS") == "1" or program.stands(wall)


GOT = {"do": "value", "name": "got"}


def told(version, folder):
    """Return the files behind the wall, with a Landlock of which an older kernel is told."""
    files = {path.name: path for path in program.BEHIND}
    text = files["landlock.py"].read_text(encoding="utf-8")
    call = '_succeed(libc.syscall(CREATE_RULESET, None, 0, 1), "Landlock")'
    assert text.count(call) == 1
    files["landlock.py"] = folder / "landlock.py"
    files["landlock.py"].write_text(text.replace(call, f"min({version}, {call})"), encoding="utf-8")
    return tuple(files.values())


@pytest.fixture(scope="module", params=[*KINDS, *BETWEEN], ids="{0[0]}-{0[1]}".format)
def behind(request, tmp_path_factory):
    """A program behind a wall, which has the tester's own user."""
    wall, version = request.param
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(program, "_user", lambda: 0)
        patch.setattr(program, "SECONDS", 2)
        if version not in (0, NEWEST):
            patch.setattr(program, "BEHIND", told(version, tmp_path_factory.mktemp("told")))
        if not stands(wall):
            pytest.skip(f"this system has no {wall}")
        with contextlib.closing(program.Program(wall)) as one:
            one.wall = wall
            yield one


def asked(one, *sources, questions=(GOT,)):
    """Execute cells in a trial of a hand-in of its own; return the replies, and why they end."""
    one.begin()
    cells = [program.cell(f"cell {n}", source) for n, source in enumerate(sources)]
    replies, why = one.try_out([*cells, *questions])
    assert one.finish()
    return replies[len(cells) :], why, [reply for reply in replies[: len(cells)] if reply]


def what_works(one, probe, **given):
    ((reply,), why, errors) = asked(one, probes.source(probe, **given))
    assert not why and not errors
    return reply["value"]["list"]


def state_of(path):
    """Return all that can be seen of a file, but when it was last read."""
    about = path.stat()
    kept = ("st_mode", "st_uid", "st_gid", "st_nlink", "st_size", "st_mtime_ns", "st_ctime_ns")
    return [getattr(about, name) for name in kept], os.listxattr(path), path.read_bytes()


def names_in(folder):
    return sorted(path.name for path in folder.iterdir())


def flags_of(path):
    """Return the flags that chattr sets, if this file system has them."""
    number = ctypes.c_int()
    fd = os.open(path, os.O_RDONLY)
    ctypes.CDLL(None).ioctl(fd, 0x80086601, ctypes.byref(number))
    os.close(fd)
    return number.value


def test_no_file_outside_changes(behind, tmp_path):
    secret, open_to_read = tmp_path / "secret.txt", behind.readable / "child.py"
    secret.write_text("secret")
    secret.chmod(0o666)
    tmp_path.chmod(0o777)
    seen = "/grader/child.py" if behind.wall == "bwrap" else str(open_to_read)
    before = [(state_of(path), flags_of(path)) for path in (secret, open_to_read)]
    listed = [names_in(path.parent) for path in (secret, open_to_read)]
    assert what_works(behind, probes.FILES, files=[str(secret), seen]) == []
    assert [(state_of(path), flags_of(path)) for path in (secret, open_to_read)] == before
    assert [names_in(path.parent) for path in (secret, open_to_read)] == listed


def life_of(pid):
    """Return what another program could change of one."""
    limits = [resource.prlimit(pid, kind) for kind in range(16)]
    how = os.sched_getscheduler(pid), os.sched_getaffinity(pid), os.getpriority(0, pid)
    return limits, how, ctypes.CDLL(None).syscall(probes.number("ioprio_get"), 1, pid)


def test_no_other_program_is_touched(behind):
    with subprocess.Popen(["sleep", "1000"]) as victim:
        before = life_of(victim.pid), life_of(os.getpid())
        given = {"victim": victim.pid, "tester": os.getpid()}
        try:
            assert what_works(behind, probes.OTHERS, **given) == []
            time.sleep(0.05)
            assert victim.poll() is None
            assert (life_of(victim.pid), life_of(os.getpid())) == before
        finally:
            victim.kill()


def key_of_the_session(name):
    """Lay a key into this session's ring; return its number, -1 where the kernel has none."""
    return ctypes.CDLL(None).syscall(
        probes.number("add_key"), b"user", name.encode(), b"CANARY", 6, -3
    )


def test_the_system_is_closed(behind):
    key_of_the_session("lab2-canary")
    assert what_works(behind, probes.SYSTEM, key="lab2-canary") == []


LISTEN = """
import socket
got = []
def reach(kind, address, how=socket.AF_INET):
    try:
        with socket.socket(how, kind) as one:
            one.settimeout(1)
            one.connect(address)
            one.send(b"here")
            got.append(str(address))
    except OSError:
        pass
for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
    reach(kind, ("127.0.0.1", PORT))
for address in (PATH, "\\0" + NAME):
    reach(socket.SOCK_STREAM, address, socket.AF_UNIX)
"""


def test_nobody_hears_it(behind, tmp_path):
    name, path = f"lab2-{os.getpid()}", str(tmp_path / "socket")
    tmp_path.chmod(0o777)
    with (
        socket.create_server(("127.0.0.1", 0)) as tcp,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp,
        socket.socket(socket.AF_UNIX) as file,
        socket.socket(socket.AF_UNIX) as abstract,
    ):
        udp.bind(tcp.getsockname())
        for one, address in ((file, path), (abstract, f"\0{name}")):
            one.bind(address)
            one.listen()
        names = f"PORT, PATH, NAME = {tcp.getsockname()[1]}, {path!r}, {name!r}\n"
        ((reply,), why, errors) = asked(behind, names + LISTEN)
        assert reply["value"] == {"list": []} and not why and not errors
        hear = (tcp.accept, file.accept, abstract.accept, lambda: udp.recv(10))
        for one, told in zip((tcp, file, abstract, udp), hear, strict=True):
            one.settimeout(0.02)
            with pytest.raises(TimeoutError):
                told()


# ── What is counted, and what stays ─────────────────────────────────────────────────────────────

walls = pytest.mark.parametrize(
    "behind", [("bwrap", 0), ("landlock", NEWEST)], indirect=True, ids=("bwrap", "landlock")
)
MEMORY = """
import mmap
kept, got = [], 0
try:
    while got < 3_000:
        kept.append(mmap.mmap(-1, 20 << 20, FLAGS))
        got += 20
except OSError:
    pass
"""


@walls
@pytest.mark.parametrize("flags", ["mmap.MAP_SHARED", "mmap.MAP_PRIVATE"])
def test_memory_of_any_kind_counts(behind, flags):
    for _ in range(2):  # and what the first has taken is there again
        ((reply,), why, _) = asked(behind, MEMORY.replace("FLAGS", flags))
        assert not why and 600 < reply["value"] <= program.MEGABYTES


FILL = {
    "large files": "for n in range(10_000):\n    open(f'f{n}', 'wb').write(bytes(1_000_000))",
    "many files": "for n in range(1_000_000):\n    open(f'f{n}', 'wb').close()",
    "many folders": "for n in range(1_000_000):\n    os.mkdir(f'd{n}')",
    "a deep one": "for n in range(1_500):\n    os.mkdir('d' * 100)\n    os.chdir('d' * 100)",
    "a closed one": "os.mkdir('d'); open('d/f', 'w').close(); os.mkdir('e', 0)"
    "\nos.mkdir('g', 0o300); open('g/h', 'w').close()\nwhile True: pass",
    "odd names": "for n in range(1, 256):\n    try: open(b'%c\\xff\\n' % n, 'w').close()\n"
    "    except OSError: pass\nos.symlink('/', 'root'); os.mkfifo('pipe')",
}  # fmt: skip


@walls
@pytest.mark.parametrize("kind", FILL)
def test_the_folder_is_small_and_empty_for_the_next(behind, kind, tmp_path):
    asked(behind, f"import os\n{FILL[kind]}")
    ((reply,), why, errors) = asked(behind, "import os\ngot = os.listdir('.')\nopen('x', 'w')")
    assert reply["value"] == {"list": []} and not why and not errors
    assert names_in(behind.work) == []


def test_a_folder_is_emptied_however_deep_and_closed(tmp_path):
    here, fd = tmp_path / "work", -1
    here.mkdir()
    fd = os.open(here, os.O_RDONLY)
    for _ in range(3_000):
        os.mkdir("d" * 50, dir_fd=fd)
        there = os.open("d" * 50, os.O_RDONLY, dir_fd=fd)
        os.close(fd)
        fd = there
    os.close(fd)
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "kept").touch()
    (here / "link").symlink_to(outside)
    (here / "closed").mkdir(0o000)
    scratch.empty(str(here))
    assert names_in(here) == [] and (outside / "kept").exists()


LEAVE = """
import os, torch, builtins, threading, time
token = "CAN" + "ARY" + "-4711-" + "of the first"
for folder in (".", "/tmp", "/var/tmp", "/dev/shm", "/dev", "/", os.path.expanduser("~")):
    try:
        open(folder + "/left-by-the-first", "w").write(token)
    except OSError:
        pass
torch.left = builtins.left = token
threading.Thread(target=time.sleep, args=(100,), daemon=True).start()
got = token
"""
FIND = """
import ctypes, os, torch, builtins
got = [one for one in (torch, builtins) if hasattr(one, "left")]
for folder in (".", "/tmp", "/var/tmp", "/dev/shm", "/dev", "/", os.path.expanduser("~")):
    try:
        got += [name for name in os.listdir(folder) if "left-by" in name]
    except OSError:
        pass
PIECE = b"4711-of the"
try:
    lines = open("/proc/self/maps").read().splitlines()
except OSError:
    lines = []
for line in lines:  # its own memory, as far as it can find it
    place, rights, *rest = line.split()
    low, high = (int(number, 16) for number in place.split("-"))
    if rights.startswith("rw") and (rest[-1:] == ["[heap]"] or len(rest) == 3):
        inside = ctypes.string_at(low, high - low)
        place = inside.find(PIECE)
        while place >= 0:  # what is looked for must not lie here itself
            if bytes(b ^ 1 for b in inside[place + 11 : place + 17]) == b"!ghsru":
                got.append("memory")
            place = inside.find(PIECE, place + 1)
        del inside
got = [str(one) for one in got]
"""


@pytest.mark.parametrize("behind", [("bwrap", 0), ("landlock", NEWEST)], indirect=True)
def test_no_hand_in_finds_what_another_left(behind):
    ((reply,), why, errors) = asked(behind, LEAVE)
    assert "of the first" in reply["value"] and not why and not errors
    ((reply,), why, errors) = asked(behind, FIND)
    assert reply["value"] == {"list": []} and not why and not errors


HOG = """
import threading, time
threading.stack_size(32_768)
got = 0
try:
    while True:
        threading.Thread(target=time.sleep, args=(1000,), daemon=True).start()
        got += 1
except RuntimeError:
    time.sleep(0.5)
"""


@pytest.fixture
def one_user(monkeypatch):
    """Where root tests, its programs share a user, as those of any other tester do."""
    monkeypatch.setattr(program, "_user", lambda: program.NOBODY)


@pytest.mark.parametrize("wall", ["bwrap", "landlock"])
def test_threads_of_one_do_not_starve_the_next(one_user, wall):
    if not stands(wall):
        pytest.skip(f"this system has no {wall}")
    with (
        contextlib.closing(program.Program(wall)) as hog,
        contextlib.closing(program.Program(wall)) as other,
    ):
        busy = threading.Thread(target=asked, args=(hog, HOG))
        busy.start()
        while busy.is_alive():
            ((reply,), why, errors) = asked(other, "got = 1 + 1")
            assert reply == {"value": 2} and not why and not errors
        busy.join()
        ((reply,), why, _) = asked(hog, "got = 3")
        assert reply == {"value": 3} and not why


@contextlib.contextmanager
def desktop(threads):
    """Let the user of our programs run many threads, as a browser does."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        with contextlib.suppress(BaseException):
            if os.geteuid() == 0:
                os.setuid(program.NOBODY)
            threading.stack_size(65_536)
            for _ in range(threads):
                threading.Thread(target=time.sleep, args=(1000,), daemon=True).start()
            os.write(writing, b"+")
            time.sleep(1000)
        os._exit(1)
    try:
        assert os.read(reading, 1) == b"+"
        yield
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        os.close(reading)
        os.close(writing)


@pytest.mark.parametrize("wall", [pytest.param("bwrap", marks=pytest.mark.long), "landlock"])
def test_a_wall_stands_on_a_desktop(one_user, wall):
    if not stands(wall):
        pytest.skip(f"this system has no {wall}")
    with desktop(300):
        assert program.stands(wall)


# ── Time, and what is tried once more ───────────────────────────────────────────────────────────


@pytest.fixture
def watch(monkeypatch, tmp_path):
    """A watch whose clocks stand where a test sets them: passed, computed, kept waiting."""
    for folder in (program.HERE, ROOT / "lab" / "base"):  # behind the wall files lie side by side
        monkeypatch.syspath_prepend(str(folder))
    import child

    clocks = [0.0, 0.0, 0.0]
    monkeypatch.setattr(child.Watch, "_taken", lambda self: tuple(clocks))
    monkeypatch.setattr(child.Watch, "_read", lambda self, what: "Threads: 1")
    monkeypatch.setattr(child.time, "monotonic", lambda: 1000.0)
    limits = child.Limits("landlock", 5, 900, str(tmp_path))
    return child.Watch(os.getpid(), limits), clocks


@pytest.mark.parametrize(
    ("passed", "computed", "queued", "words"),
    [
        (5.5, 5.2, 0.3, "5 seconds of computing"),
        (50.0, 4.0, 45.0, ""),  # a busy machine
        (6.0, 0.5, 0.2, "after 6 seconds"),  # it sleeps
        (61.0, 4.0, 56.0, "after 61 seconds"),
        (4.0, 4.0, 0.0, ""),
    ],
)
def test_time_is_what_it_computes(watch, passed, computed, queued, words):
    one, clocks = watch
    clocks[:] = passed, computed, queued
    assert words in one.fault() and bool(words) == bool(one.fault() or words)
    one.begin()
    one.looked = 0.0
    assert one.fault() == ""


class Scripted:
    """A program that answers as it is told: for each trial how many replies, and why no more."""

    def __init__(self, *script):
        self.script, self.asked = list(script), []

    def try_out(self, questions):
        self.asked.append([one["name"] for one in questions])
        count, why = self.script.pop(0)
        count = len(questions) if count is None else count
        replies = [{"value": one["name"]} if one["do"] == "call" else {} for one in questions]
        return replies[:count], why

    def is_alive(self):
        return True

    def begin(self):
        pass

    def finish(self):
        return True


def tried(monkeypatch, *script):
    """Try an answer with four calls; return its program, fault, replies and flags."""
    one = Scripted(*script)
    monkeypatch.setattr(trials, "Program", lambda wall: one)
    questions = [{"do": "call", "name": n} for n in "abcd"]
    with Answers(Sandbox("none", 2), {"rnn-cell": "x"}, lambda _: [], 0) as running:
        fault, replies = running.try_out("rnn-cell", questions)
    assert len(replies) == 4 and not one.script
    said = [reply.get("value") or reply["error"] for reply in replies]
    return one, fault, said, running.flags


def test_what_ends_once_costs_nothing(monkeypatch):
    one, fault, said, flags = tried(monkeypatch, (2, "a crash"), (None, ""))
    assert said == [*"abcd"] and not fault
    assert one.asked[1] == ["rnn-cell", "b", "c", "d"]
    assert flags == ["rnn-cell: a crash; tried once more, alone"]


def test_what_ends_twice_costs_its_own_call(monkeypatch):
    one, fault, said, flags = tried(monkeypatch, (2, "a crash"), (1, "again"), (None, ""))
    assert said == ["a", faults.ended("again"), "c", "d"] and not fault and len(flags) == 1
    assert one.asked[2] == ["rnn-cell", "c", "d"]


def test_what_ends_everywhere_is_given_up(monkeypatch):
    _, fault, said, flags = tried(monkeypatch, (1, "loop"), (1, "loop"), (1, "loop"))
    assert said == [faults.ended("loop")] * 2 + [faults.NOT_TRIED] * 2
    assert not fault and len(flags) == 1


def test_a_cell_that_ends_the_program_is_tried_twice(monkeypatch):
    one, fault, said, flags = tried(monkeypatch, (0, "exit"), (0, "exit"))
    assert fault == "exit" and said == [faults.ended("exit")] + [faults.NOT_TRIED] * 3
    assert len(one.asked) == 2 and len(flags) == 1


def test_alone_is_alone():
    """While one is tried alone, no other is; those who are not alone run side by side."""
    sandbox, running, most, seen = Sandbox("none", 3), [0], [0], []

    def work(alone):
        for _ in range(30):
            with sandbox.turn(alone):
                running[0] += 1
                most[0] = max(most[0], running[0])
                time.sleep(0.001)
                if alone:
                    seen.append(running[0])
                running[0] -= 1

    threads = [threading.Thread(target=work, args=(n == 0,)) for n in range(4)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert set(seen) == {1} and 1 < most[0] <= 3
