"""What a program behind a wall reaches for: sources that run there, and note in `got` what works.

They are filled in with what stands outside: numbers of calls, a victim, files, ports.
"""

import json

import pyseccomp

CALLS = (
    *("chmod", "fchmodat", "fchmodat2", "chown", "fchownat", "utimensat", "setxattr"),
    *("truncate", "kill", "tkill", "tgkill", "pidfd_open", "rt_sigqueueinfo"),
    *("rt_tgsigqueueinfo", "sched_setscheduler", "sched_setaffinity", "setpriority"),
    *("ioprio_set", "prlimit64", "process_vm_readv", "memfd_create", "shmget", "mq_open"),
    *("add_key", "keyctl", "io_uring_setup", "unshare", "socket", "socketpair", "userfaultfd"),
    *("fork", "execve", "open", "openat", "ioctl", "fcntl", "setsid", "setpgid"),
    *("timer_create", "inotify_init1", "ptrace", "bpf", "perf_event_open", "setns", "mount"),
    *("msgget", "semget", "openat2", "open_by_handle_at"),
)
NEWER = {"fchmodat2": 452}

HEAD = """
import ctypes, os, struct, sys
libc = ctypes.CDLL(None, use_errno=True)
GIVEN = {given}
N, got = GIVEN["numbers"], []

def call(name, *arguments):
    return libc.syscall(N[name], *arguments) if name in N else -1

def works(what, result):
    if result >= 0:
        got.append(what)
    return result

def opened(path, how=os.O_RDONLY):
    try:
        return os.open(path, how)
    except OSError:
        return -1
"""

FILES = """
HERE, LOW = -100, 0xFFFFFFFF
for path in GIVEN["files"]:
    p, times = path.encode(), struct.pack("4q", 0, 0, 0, 0)
    works("chmod", call("chmod", p, 0))
    works("fchmodat", call("fchmodat", HERE, p, 0))
    works("fchmodat2", call("fchmodat2", HERE, p, 0, 0))
    works("chown", call("chown", p, 1234, 1234))
    works("fchownat", call("fchownat", HERE, p, 1234, 1234, 0))
    works("utimensat", call("utimensat", HERE, p, times, 0))
    works("setxattr", call("setxattr", p, b"user.planted", b"x", 1, 0))
    works("truncate", call("truncate", p, 0))
    for how in (os.O_WRONLY, os.O_RDWR, os.O_RDONLY | os.O_TRUNC, os.O_ACCMODE | os.O_TRUNC,
                os.O_ACCMODE, os.O_WRONLY | os.O_TRUNC, os.O_WRONLY | os.O_APPEND):
        works(f"open {how:o}", call("openat", HERE, p, how | os.O_CLOEXEC, 0))
        works(f"openat2 {how:o}", call("openat2", HERE, p, struct.pack("3Q", how, 0, 0), 24))
    if (fd := opened(path)) >= 0:  # it may be read
        flags = ctypes.c_int(0x80)  # no times of access
        works("fchmod", libc.fchmod(fd, 0))
        works("futimens", libc.futimens(fd, times))
        works("fsetxattr", libc.fsetxattr(fd, b"user.planted", b"x", 1, 0))
        works("FS_IOC_SETFLAGS", call("ioctl", fd, 0x40086602, ctypes.byref(flags)))
        works("FS_IOC_SETFLAGS, long", call("ioctl", fd, 0x140086602, ctypes.byref(flags)))
        os.close(fd)
    folder = os.path.dirname(p)
    works("mkdir", libc.mkdir(folder + b"/planted", 0o777))
    works("mkfifo", libc.mkfifo(folder + b"/fifo", 0o777))
    works("link", libc.link(p, folder + b"/linked"))
    works("symlink", libc.symlink(p, folder + b"/linked"))
    works("rename", libc.rename(p, folder + b"/renamed"))
    works("unlink", libc.unlink(p))
got = sorted(set(got))
"""

