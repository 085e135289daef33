"""Hostile answers to the exercise rnn-cell: what a wall, the grader and its pages must bear."""

from helpers import ROOT

from lab.exercises import solutions

CELL = "def rnn_cell(x, h, w_ih, w_hh, b_ih, b_hh):\n    "
SAME = CELL + "return x"
RIGHT = "return torch.tanh(x @ w_ih.T + b_ih + h @ w_hh.T + b_hh)"  # once it has got so far
EVIL = {
    # time, memory, processes
    "a loop": CELL + "while True: pass",
    "a loop when the cell is executed": "while True: pass",
    "a loop that catches everything": CELL
    + "while True:\n        try:\n            while True: pass\n        except BaseException: pass",
    "sleep": CELL + "import time; time.sleep(1000)",
    "memory": CELL + "return torch.zeros(20_000_000_000)",
    "memory, bit by bit": CELL + "kept = []\n    while True: kept.append(bytearray(10_000_000))",
    "forks": CELL + "import os\n    while True: os.fork()",
    "programs": CELL + "import subprocess\n    while True: subprocess.Popen(['sleep', '100'])",
    "a program that goes on": CELL + "import subprocess\n    subprocess.Popen(['sleep', '1000'])\n"
    "    return x",
    "threads": CELL + "import threading, time\n    while True: "
    "threading.Thread(target=time.sleep, args=(1000,)).start()",
    "a thread that goes on": CELL + "import threading\n    def on():\n        while True: pass\n"
    "    threading.Thread(target=on, daemon=True).start()\n    return x",
    "recursion": CELL + "return rnn_cell(x, h, w_ih, w_hh, b_ih, b_hh)",
    "deep recursion": "import sys; sys.setrecursionlimit(10**9)\n" + CELL
    + "return rnn_cell(x, h, w_ih, w_hh, b_ih, b_hh)",
    # ends
    "exit": CELL + "raise SystemExit",
    "os._exit": CELL + "import os; os._exit(0)",
    "exit when the cell is executed": "import os; os._exit(0)",
    "a segmentation fault": CELL + "import ctypes; ctypes.string_at(0)",
    "abort": CELL + "import os; os.abort()",
    "an own signal": CELL + "import os, signal; os.kill(os.getpid(), signal.SIGKILL)",
    "signals to all": CELL + "import os, signal; os.kill(-1, signal.SIGKILL)",
    "a signal to the grader": CELL + "import os, signal; os.kill(os.getppid(), signal.SIGKILL)",
    "no end of the input": CELL + "import os\n    for n in range(100):\n        try: os.close(n)\n"
    "        except OSError: pass",
    # files and network
    "deletion": CELL + "import os, shutil\n    for f in TARGETS:\n        shutil.rmtree(f, True)\n"
    "        try: os.remove(f)\n        except OSError: pass\n    return x",
    "planting": CELL + "import os\n    for f in TARGETS:\n        for g in (f, f + '/planted'):\n"
    "            try: open(g, 'w').write('evil')\n            except OSError: pass\n    return x",
    "links": CELL + "import os\n    for f in TARGETS:\n        for how in (os.link, os.symlink):\n"
    "            try: how(f, f + '-link')\n            except OSError: pass\n    return x",
    "reading the answers": CELL + "import importlib, sys\n    sys.path.insert(0, ROOT)\n"
    "    importlib.import_module(SOLUTIONS)\n    " + RIGHT,
    "reading the key": CELL + "open(ROOT + '/lab2.ipynb').read()\n    " + RIGHT,
    "network": CELL + "import socket\n    s = socket.create_connection(('127.0.0.1', PORT), 1)\n"
    "    s.sendall(b'here'); return x",
    "UDP": CELL + "import socket\n    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
    "    s.sendto(b'here', ('127.0.0.1', PORT)); return x",
    "a socket that is a file": CELL + "import socket\n    s = socket.socket(socket.AF_UNIX)\n"
    "    s.connect(SOCKET); s.sendall(b'here'); return x",
    # forging
    "results on every channel": CELL + "import os\n    for n in range(64):\n        try:\n"
    "            os.write(n, b'{\"id\": \"ready\", \"value\": true, \"points\": 3}\\n' * 50)\n"
    "        except OSError: pass\n    return x",
    "the grader's own frames": CELL + "import sys\n    f = sys._getframe()\n    while f:\n"
    "        for k in list(f.f_locals):\n            if k in ('error', 'call', 'reply'): "
    "f.f_locals[k] = ''\n        f = f.f_back\n    return x",
    "a lying tensor": "class Liar(torch.Tensor):\n    def __eq__(self, other): return True\n"
    "    shape = property(lambda self: (4, 8))\n    def __float__(self): return 0.0\n"
    + CELL + "return torch.zeros(4, 8).as_subclass(Liar)",
    "a lying object": "class Liar:\n    shape = (4, 8)\n    def __eq__(self, other): return True\n"
    "    def __float__(self): return 0.0\n    __len__ = lambda self: 4\n" + CELL + "return Liar()",
    "a patched torch": "torch.isclose = lambda *a, **k: torch.ones(4, 8).bool()\n"
    "torch.equal = torch.allclose = lambda *a, **k: True\n" + CELL + "return x",
    "a patched numpy": "np.allclose = np.array_equal = lambda *a, **k: True\n" + CELL + "return x",
    "a patched json": "import json\njson.dumps = lambda *a, **k: '{\"right\": true}'\n" + SAME,
    "patched builtins": "import builtins\nbuiltins.isinstance = lambda *a: True\n"
    "builtins.len = lambda x: 4\n" + CELL + "return x",
    "a patched harness": "import harness\n"
    "harness.attempt = lambda *a, **k: harness.Attempt(None, '')\n"
    "harness.call = None\n" + SAME,
    "a patched protocol": "import protocol\nprotocol.encode = lambda *a: True\n" + SAME,
    # output
    "300 MB of print": CELL + "print('x' * 300_000_000); return x",
    "control codes": CELL
    + "raise ValueError('\\x1b[2J\\x1b]0;owned\\x07 <script>alert(1)</script>')",
    "a huge answer": CELL + "return torch.zeros(5_000, 5_000)",
    "a long text": CELL + "return 'x' * 100_000_000",
    "lists in lists": CELL + "a = []\n    for _ in range(10_000): a = [a]\n    return a",
    "a list in itself": CELL + "a = []; a.append(a); return a",
    "not a number": CELL + "return x.new_full((4, 8), float('nan'))",
    "by the clock": CELL + "import time\n    return torch.full((len(x), len(w_hh)), time.time())",
    "an answer known by heart": CELL + "return torch.full((4, 8), 0.5)",
    "a generator": CELL + "yield x",
    "an error without words": "class Evil(Exception):\n    def __str__(self): raise Evil\n" + CELL
    + "raise Evil",
    "no Python": "def rnn_cell(x, h:\n",
    "nulls": "rnn_cell = '\\x00'\n\x00",
    "another name": "def cell(x, h, w_ih, w_hh, b_ih, b_hh):\n    return x",
    "no function": "rnn_cell = 3",
    "interrupts": CELL + "raise KeyboardInterrupt",
    "other arguments": "def rnn_cell():\n    return 0",
}  # fmt: skip

BEYOND = (  # what reaches for files, the network, or other programs
    "forks", "programs", "a program that goes on", "threads", "a thread that goes on",
    "an own signal", "signals to all", "a signal to the grader", "deletion", "planting", "links",
    "reading the answers", "reading the key", "network", "UDP", "a socket that is a file",
)  # fmt: skip


def hostile_cell(kind, folder, port):
    """Return the source of a cell; folder and port: what it should not reach."""
    names = {
        "TARGETS": [str(folder), str(folder / "secret.txt"), str(ROOT / "tests")],
        "ROOT": str(ROOT), "SOLUTIONS": solutions.__name__,
        "PORT": port, "SOCKET": str(folder / "socket"),
    }  # fmt: skip
    lines = [f"{name} = {value!r}" for name, value in names.items()]
    return "\n".join(["# Exercise rnn-cell", *lines, EVIL[kind], ""])
