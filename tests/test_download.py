"""Downloading the official data, from a server on this machine that breaks off, and lies."""

import hashlib
import subprocess
import sys
import tarfile
import tempfile
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pytest
from filelock import FileLock
from hypothesis import given, settings, strategies

from lab.config import LabError
from tools.students import download

PROGRAM = Path(__file__).parents[1] / "tools" / "students" / "download.py"
CONTENT = np.random.default_rng(0).bytes(200_000)
CHUNK = 1 << 16  # bytes that are lost at the most when a connection breaks


class Handler(BaseHTTPRequestHandler):
    """Sends the next of its server's answers: status, content, and where it breaks off."""

    def do_GET(self):
        begin = int(self.headers["Range"].removeprefix("bytes=").removesuffix("-"))
        self.server.begins.append(begin)
        answers = self.server.answers
        status, content, end = answers.pop(0) if answers else (206, CONTENT[begin:], None)
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content[:end])


@pytest.fixture(scope="module")
def server():
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.begins, server.answers = [], []
        server.source = source_of(CONTENT, f"http://127.0.0.1:{server.server_port}/")
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def source_of(content, url="http://127.0.0.1:9/nobody"):
    return download.Source("archive", len(content), hashlib.sha256(content).hexdigest(), (url,))


@settings(deadline=None, max_examples=50)
@given(end=strategies.integers(0, len(CONTENT) - 1), resumes=strategies.booleans())
def test_after_any_cut_only_the_rest_is_asked_for(server, end, resumes):
    with tempfile.TemporaryDirectory() as folder:
        part = Path(folder, "archive.part")
        server.answers = [(200, CONTENT, end)]
        with pytest.raises(LabError, match="go on where it stopped"):
            download.download(server.source, Path(folder))
        have = part.stat().st_size
        assert end - CHUNK < have <= end
        server.answers = [] if resumes else [(200, CONTENT, None)]
        assert download.download(server.source, Path(folder)).read_bytes() == CONTENT
        assert server.begins[-2:] == [0, have] and not part.exists()


@pytest.mark.parametrize("answer", [(404, b""), (200, b"<html>"), (200, CONTENT * 2), (206, b"x")])
def test_a_server_of_another_file_leaves_the_part_to_the_next_address(server, tmp_path, answer):
    (tmp_path / "archive.part").write_bytes(CONTENT[:1000])
    server.answers = [(*answer, None)] * 2
    with pytest.raises(LabError, match=r"/: (404|offers [\d,]+ bytes, expected 200,000)"):
        download.download(server.source, tmp_path)
    source = server.source._replace(urls=server.source.urls * 2)
    assert download.download(source, tmp_path).read_bytes() == CONTENT
    assert server.begins[-3:] == [1000] * 3


@pytest.mark.parametrize("name", ["archive", "archive.part"])
def test_a_wrong_file_is_set_aside_and_the_next_try_is_fresh(server, tmp_path, name):
    (tmp_path / name).write_bytes(CONTENT[::-1])
    with pytest.raises(LabError, match=r"another SHA-256, and is archive\.wrong now"):
        download.download(server.source, tmp_path)
    assert (tmp_path / "archive.wrong").read_bytes() == CONTENT[::-1]
    (tmp_path / "archive.part").write_bytes(CONTENT * 2)  # no part of it: it is longer
    assert download.download(server.source, tmp_path).read_bytes() == CONTENT
    assert server.begins[-1] == 0


WANTED = ["aclImdb/train/pos/0_9.txt", "aclImdb/train/urls_pos.txt", "aclImdb/test/neg/1_1.txt"]
OUTSIDE = [f"../{WANTED[0]}", f"{WANTED[0]}/../../../../../../evil.txt", f"..\\{WANTED[0]}"]
UNREAD = ["aclImdb/README", "aclImdb/train/unsupBow.feat"]


@pytest.fixture
def reviews(tmp_path):
    """What `obtain` needs for an archive that is there, of empty files and a link."""
    archive = tmp_path / "data" / "archive"
    archive.parent.mkdir()
    with tarfile.open(archive, "w:gz") as tar:
        for name in [*WANTED, *OUTSIDE, *UNREAD]:
            tar.addfile(tarfile.TarInfo(name))
        link = tarfile.TarInfo("aclImdb/train/neg/2_2.txt")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/hostname"
        tar.addfile(link)
    return source_of(archive.read_bytes()), download.REVIEW_FILES, archive.parent / "aclImdb"


def names_in(folder):
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*.*")}


def test_only_what_the_lab_reads_is_taken_out_of_an_archive_that_is_there(reviews, tmp_path):
    for _ in range(2):
        download.obtain(*reviews)
        assert names_in(tmp_path) == {"data/archive.lock", *(f"data/{name}" for name in WANTED)}
        (tmp_path / "data" / "archive").unlink(missing_ok=True)  # the unpacked data will do


def test_one_file_of_vectors_is_taken_out(tmp_path):
    with zipfile.ZipFile(tmp_path / "archive", "w") as packed:
        for name in ("glove.6B.50d.txt", "glove.6B.100d.txt", "../glove.6B.50d.txt"):
            packed.writestr(name, name)
    source = source_of((tmp_path / "archive").read_bytes())
    download.obtain(source, r"glove\.6B\.50d\.txt", tmp_path / "glove.6B.50d.txt")
    assert names_in(tmp_path) == {"archive.lock", "glove.6B.50d.txt"}
    assert (tmp_path / "glove.6B.50d.txt").read_text() == "glove.6B.50d.txt"


def test_a_full_disk_a_wrong_folder_and_a_second_program_are_said(reviews, tmp_path, monkeypatch):
    full = Mock(side_effect=OSError(28, "No space left on device"))
    monkeypatch.setattr("shutil.copyfileobj", full)
    with pytest.raises(LabError, match=r"Cannot write in .*: No space left .* run this again"):
        download.obtain(*reviews)
    assert names_in(tmp_path) == {"data/archive.lock"}  # nothing half
    with pytest.raises(LabError, match=r"Cannot write in .*LAB2_DATA"):
        download.obtain(*reviews[:2], tmp_path / "data" / "archive" / "deep" / "aclImdb")
    with FileLock(tmp_path / "data" / "archive.lock"), pytest.raises(LabError, match="Another pro"):
        download.obtain(*reviews)


def test_by_default_the_command_makes_both(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["download.py", "--folder", str(tmp_path)])
    monkeypatch.setattr(download, "obtain", lambda *_: None)
    download.main()
    said = [f"Reviews: {tmp_path / 'aclImdb'}", f"Vectors: {tmp_path / 'glove.6B.100d.txt'}"]
    assert capsys.readouterr().out.splitlines() == said


def test_the_command_says_how_to_go_on(tmp_path, monkeypatch):
    monkeypatch.setattr(download, "REVIEWS", source_of(CONTENT))
    monkeypatch.setattr("sys.argv", ["download.py", "reviews", "--folder", str(tmp_path)])
    with pytest.raises(SystemExit, match="with a browser") as error:
        download.main()
    assert "object at" not in str(error.value)
    monkeypatch.setattr(download, "ResumingDownloader", Mock(side_effect=KeyboardInterrupt))
    with pytest.raises(SystemExit, match=r"Stopped\. Run this again to go on"):
        download.main()


def test_the_program_starts_in_any_folder(tmp_path):
    run = subprocess.run([sys.executable, PROGRAM, "all"], cwd=tmp_path, capture_output=True)
    assert run.returncode == 2 and b"invalid choice: 'all'" in run.stderr
