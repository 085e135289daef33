"""Files: whole or not at all, however the system behaves."""

import os
import subprocess
import time
from pathlib import Path

import pytest

from lab import config
from lab.base import files, machine
from lab.config import LabError


def test_a_file_that_another_program_holds_is_written_when_it_lets_go(tmp_path, monkeypatch):
    """As on Windows, where a file that is open cannot be replaced."""
    refusals, move = iter([True, True]), Path.replace

    def held(self, target):
        if next(refusals, False):
            raise PermissionError(13, "The process cannot access the file")
        return move(self, target)

    monkeypatch.setattr(Path, "replace", held)
    monkeypatch.setattr(files.time, "sleep", lambda _: None)
    files.write_atomically(tmp_path / "curve.csv", b"new")
    assert (tmp_path / "curve.csv").read_bytes() == b"new"


@pytest.mark.parametrize(
    ("owner", "call", "error", "advice"),
    [
        (Path, "replace", PermissionError(13, "It is in use"), "Close the program that has it op"),
        (Path, "open", PermissionError(13, "Permission denied"), "another folder with LAB2_OUT"),
        (os, "fsync", OSError(28, "No space left on device"), "Free some space"),
    ],
)
def test_what_cannot_be_written_is_said_and_the_old_file_stays(
    tmp_path, monkeypatch, owner, call, error, advice
):
    """Held by another program for good, in a folder of somebody else, on a full disk."""
    file = tmp_path / "curve.csv"
    file.write_bytes(b"old")

    def refused(*_, **__):
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(owner, call, refused)
        patch.setattr(files, "PATIENCE", 0.0)
        with pytest.raises(LabError, match=rf"Cannot write curve\.csv .*{error.strerror}") as told:
            files.write_atomically(file, b"new")
    assert advice in str(told.value)
    assert [path.name for path in tmp_path.iterdir()] == ["curve.csv"]
    assert file.read_bytes() == b"old"


def test_written_files_have_the_usual_permissions(tmp_path):
    (tmp_path / "usual").touch()
    files.write_atomically(tmp_path / "ours", b"x")
    assert (tmp_path / "ours").stat().st_mode == (tmp_path / "usual").stat().st_mode


def test_parts_that_killed_processes_left_are_swept_away(tmp_path):
    old, young, other = (tmp_path / f".{n}.part" for n in ("a[1]-x", "a[1]-y", "b-x"))
    for path in (old, young, other):
        path.write_bytes(b"part")
    long_ago = time.time() - 2 * files.LEFT_BEHIND
    for path in (old, other):
        os.utime(path, (long_ago, long_ago))
    files.write_atomically(tmp_path / "a[1]", b"whole")
    assert not old.exists()
    assert young.exists() and other.exists()  # another process may be at it; another file's


def test_faults_of_ours_are_not_taken_for_damage(tmp_path, monkeypatch):
    files.save_arrays(tmp_path / "a.npz", x=files.np.ones(2))

    def wrong(*_, **__):
        raise TypeError("a mistake in the lab")

    monkeypatch.setattr(files.np, "load", wrong)
    with pytest.raises(TypeError):
        files.load_arrays(tmp_path / "a.npz")


def test_a_lab_inside_of_somebodys_repository_has_no_commit(tmp_path, monkeypatch):
    git = ["git", "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=a@b"]
    for command in (["init", "-q"], ["commit", "-q", "--allow-empty", "-m", "mine"]):
        subprocess.run(git + command, check=True)
    monkeypatch.setattr(config, "ROOT", tmp_path)
    assert len(machine.circumstances()["commit"]) == 12
    (tmp_path / "lab2").mkdir()
    monkeypatch.setattr(config, "ROOT", tmp_path / "lab2")
    assert machine.circumstances()["commit"] == ""


def test_a_record_names_the_gpu(monkeypatch):
    monkeypatch.setattr(machine.torch.cuda, "get_device_name", lambda _: "NVIDIA T4")
    monkeypatch.setattr(machine.torch.version, "cuda", "13.0")
    assert machine.name_of(machine.torch.device("cuda:0")) == "cuda:0, NVIDIA T4, CUDA 13.0"
    assert machine.name_of(machine.torch.device("cpu")) == "cpu"
