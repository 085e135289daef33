"""Fetching the official data, from a server that lies."""

import contextlib
import hashlib
import io
import subprocess
import sys
import tarfile
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from lab.base import files
from lab.config import LabError
from tools.students import download

ROOT = Path(__file__).parents[1]
CONTENT = np.random.default_rng(0).bytes(300_000)
COUNTS = {"aclImdb/train/pos": 2, "aclImdb/test/neg": 1}


def source_of(url, content=CONTENT, **changes):
    digest = hashlib.sha256(content).hexdigest()
    source = download.Source("archive.bin", (url,), len(content), digest, 0)
    return source._replace(**changes)


@pytest.fixture
def server():
    """Serve `answer(handler)`; return a function that sets it and gives the address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            requests.append(dict(self.headers))
            with contextlib.suppress(ConnectionError):
                answers[self.path](self)

        def log_message(self, *_):
            pass

    requests, answers = [], {}
    service = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=service.serve_forever, daemon=True).start()

    def serve(answer, path="/archive"):
        answers[path] = answer
        return f"http://127.0.0.1:{service.server_port}{path}"

    serve.requests = requests
    yield serve
    service.shutdown()
    service.server_close()


def send(handler, content=CONTENT, status=200, **headers):
    handler.send_response(status)
    headers = {"Content_Length": len(content)} | headers
    for name, value in headers.items():
        if value is not None:
            handler.send_header(name.replace("_", "-"), str(value))
    handler.end_headers()
    handler.wfile.write(content)


def send_range(handler):
    """Answer as a server does that can go on."""
    first = int(handler.headers.get("Range", "bytes=0-").removeprefix("bytes=").split("-")[0])
    send(handler, CONTENT[first:], 206 if first else 200)


def fetch_fails(source, folder, match, **options):
    with pytest.raises(LabError, match=match) as error:
        download.fetch(source, folder, **options)
    said = str(error.value)
    assert "with a browser" in said and str(folder) in said  # what to do by hand
    assert not (folder / source.file).exists()


def test_an_archive_is_fetched_once(server, tmp_path):
    source = source_of(server(send))
    for _ in range(2):
        assert download.fetch(source, tmp_path).read_bytes() == CONTENT
    assert len(server.requests) == 1 and not list(tmp_path.glob("*.part"))


def test_one_that_was_put_there_is_used_without_a_network(tmp_path):
    (tmp_path / "archive.bin").write_bytes(CONTENT)
    source = source_of("http://127.0.0.1:9/nobody")
    assert download.fetch(source, tmp_path).read_bytes() == CONTENT
    (tmp_path / "archive.bin").write_bytes(CONTENT[:-1] + b"x")
    with pytest.raises(LabError, match="not the official archive: its SHA-256"):
        download.fetch(source, tmp_path)
    assert (tmp_path / "archive.bin").exists()  # somebody's file is not deleted


@pytest.mark.parametrize("cut", [0, 1, 65_536, 150_000, 299_999])
@pytest.mark.parametrize("goes_on", [True, False])
def test_a_cut_download_goes_on(server, tmp_path, cut, goes_on):
    url = server(lambda handler: send(handler, CONTENT[:cut], Content_Length=len(CONTENT)))
    fetch_fails(source_of(url), tmp_path, "bytes|broke|Incomplete")
    server(send_range if goes_on else send)
    assert download.fetch(source_of(url), tmp_path).read_bytes() == CONTENT
    have = (tmp_path / "archive.bin").stat().st_size
    assert have == len(CONTENT)
    if cut >= 65_536:
        assert server.requests[-1]["Range"] == f"bytes={cut}-"


def test_every_way_to_cut_it(server, tmp_path):
    """Cut at random places, again and again: it ends, and with the right bytes."""
    generator = np.random.default_rng(1)

    def cut(handler):
        first = int(handler.headers.get("Range", "bytes=0-").removeprefix("bytes=").split("-")[0])
        rest = CONTENT[first:]
        length = int(generator.integers(0, len(rest) + 1))
        send(handler, rest[:length], 206 if first else 200, Content_Length=len(rest))

    source = source_of(server(cut))
    for _ in range(200):
        with contextlib.suppress(LabError):
            assert download.fetch(source, tmp_path).read_bytes() == CONTENT
            return
    pytest.fail("it never ended")


@pytest.mark.parametrize(
    ("answer", "match"),
    [
        (lambda h: send(h, b"", 404), "answers 404"),
        (lambda h: send(h, b"", 503), "answers 503"),
        (lambda h: send(h, b"<html>log in</html>", Content_Type="text/html"), "a web page"),
        (lambda h: send(h, CONTENT[::-1]), "not the official archive, its SHA-256"),
        (lambda h: send(h, CONTENT + b"x"), "has 300,001 bytes, not 300,000"),
        (lambda h: send(h, CONTENT * 20, Content_Length=None), "more than the archive"),
        (lambda h: send(h, b"", 302, Location="file:///etc/hostname"), "file|schema|adapter"),
        (lambda h: send(h, b"", 302, Location="/archive"), "redirects"),
    ],
    ids=["404", "503", "html", "digest", "longer", "endless", "file", "circle"],
)
def test_a_server_that_lies(server, tmp_path, answer, match):
    fetch_fails(source_of(server(answer)), tmp_path, match)


def test_wrong_bytes_are_not_kept_to_go_on_from(server, tmp_path):
    fetch_fails(source_of(server(lambda h: send(h, CONTENT[::-1]))), tmp_path, "SHA-256")
    assert download.fetch(source_of(server(send)), tmp_path).read_bytes() == CONTENT


def test_a_silent_server_is_left(server, tmp_path):
    def say_nothing_more(handler):
        send(handler, b"", Content_Length=len(CONTENT))
        told.wait(60)  # far longer than the patience; the end of it would be another error

    told = threading.Event()
    fetch_fails(source_of(server(say_nothing_more)), tmp_path, "timed out", patience=0.2)
    told.set()


class Drip:
    """A response that gives so many bytes a second, by a clock that only it moves on."""

    def __init__(self, monkeypatch, rate):
        self.now, self.given, self.rate, self.raw = 0, 0, rate, self
        monkeypatch.setattr(download, "time", SimpleNamespace(monotonic=lambda: self.now))

    def read1(self, most):
        piece = CONTENT[self.given :][: min(most, self.rate)]
        self.now += 1
        self.given += len(piece)
        return piece


@pytest.mark.parametrize("rate", [1, 9000])
def test_a_slow_drip_is_left_when_patience_ends(tmp_path, monkeypatch, rate):
    drip, part = Drip(monkeypatch, rate), tmp_path / "part"
    with pytest.raises(download.DownloadError, match="too slow"):
        download.append(drip, part, 0, source_of(""), patience=10)
    assert drip.now == 11 and part.stat().st_size == 11 * rate  # what came is kept, to go on from


def test_one_that_is_slow_but_not_too_slow_is_read_to_its_end(tmp_path, monkeypatch):
    download.append(Drip(monkeypatch, 10_000), tmp_path / "part", 0, source_of(""), patience=10)
    assert (tmp_path / "part").read_bytes() == CONTENT


def test_the_next_mirror_is_tried_and_goes_on(server, tmp_path):
    first = server(lambda h: send(h, CONTENT[:1000], Content_Length=len(CONTENT)), "/first")
    second = server(send_range, "/second")
    source = source_of(first, urls=(first, second))
    assert download.fetch(source, tmp_path).read_bytes() == CONTENT
    assert server.requests[1]["Range"] == "bytes=1000-"


def test_nobody_leads_away_from_https(monkeypatch, tmp_path):
    class Answer:
        url, status_code, history, headers = "http://elsewhere/archive", 200, (), {}

    monkeypatch.setattr(download.requests, "get", lambda *_, **__: Answer)
    fetch_fails(source_of("https://host/archive"), tmp_path, "away from HTTPS")


def test_the_certificate_is_checked():
    for source in (download.REVIEWS, download.VECTORS):
        assert all(url.startswith("https://") for url in source.urls) and len(source.sha256) == 64
    assert download.requests.Session().verify is True


def test_no_room_is_said(server, tmp_path):
    with pytest.raises(LabError, match="Make room"):
        download.fetch(source_of(server(send), size=10**15), tmp_path)


def free_bytes(monkeypatch, free):
    """Let the disk have as many free bytes as `free()` says."""
    monkeypatch.setattr(download.shutil, "disk_usage", lambda _: SimpleNamespace(free=free()))


def test_room_is_needed_only_for_what_is_still_missing(server, tmp_path, monkeypatch):
    part = tmp_path / "archive.bin.part"
    source = source_of(server(send_range))
    part.write_bytes(CONTENT[:-8000])
    free_bytes(monkeypatch, lambda: 7999)
    with pytest.raises(LabError, match="Make room"):
        download.fetch(source, tmp_path)
    free_bytes(monkeypatch, lambda: 8000)
    assert download.fetch(source, tmp_path).read_bytes() == CONTENT
    (tmp_path / "archive.bin").unlink()
    part.write_bytes(CONTENT * 2)  # too long: it is begun anew, on the bytes that it takes
    free_bytes(monkeypatch, lambda: 0)
    assert download.fetch(source, tmp_path).read_bytes() == CONTENT


# ── Unpacking ───────────────────────────────────────────────────────────────────────────────────


def tar_of(folder, *members):
    """Write an archive of (name or TarInfo, content)."""
    path = folder / "reviews.tar.gz"
    with tarfile.open(path, "w:gz") as tar:
        for member, content in members:
            info = member if isinstance(member, tarfile.TarInfo) else tarfile.TarInfo(member)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return path


GOOD = [
    ("aclImdb/README", b"about"),
    ("aclImdb/train/pos/0_9.txt", b"good"),
    ("aclImdb/train/pos/1_7.txt", b"fine"),
    ("aclImdb/train/urls_pos.txt", b"a\nb\n"),
    ("aclImdb/test/neg/0_1.txt", "é".encode()),
]


def test_only_what_the_lab_reads_is_unpacked(tmp_path):
    made = download.unpack_reviews(tar_of(tmp_path, *GOOD), tmp_path, COUNTS)
    assert sorted(p.relative_to(made).as_posix() for p in made.rglob("*.txt")) == [
        "test/neg/0_1.txt",
        "train/pos/0_9.txt",
        "train/pos/1_7.txt",
        "train/urls_pos.txt",
    ]
    assert (made / "test/neg/0_1.txt").read_bytes() == "é".encode()
    assert not (made / "README").exists()


def special(name, kind, target=""):
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info, b""


@pytest.mark.parametrize(
    ("bad", "match"),
    [
        (("../evil.txt", b"x"), "leads outside"),
        (("aclImdb/train/pos/../../../evil.txt", b"x"), "leads outside"),
        (("/evil.txt", b"x"), "leads outside"),
        (("..\\evil.txt", b"x"), "leads outside"),
        (("C:/evil.txt", b"x"), "leads outside"),
        (special("aclImdb/train/pos/2_9.txt", tarfile.SYMTYPE, "/etc/hostname"), "a link"),
        (special("aclImdb/train/pos/2_9.txt", tarfile.LNKTYPE, "aclImdb/README"), "a link"),
        (special("aclImdb/device", tarfile.CHRTYPE), "a device"),
        (special("aclImdb/pipe", tarfile.FIFOTYPE), "a device"),
        (("aclImdb/train/pos/2_9.txt", b"0" * 11_000_000), "far too large"),
        (("aclImdb/train/pos/3_9.txt", b"one too many"), "expected"),
    ],
)
def test_a_bad_archive_of_reviews_is_refused_whole(tmp_path, bad, match):
    with pytest.raises(LabError, match=match):
        download.unpack_reviews(tar_of(tmp_path, *GOOD, bad), tmp_path / "into", COUNTS)
    assert not list((tmp_path / "into").iterdir())  # nothing, and nothing half
    assert not (tmp_path / "evil.txt").exists()


def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path, monkeypatch):
    monkeypatch.setattr(download, "LARGEST_ARCHIVE", 1_000_000)
    bomb = ("aclImdb/imdb.vocab", b"0" * 2_000_000)  # no file that would be read
    with pytest.raises(LabError, match="far too large"):
        download.unpack_reviews(tar_of(tmp_path, bomb, *GOOD), tmp_path / "into", COUNTS)


@pytest.mark.parametrize("keep", [0, 1, 30, 100, 200])
def test_a_cut_archive_is_said_to_be_damaged(tmp_path, keep):
    path = tar_of(tmp_path, *GOOD)
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(LabError, match=r"damaged|expected"):
        download.unpack_reviews(path, tmp_path / "into", COUNTS)
    assert not (tmp_path / "into" / "aclImdb").exists()


def zip_of(folder, name="glove.6B.50d.txt", lines=20, fields=51):
    path = folder / "vectors.zip"
    text = "".join(" ".join([f"w{i}", *["0.5"] * (fields - 1)]) + "\n" for i in range(lines))
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as zipped:
        zipped.writestr("glove.6B.300d.txt", "not wanted")
        zipped.writestr(name, text)
    return path


def test_one_file_of_vectors_is_unpacked(tmp_path):
    made = download.unpack_vectors(zip_of(tmp_path), tmp_path, 50, count=20)
    assert made.name == "glove.6B.50d.txt" and len(made.read_text().splitlines()) == 20
    assert not (tmp_path / "glove.6B.300d.txt").exists()


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"name": "other.txt"}, "holds no glove"),
        ({"lines": 19}, "19 lines"),
        ({"fields": 50}, "50 fields"),
    ],
)
def test_other_vectors_are_refused(tmp_path, options, match):
    with pytest.raises(LabError, match=match):
        download.unpack_vectors(zip_of(tmp_path, **options), tmp_path / "into", 50, count=20)
    assert not list((tmp_path / "into").iterdir())


def test_a_zip_bomb_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(download, "LARGEST_VECTORS", 1000)
    with pytest.raises(LabError, match="far too large"):
        download.unpack_vectors(zip_of(tmp_path), tmp_path / "into", 50, count=20)


def test_a_zip_that_understates_its_size_is_refused(tmp_path):
    path = zip_of(tmp_path)
    size = zipfile.ZipFile(path).getinfo("glove.6B.50d.txt").file_size
    lie = path.read_bytes().replace(size.to_bytes(4, "little"), (100).to_bytes(4, "little"))
    path.write_bytes(lie)
    with pytest.raises(LabError, match="damaged"):
        download.unpack_vectors(path, tmp_path / "into", 50, count=20)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"<html>log in</html>" * 50])
def test_what_is_no_zip_is_said_to_be_damaged(tmp_path, content):
    (tmp_path / "vectors.zip").write_bytes(content)
    with pytest.raises(LabError, match="damaged"):
        download.unpack_vectors(tmp_path / "vectors.zip", tmp_path / "into", 50)


# ── One program at a time ───────────────────────────────────────────────────────────────────────


@pytest.fixture
def reviews(tmp_path, monkeypatch):
    """Put a small archive of reviews into a data folder as the official one; return the folder."""
    content = tar_of(tmp_path, *GOOD).read_bytes()
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "archive.bin").write_bytes(content)
    monkeypatch.setattr(download, "REVIEWS", source_of("http://127.0.0.1:9/nobody", content))
    monkeypatch.setattr(download, "REVIEW_COUNTS", COUNTS)
    return tmp_path / "data"


def test_a_second_program_is_told_while_the_first_fetches(reviews, monkeypatch):
    def fetch_twice(source, folder):
        with pytest.raises(LabError, match="Another program is") as told:
            download.get_reviews(reviews)
        said.append(str(told.value))
        return fetch(source, folder)

    said, fetch = [], download.fetch
    monkeypatch.setattr(download, "fetch", fetch_twice)
    made = download.get_reviews(reviews)
    assert len(list(made.rglob("*_*.txt"))) == 4 and "archive.bin.lock" in said[0]
    assert download.get_reviews(reviews) == made and len(said) == 1


def test_a_second_program_leaves_alone_what_the_first_has_unpacked(reviews, monkeypatch):
    def copy_twice(*arguments):
        copy(*arguments)
        with pytest.raises(LabError, match="Another program is"):
            download.get_reviews(reviews)

    copy = download.copy
    monkeypatch.setattr(download, "copy", copy_twice)
    assert len(list(download.get_reviews(reviews).rglob("*_*.txt"))) == 4


def test_what_another_program_ends_meanwhile_is_not_fetched_again(reviews, monkeypatch):
    @contextlib.contextmanager
    def waited(_):
        (reviews / "aclImdb").mkdir()
        yield

    monkeypatch.setattr(download, "locked", waited)
    monkeypatch.setattr(download, "fetch", None)
    assert download.get_reviews(reviews) == reviews / "aclImdb"


def test_what_a_killed_program_has_unpacked_takes_no_room(reviews, monkeypatch):
    left = reviews / ".aclImdb.partial"
    left.mkdir()
    free_bytes(monkeypatch, lambda: 0 if left.exists() else 1000)
    monkeypatch.setattr(download, "REVIEWS", download.REVIEWS._replace(room=1000))
    assert download.get_reviews(reviews).exists() and not left.exists()


def test_a_folder_that_cannot_be_made_is_said(reviews):
    with pytest.raises(LabError, match=r"Cannot write in .*archive\.bin.*LAB2_DATA"):
        download.get_reviews(reviews / "archive.bin" / "deep")
    (reviews / ".aclImdb.partial").touch()  # a file, where the reviews are to be unpacked
    with pytest.raises(LabError, match=r"Cannot make the folder .*run this again"):
        download.get_reviews(reviews)


class Scanner:
    """Holds what is to be moved, as a virus scanner on Windows, for so many attempts."""

    def __init__(self, monkeypatch, attempts):
        self.left, self.move = attempts, Path.replace
        monkeypatch.setattr(Path, "replace", lambda *paths: self.replace(*paths))

    def replace(self, source, target):
        self.left -= 1
        if self.left >= 0:
            raise PermissionError(13, "Permission denied", str(source), None, str(target))
        return self.move(source, target)


def obtained(way, folder, server):
    """Fetch an archive, or unpack one of the two; return the file or folder that it gives."""
    if way == "fetch":
        return download.fetch(source_of(server(send)), folder)
    if way == "reviews":
        return download.unpack_reviews(tar_of(folder, *GOOD), folder / "into", COUNTS)
    return download.unpack_vectors(zip_of(folder), folder / "into", 50, count=20)


WAYS = pytest.mark.parametrize("way", ["fetch", "reviews", "vectors"])


@WAYS
def test_a_scanner_that_lets_go_costs_nothing(server, tmp_path, monkeypatch, way):
    monkeypatch.setattr(files, "PATIENCE", 60)
    scanner = Scanner(monkeypatch, attempts=2)
    assert obtained(way, tmp_path, server).exists() and scanner.left == -1


@WAYS
def test_a_scanner_that_holds_on_is_one_sentence(server, tmp_path, monkeypatch, way):
    monkeypatch.setattr(files, "PATIENCE", 0)
    Scanner(monkeypatch, attempts=10**6)
    with pytest.raises(LabError, match=r"Cannot move .*: Permission denied\..* run this again\."):
        obtained(way, tmp_path, server)
    assert not list(tmp_path.glob("into/*"))  # nothing half


# ── What is said ────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OSError(), "OSError"),
        (EOFError("\n"), "EOFError"),
        (ConnectionError("<Connection object at 0x7f>: "), "ConnectionError"),
        (OSError("first\nsecond"), "first"),
    ],
)
def test_an_error_that_says_nothing_is_called_by_its_name(error, said):
    assert download.reason(error) == said


def test_the_program_starts_in_any_folder(tmp_path):
    program = [sys.executable, ROOT / "tools" / "acquire.py"]
    run = subprocess.run([*program, "all"], cwd=tmp_path, capture_output=True, text=True)
    assert run.returncode == 2 and "all: only reviews and vectors" in run.stderr


def test_the_command_says_what_to_do(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(download, "REVIEWS", source_of("http://127.0.0.1:9/nobody"))
    monkeypatch.setattr("sys.argv", ["acquire.py", "reviews", "--folder", str(tmp_path)])
    assert download.main() == 1
    said = capsys.readouterr().err
    assert "with a browser" in said and "object at" not in said and "Traceback" not in said
