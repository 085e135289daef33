"""The installation: where PyTorch comes from, and what is said meanwhile; against a local index."""

import functools
import os
import platform
import sys
import threading
import time
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote

import pytest

from tools import install

PYTHON = f"cp{sys.version_info[0]}{sys.version_info[1]}"
PROCESSOR = platform.machine().lower()
WHEEL = f"torch-2.13.0%2Bcpu-{PYTHON}-{PYTHON}-manylinux_2_28_{PROCESSOR}.whl"


@pytest.fixture
def index(tmp_path):
    """Serve an index of PyTorch builds, with a wheel in two folders; make it with some links."""
    page = tmp_path / "whl" / "cpu" / "torch" / "index.html"
    page.parent.mkdir(parents=True)
    for folder in (page.parent, page.parents[1]):
        with (folder / unquote(WHEEL)).open("wb") as file:
            file.truncate(191_794_682)  # which takes no room
    handler = functools.partial(SimpleHTTPRequestHandler, directory=tmp_path)
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()

    def make(links):
        page.write_text("".join(f'<a href="{link}#sha256=0">torch</a>' for link in links))
        return f"http://127.0.0.1:{server.server_port}/whl/cpu"

    yield make
    server.shutdown()


@pytest.fixture
def linux_without_gpu(monkeypatch):
    monkeypatch.setattr(install.platform, "system", lambda: "Linux")
    monkeypatch.setattr(install.environment, "nvidia_driver", lambda: None)


def test_linux_without_a_gpu_takes_the_cpu_build(index, linux_without_gpu, monkeypatch, capsys):
    address = index(["torch-1.0.0-cp37-cp37m-linux_x86_64.whl", f"/whl/cpu/{WHEEL}"])
    monkeypatch.setattr(install, "CPU_BUILDS", address)
    assert install.torch_index("") == address
    assert f"from {address}, 192 MB" in capsys.readouterr().out
    assert install.pip_command(False, address)[-2:] == ["--extra-index-url", address]


@pytest.mark.parametrize("links", [[], ["torch-2.13.0%2Bcpu-cp27-cp27m-linux_x86_64.whl"]])
def test_an_index_without_a_build_for_this_python_is_passed_over(
    index, linux_without_gpu, monkeypatch, capsys, links
):
    monkeypatch.setattr(install, "CPU_BUILDS", index(links))
    assert install.torch_index("") == ""
    assert "has no build for this Python; from the package index" in capsys.readouterr().out


def test_an_index_that_does_not_answer_is_passed_over(linux_without_gpu, monkeypatch, capsys):
    monkeypatch.setattr(install, "CPU_BUILDS", "http://127.0.0.1:9/whl/cpu")
    assert install.torch_index("") == ""
    assert "several GB" in capsys.readouterr().out
    assert "--extra-index-url" not in install.pip_command(True, "")


def test_a_gpu_or_another_system_takes_the_package_index(monkeypatch):
    monkeypatch.setattr(install, "size_at", None)  # nobody is to be asked
    monkeypatch.setattr(install.platform, "system", lambda: "Darwin")
    assert install.torch_index("") == ""
    monkeypatch.setattr(install.platform, "system", lambda: "Linux")
    monkeypatch.setattr(install.environment, "nvidia_driver", lambda: "a driver")
    assert install.torch_index("") == ""


@pytest.mark.parametrize("develop", [True, False])
def test_a_student_installs_no_more_than_the_edition_has(monkeypatch, tmp_path, develop):
    monkeypatch.setattr(install, "ROOT", tmp_path)
    (tmp_path / "requirements.txt").touch()
    if develop:
        (tmp_path / "requirements-develop.txt").touch()
    command = install.pip_command(False, "")
    assert "requirements.txt" in command and ("requirements-develop.txt" in command) == develop
    assert command[-2:] == ["-c", "constraints.txt"]


def test_the_reader_has_the_last_word(index, monkeypatch, linux_without_gpu):
    address = index([WHEEL])
    monkeypatch.setattr(install.platform, "system", lambda: "Windows")
    assert install.torch_index(address) == address
    monkeypatch.setattr(install, "size_at", None)
    assert install.torch_index("index") == ""


def silent(request):
    """Answer nothing."""
    time.sleep(6)


def trickling(request):
    """Give the index at once, and a wheel in small pieces that has no end."""
    if request.path.endswith("/"):
        page = b'<a href="/nothing-1.0-py3-none-any.whl">nothing-1.0-py3-none-any.whl</a>'
        request.wfile.write(b"HTTP/1.0 200 OK\r\nContent-Type: text/html\r\n\r\n" + page)
        return
    request.wfile.write(b"HTTP/1.0 200 OK\r\nContent-Length: 100000\r\n\r\n")
    for _ in range(12):
        request.wfile.write(bytes(900))
        request.wfile.flush()
        time.sleep(0.25)