OTHERS = """
import fcntl
pid, nine = GIVEN["victim"], 9
info = struct.pack("3i", nine, 0, -1) + bytes(116)
for one in (pid, GIVEN["tester"]):
    signal = nine if one == pid else 0
    works("kill", call("kill", one, signal))
    works("tkill", call("tkill", one, signal))
    works("tgkill", call("tgkill", one, one, signal))
    works("rt_sigqueueinfo", call("rt_sigqueueinfo", one, signal, info))
    works("rt_tgsigqueueinfo", call("rt_tgsigqueueinfo", one, one, signal, info))
    works("pidfd_open", call("pidfd_open", one, 0))
    works("sched_setscheduler", call("sched_setscheduler", one, 5, struct.pack("i", 0)))
    works("sched_setaffinity", call("sched_setaffinity", one, 8, struct.pack("Q", 1)))
    works("setpriority", call("setpriority", 0, one, 19))
    works("ioprio_set", call("ioprio_set", 1, one, 3 << 13))
    works("prlimit64", call("prlimit64", one, 7, struct.pack("2Q", 20, 20), None))
    works("prlimit64, long", call("prlimit64", ctypes.c_long(one), 7, None, bytes(16)))
    works("ptrace", call("ptrace", 16, one, 0, 0))
    here = struct.pack("2Q", ctypes.addressof(ctypes.create_string_buffer(8)), 8)
    works("process_vm_readv", call("process_vm_readv", one, here, 1, here, 1, 0))
reading, writing = os.pipe()
for how in (8, 0x100000008):
    works("F_SETOWN", call("fcntl", reading, ctypes.c_long(how), pid))
works("F_SETSIG", call("fcntl", reading, 10, nine))
works("F_SETOWN_EX", call("fcntl", reading, 15, struct.pack("2i", 1, pid)))
call("fcntl", reading, 4, 0o20000)  # O_ASYNC
os.write(writing, b"x")
for path in ("/proc/1/mem", f"/proc/{os.getppid()}/mem"):
    works(path, opened(path, os.O_RDWR))
got = sorted(set(got))
"""

SYSTEM = """
import socket
for family, kind in ((1, 1), (1, 2), (2, 1), (2, 2), (16, 3), (40, 1), (38, 5), (10, 1), (17, 3)):
    works(f"socket {family}", call("socket", family, kind, 0))
works("socketpair", call("socketpair", 1, 1, 0, struct.pack("2i", 0, 0)))
works("memfd_create", call("memfd_create", b"x", 0))
works("shmget", call("shmget", 0, 1 << 20, 0o1600))
works("msgget", call("msgget", 0, 0o1600))
works("semget", call("semget", 0, 1, 0o1600))
works("mq_open", call("mq_open", b"planted", os.O_CREAT | os.O_RDWR, 0o600, None))
works("add_key", call("add_key", b"user", b"planted", b"x", 1, -3))
works("keyctl", call("keyctl", 0, -3, 0))
works("keyctl, a key", call("keyctl", 10, -3, b"user", GIVEN["key"].encode(), 0))
works("io_uring_setup", call("io_uring_setup", 4, bytes(120)))
works("unshare", call("unshare", 0x10000000))
works("setns", call("setns", 0, 0))
works("userfaultfd", call("userfaultfd", 1))
works("perf_event_open", call("perf_event_open", bytes(128), 0, -1, -1, 0))
works("bpf", call("bpf", 0, bytes(72), 72))
works("mount", call("mount", b"x", b"/tmp", b"tmpfs", 0, None))
works("inotify_init1", call("inotify_init1", 0))
works("timer_create", call("timer_create", 1, None, bytes(8)))
works("setsid", call("setsid"))
works("setpgid", call("setpgid", 0, 0))
works("execve", call("execve", b"/bin/true", None, None))
for folder in ("/", "/tmp", "/var/tmp", "/dev", "/dev/shm", "/dev/mqueue", "/run", "/etc", "/proc"):
    works(f"file in {folder}", opened(f"{folder}/planted", os.O_CREAT | os.O_RDWR))
if (child := call("fork")) >= 0:
    if child == 0:
        os._exit(0)
    got.append("fork")
got = sorted(set(got))
"""


def source(probe, **given):
    """Return the source of a probe, with what it needs to know of the outside."""
    numbers = {name: number(name) for name in CALLS if number(name) >= 0} | NEWER
    return HEAD.format(given=json.dumps({"numbers": numbers, **given})) + probe


def number(name):
    """Return the number of a call of the system on this processor; below 0 if it has none."""
    return pyseccomp.resolve_syscall(pyseccomp.system_arch(), name)
