"""Settings of the lab: its profiles, its folders, and every LAB2_* variable of the environment.

To add a profile, add one entry to PROFILES: nothing elsewhere asks for a profile's name.
"""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]  # the folder of the lab


class LabError(Exception):
    """A problem the reader can mend. The message says what is wrong, where, and what to do.

    Jupyter shows it as one line instead of a traceback.
    """

    def _render_traceback_(self) -> list[str]:
        return [f"LabError: {self}"]


@dataclasses.dataclass(frozen=True)
class Profile:
    """How much work the lab does. Sizes count reviews, lengths count tokens.

    The last block holds the sizes of the lists of runs; networks go by their names in the notebook.
    """

    name: str
    train: int | None  # None: all that validation and test leave
    valid: int
    test: int | None  # where the official test half is missing; None: not without it
    max_length: int  # long reviews keep their last tokens
    epochs: int
    batch_size: int

    # the language model
    stream_train: int | None  # reviews to read; None: all, and the unlabelled ones if there are any
    stream_valid: int | None  # validation reviews that judge; None: all
    stream_parts: int  # pieces that the text is read in, one an epoch
    stream_batch_size: int  # columns of the text that are read side by side

    # the lists of runs
    tuning: str  # profile whose stored runs choose the learning rates
    ablated: tuple[str, ...]  # networks whose ablation is trained
    seeds: int  # for one network of each cell
    all_seeded: bool  # for the others too
    labelled: tuple[int, ...]  # labels in the transfer runs; 0: all
    stored_seeds: int  # of networks and language models in the stored results
    tuning_seeds: int = 1  # of each learning rate in the stored tuning runs
    recall_updates: int = 1500  # of the recall task, at most


# the default: a laptop, some minutes
QUICK = Profile(
    name="quick",
    train=5000,
    valid=1000,
    test=2000,
    max_length=80,
    epochs=3,
    batch_size=32,
    stream_train=2500,
    stream_valid=500,
    stream_parts=3,
    stream_batch_size=16,
    tuning="quick",
    ablated=("RNN-256",),
    seeds=3,
    all_seeded=False,
    labelled=(500, 0),
    stored_seeds=10,
    tuning_seeds=3,
)
# all there is: the stored results
FULL = Profile(
    name="full",
    train=None,
    valid=2500,
    test=5000,
    max_length=400,
    epochs=6,
    batch_size=64,
    stream_train=None,
    stream_valid=None,
    stream_parts=10,
    stream_batch_size=32,
    tuning="full",
    ablated=("RNN-256", "GRU-256"),
    seeds=5,
    all_seeded=True,
    labelled=(100, 500, 2500, 0),
    stored_seeds=5,
)
# seconds, for tests: it runs every cell, and its results mean nothing
TINY = {"train": 300, "valid": 200, "test": 200, "max_length": 12, "epochs": 1, "seeds": 2}
TINY |= {"stream_train": 60, "stream_valid": 60, "stream_parts": 2, "stream_batch_size": 8}
TINY |= {"labelled": (200, 0), "stored_seeds": 1, "tuning_seeds": 1, "recall_updates": 12}
# all packaged reviews, about an hour of two cores: what a student hands in
COURSE = {"valid": 2000, "test": 3000, "max_length": 200, "epochs": 4, "stream_parts": 6}
COURSE |= {"ablated": ("RNN-256",), "seeds": 3, "all_seeded": False, "stored_seeds": 1}
COURSE |= {"labelled": (500, 0)}
PROFILES = {
    "tiny": dataclasses.replace(QUICK, name="tiny", **TINY),
    "quick": QUICK,
    "course": dataclasses.replace(FULL, name="course", **COURSE),
    "full": FULL,
    # full, tested on all 25,000 reviews of the official test half: data/reference/official
    "official": dataclasses.replace(FULL, name="official", test=None),
}


def get_profile(name: str | None = None) -> Profile:
    """Return the profile called `name`, by default the one LAB2_PROFILE names, else quick.

    Raises LabError for an unknown name.
    """
    name = name or _variable("PROFILE") or "quick"
    if name not in PROFILES:
        known = ", ".join(PROFILES)
        raise LabError(f"Unknown profile {name!r}. Set LAB2_PROFILE to one of: {known}.")
    return PROFILES[name]


def data_folder() -> Path:
    """Return the folder of data and caches: LAB2_DATA if set, else `data` in the lab's folder."""
    return _path("DATA") or ROOT / "data"


def output_folder() -> Path:
    """Return the folder of runs, CSV files and figures: LAB2_OUT if set, else the data folder."""
    return _path("OUT") or data_folder()


def output_is_named() -> bool:
    """Say whether LAB2_OUT is set."""
    return _variable("OUT") is not None


def name_output(folder: Path) -> None:
    """Let runs, CSV files and figures of this process and its children go to a folder."""
    os.environ["LAB2_OUT"] = str(folder)


def own_texts() -> Path | None:
    """Return the file of the reader's own texts that LAB2_REVIEWS names; None: there is none."""
    return _path("REVIEWS")


def text_column() -> str | None:
    """Return the column of the texts in the reader's own file, if LAB2_TEXT names it."""
    return _variable("TEXT")


def label_column() -> str | None:
    """Return the column of the labels in the reader's own file, if LAB2_LABEL names it."""
    return _variable("LABEL")


def text_encoding() -> str:
    """Return the encoding of the reader's own file: LAB2_ENCODING, else UTF-8."""
    return _variable("ENCODING") or "utf-8-sig"


def language() -> str:
    """Return the language in which results are shown: LAB2_LANGUAGE, else English."""
    return _variable("LANGUAGE") or "en"


def name_language(language: str) -> None:
    """Let this process and its children show what they show in a language."""
    os.environ["LAB2_LANGUAGE"] = language


def scheduler_address() -> str | None:
    """Return the address of the Dask scheduler that takes the runs, if LAB2_DASK names one."""
    return _variable("DASK")


def _path(name: str) -> Path | None:
    """Return the path that LAB2_<name> holds, if it is set.

    A relative one is looked for in the folder that one works in, then in the lab's: the further
    notebooks work in a folder of their own, and mean the same path as the lab does. `~` is the
    reader's own folder, also where no shell has replaced it, as in a file of settings.
    """
    value = _variable(name)
    if value is None:
        return None
    path = Path(os.path.expanduser(value))  # noqa: PTH111 (it leaves an unknown ~name as it is)
    return path if path.exists() else ROOT / path


def _variable(name: str) -> str | None:
    """Return the variable LAB2_<name> of the environment; None if it is not set, or empty."""
    return os.environ.get("LAB2_" + name) or None
