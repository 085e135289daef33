"""Which calls of the system a student's program may make: seccomp, behind either wall.

It may compute, start threads, read and write what is open to it. It may start no other program,
open no connection, signal nobody, keep memory that outlives it, and change nothing of a file but
its content: not its mode, owner, times, attributes; nor limits or scheduling of others. Landlock
does not look at all that, and bubblewrap not at calls at all.
"""

from __future__ import annotations

import contextlib
import errno
import os
from typing import Any

CLONE_THREAD = 0x10000
WORD = 0xFFFFFFFF  # the kernel looks at so much of an argument that is an int
FORBIDDEN = (
    # other programs
    *("fork", "vfork", "execve", "execveat", "ptrace", "kill", "tkill", "setsid", "setpgid"),
    *("rt_sigqueueinfo", "rt_tgsigqueueinfo", "timer_create", "kcmp", "process_vm_readv"),
    *("process_vm_writev", "setpriority", "ioprio_set", "sched_setscheduler", "sched_setparam"),
    *("sched_setattr", "sched_setaffinity", "move_pages", "migrate_pages"),
    # connections
    *("socket", "socketpair"),
    # what outlives it, or is counted nowhere
    *("memfd_create", "shmget", "shmat", "shmctl", "msgget", "semget", "mq_open", "mq_unlink"),
    *("add_key", "keyctl", "request_key", "inotify_init", "inotify_init1", "fanotify_init"),
    # files beside their content
    *("chmod", "fchmod", "fchmodat", "chown", "lchown", "fchown", "fchownat", "utime", "utimes"),
    *("futimesat", "utimensat", "setxattr", "lsetxattr", "fsetxattr", "removexattr"),
    *("lremovexattr", "fremovexattr", "truncate", "mknod", "mknodat"),
    *("open_by_handle_at", "name_to_handle_at", "quotactl"),
    # the system
    *("mount", "umount2", "unshare", "setns", "pivot_root", "chroot", "bpf", "perf_event_open"),
    *("userfaultfd", "kexec_load", "syslog", "acct", "swapon", "swapoff", "personality"),
)
NEW = {  # the same number on all processors; an older library has no name for them
    424: "pidfd_send_signal", 425: "io_uring_setup", 426: "io_uring_enter", 428: "open_tree",
    429: "move_mount", 430: "fsopen", 432: "fsmount", 433: "fspick", 434: "pidfd_open",
    438: "pidfd_getfd", 440: "process_madvise", 442: "mount_setattr", 443: "quotactl_fd",
    447: "memfd_secret", 448: "process_mrelease", 452: "fchmodat2", 463: "setxattrat",
    466: "removexattrat", 467: "open_tree_attr", 469: "file_setattr",
}  # fmt: skip
LATER = range(470, 520)  # calls that are not invented yet
OPENS = {"open": 1, "openat": 2}  # which argument says how
CONTROLS = 0x5400, 0x54FF  # of ioctl: terminals, how much can be read; none that changes a file
OF_DESCRIPTORS = {  # of fcntl: who is told by a signal, leases, the memory of pipes
    8: "F_SETOWN", 10: "F_SETSIG", 15: "F_SETOWN_EX", 1024: "F_SETLEASE", 1026: "F_NOTIFY",
    1031: "F_SETPIPE_SZ",
}  # fmt: skip


def load_library() -> None:
    """Find libseccomp, with a program of the system's; afterwards no program starts any more."""
    import pyseccomp  # noqa: F401


def close() -> None:
    """Let this process make no call that is forbidden; each fails. Raises OSError, RuntimeError."""
    import pyseccomp as seccomp

    rules = seccomp.SyscallFilter(seccomp.ALLOW)
    refused, unknown = seccomp.ERRNO(errno.EPERM), seccomp.ERRNO(errno.ENOSYS)

    def refuse(call: str | int, *arguments: Any, answer: int = refused) -> None:
        # this processor or this library may not know the call
        with contextlib.suppress(OSError, RuntimeError, ValueError):
            rules.add_rule(answer, call, *arguments)

    for call in (*FORBIDDEN, *NEW):
        refuse(call)
    for call in LATER:
        refuse(call, answer=unknown)
    # threads may start, programs may not; a library that asks for clone3 then takes clone
    refuse("clone", seccomp.Arg(0, seccomp.MASKED_EQ, CLONE_THREAD, 0))
    refuse("clone3", answer=unknown)
    refuse("tgkill", seccomp.Arg(0, seccomp.NE, os.getpid()))
    refuse("prlimit64", seccomp.Arg(0, seccomp.NE, 0))
    refuse("ioctl", seccomp.Arg(1, seccomp.LT, CONTROLS[0]))
    refuse("ioctl", seccomp.Arg(1, seccomp.GT, CONTROLS[1]))
    refuse("openat2", answer=unknown)
    for call, place in OPENS.items():  # what empties a file, or is neither to read nor to write
        refuse(call, seccomp.Arg(place, seccomp.MASKED_EQ, os.O_ACCMODE | os.O_TRUNC, os.O_TRUNC))
        refuse(call, seccomp.Arg(place, seccomp.MASKED_EQ, os.O_ACCMODE, os.O_ACCMODE))
    for command in OF_DESCRIPTORS:
        refuse("fcntl", seccomp.Arg(1, seccomp.MASKED_EQ, WORD, command))
    rules.load()
