"""The wall where bubblewrap is missing: Landlock, which a program puts on itself.

It says which files are open (kernel 5.13 and later; https://landlock.io); newer kernels also keep
connections and signals out. What it does not look at, `calls` forbids.
"""

from __future__ import annotations

import ctypes
import os
import struct
from collections.abc import Iterable
from pathlib import Path

CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446  # the same on all processors
NO_NEW_PRIVILEGES = 38  # of prctl
EXECUTE, WRITE_FILE, READ_FILE, READ_FOLDER = (1 << n for n in range(4))
TRUNCATE, DEVICE = 1 << 14, 1 << 15
ON_FILES = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE | DEVICE
KNOWN = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}  # version -> kinds of access to files that it knows
SYSTEM = ("/usr", "/lib", "/lib64", "/bin", "/etc/ld.so.cache", "/proc/cpuinfo", "/proc/meminfo")
DEVICES = ("/dev/null", "/dev/zero", "/dev/urandom")


def _succeed(result: int, what: str) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
    return result


def version(libc: ctypes.CDLL) -> int:
    """Return which Landlock the kernel has. Raises OSError if none."""
    return _succeed(libc.syscall(CREATE_RULESET, None, 0, 1), "Landlock")


def close_files(folder: str, readable: Iterable[str]) -> None:
    """Let this process read some folders, write to one, and open no other file.

    Raises OSError where the system refuses, or has no Landlock.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    abi = version(libc)
    everything = (1 << KNOWN[min(abi, 5)]) - 1
    network = 3 if abi >= 4 else 0  # to bind and to connect
    scoped = 3 if abi >= 6 else 0  # sockets without a file, signals
    size = 8 if abi < 4 else 16 if abi < 6 else 24  # of what each version knows
    handled = struct.pack("QQQ", everything, network, scoped)[:size]
    rules = _succeed(libc.syscall(CREATE_RULESET, handled, len(handled), 0), "Landlock")
    allowed = dict.fromkeys([*SYSTEM, *readable], EXECUTE | READ_FILE | READ_FOLDER)
    allowed |= dict.fromkeys([*DEVICES, folder], everything)
    for path, rights in allowed.items():
        if os.path.exists(path):  # noqa: PTH110, a name that is no text would be a fault here
            _allow(libc, rules, Path(path), rights & everything)
    _succeed(libc.prctl(NO_NEW_PRIVILEGES, 1, 0, 0, 0), "no new privileges")
    _succeed(libc.syscall(RESTRICT_SELF, rules, 0), "Landlock")
    os.close(rules)


def _allow(libc: ctypes.CDLL, rules: int, path: Path, rights: int) -> None:
    place = os.open(path, os.O_PATH | os.O_CLOEXEC)
    rights = rights if path.is_dir() else rights & ON_FILES
    rule = struct.pack("=Qi", rights, place)
    _succeed(libc.syscall(ADD_RULE, rules, 1, rule, 0), f"Landlock, {path}")
    os.close(place)