def empty(request):
    """Say at once that there is nothing."""
    request.send_error(404)


@pytest.fixture
def mirror(monkeypatch):
    """Serve an index in one of these ways; pip asks it once, and waits for seconds only."""
    servers = []

    def make(answer):
        class Handler(SimpleHTTPRequestHandler):
            def do_GET(self):
                answer(self)

            def log_message(self, *_):
                pass

        servers.append(server := ThreadingHTTPServer(("127.0.0.1", 0), Handler))
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}"
        settings = {"INDEX_URL": f"{address}/simple", "NO_INDEX": "", "EXTRA_INDEX_URL": "",
                    "RETRIES": "0", "TIMEOUT": "4", "NO_CACHE_DIR": "1",
                    "CONFIG_FILE": os.devnull}  # fmt: skip
        for name, value in settings.items():
            monkeypatch.setenv(f"PIP_{name}", value)
        return address

    yield make
    for server in servers:
        server.shutdown()
        server.server_close()


PIP = [sys.executable, "-m", "pip", "install", "--dry-run", "--disable-pip-version-check"]


@pytest.mark.parametrize("answer, slow", [(silent, 1), (trickling, 1), (empty, 0)])
def test_an_index_from_which_little_comes_is_told(mirror, monkeypatch, capfd, answer, slow):
    mirror(answer)
    monkeypatch.setattr(install, "EVERY", 0.2)
    monkeypatch.setattr(install, "LOOK", 1.5)
    monkeypatch.setattr(install, "PAGE", 1000)  # a pip that is slow to start is not its index
    monkeypatch.setattr(install, "SLOW", 5000)
    assert install.watch([*PIP, "nothing==1.0"]) != 0
    said = capfd.readouterr()
    assert said.out.count("PIP_INDEX_URL") == slow if slow else "nothing" in said.err


def test_nor_is_an_index_of_pytorch_waited_for(mirror, monkeypatch):
    """One that sends a little now and then would never be timed out."""
    ended, given_up = [], threading.Event()

    def endless(request):
        request.wfile.write(b"HTTP/1.0 200 OK\r\nContent-Length: 100000\r\n\r\n")
        while not given_up.wait(0.1):
            request.wfile.write(b" ")
            request.wfile.flush()
        ended.append(request.path)

    address = mirror(endless)
    monkeypatch.setattr(install, "LONGEST", 0.5)
    assert install.size_at(address) is None and not ended
    given_up.set()


@pytest.mark.parametrize("rate", [0, 1e3, 9e4, 1.1e5, 1e7])
@pytest.mark.parametrize("last", ["Collecting torch", "Installing collected packages: torch"])
def test_what_is_slow(monkeypatch, tmp_path, rate, last):
    """Looked at each ten seconds, told once at the most, and not while files are unpacked."""
    clock, lines = [0.0], [last]
    monkeypatch.setattr(install.time, "monotonic", lambda: clock[0])
    arrivals = install.Arrivals(tmp_path, lines)
    looks = []
    for second in range(10, 200, 10):
        clock[0] = second
        with (tmp_path / "torch.whl").open("wb") as file:
            file.truncate(int(rate * second))
        looks.append(arrivals.is_slow())
    assert sum(looks) == (rate < install.SLOW and last.startswith("Collecting"))
    lines += ["Collecting numpy"] * 100  # many small pages are not slow
    clock[0], arrivals.told = 230, False
    assert not arrivals.is_slow()


def test_long_waits_are_told(monkeypatch, capfd):
    monkeypatch.setattr(install, "EVERY", 0.2)
    assert install.watch([sys.executable, "-c", "import time; time.sleep(1)"]) == 0
    said = capfd.readouterr().out.splitlines()
    assert said and all("packages are there ..." in line for line in said)


def test_a_failed_installation_ends_in_a_sentence(monkeypatch, capfd):
    monkeypatch.setattr(install, "torch_index", lambda _: "")
    monkeypatch.setattr(
        install, "pip_command", lambda *_: [sys.executable, "-c", "raise SystemExit('no room')"]
    )
    monkeypatch.setattr(sys, "argv", ["install.py"])
    assert install.main() == 1
    assert "The installation failed" in capfd.readouterr().out


def test_a_python_without_pinned_packages_is_told_before_anything_is_fetched(monkeypatch, capfd):
    monkeypatch.setattr(install.doctor, "PYTHONS", ((3, 99),))
    monkeypatch.setattr(install, "watch", None)  # nothing is to be installed
    monkeypatch.setattr(sys, "argv", ["install.py"])
    assert install.main() == 1
    said = capfd.readouterr().out
    assert f"This is Python {platform.python_version()}" in said and "3.11 to 3.13" in said
