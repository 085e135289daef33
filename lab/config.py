"""Settings of the lab: its profiles, its folders, and every LAB2_* variable of the environment.

To add a profile, add one entry to PROFILES: nothing elsewhere asks for a profile's name.

    LAB2_PROFILE                    how much work the lab does
    LAB2_DATA, LAB2_OUT             folders of data and of results
    LAB2_REVIEWS                    the file of the reader's own texts
    LAB2_TEXT, _LABEL, _ENCODING    its columns of texts and labels, and its encoding
    LAB2_POSITIVE, LAB2_NEGATIVE    its labels that are 1, and those that are 0
    LAB2_TOKENS                     how texts are cut into words: "en", or "zh" for Chinese
    LAB2_DEVICE                     cpu leaves a GPU out; cuda:1 takes the second
    LAB2_LANGUAGE                   the reader's language, where the lesson's is not meant
    LAB2_HINTS                      "recorded": it is kept which hints were taken
    LAB2_DASK                       the address of the Dask scheduler that takes the runs
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]  # the folder of the lab


class LabError(Exception):
    """A problem the reader can mend. The message says what is wrong, where, and what to do.

    Jupyter shows it as one line instead of a traceback.
    """

    def _render_traceback_(self) -> list[str]:
        return [f"LabError: {self}"]


@contextlib.contextmanager
def ends_in_a_sentence() -> Iterator[None]:
    """Where a program raises LabError, end it with the message and status 1. Also a decorator."""
    try:
        yield
    except LabError as error:
        raise SystemExit(str(error)) from None


@dataclasses.dataclass(frozen=True)
class Profile:
    """How much work the lab does. Sizes count reviews, lengths count tokens.

    The values here are those of `quick`, the default: a laptop, some minutes. The last block holds
    the sizes of the lists of runs; networks go by their names in the notebook.
    """

    name: str = "quick"
    train: int | None = 5000  # None: all that validation and test leave
    valid: int = 1000
    test: int = 2000  # carved from the training half, where the official test half is not used
    official_test: bool | None = None  # is it? None: if it is there; True: not without it
    max_length: int = 80  # long reviews keep their last tokens
    epochs: int = 3
    batch_size: int = 32

    # the language model
    stream_train: int | None = 2500  # reviews to read; None: all, also unlabelled ones
    stream_valid: int | None = 500  # validation reviews that judge; None: all
    stream_parts: int = 3  # pieces that the text is read in, one an epoch
    stream_batch_size: int = 16  # columns of the text that are read side by side

    # the lists of runs
    tuning: str = "quick"  # profile whose stored runs choose the learning rates
    ablated: tuple[str, ...] = ("RNN-256",)  # networks whose ablation is trained
    seeds: int = 3  # for one network of each cell
    all_seeded: bool = False  # for the others too
    labelled: tuple[int, ...] = (500, 0)  # labels in the transfer runs; 0: all
    stored_seeds: int = 10  # of networks and language models in the stored results
    tuning_seeds: int = 3  # of each learning rate in the stored tuning runs
    recall_updates: int = 1500  # of the recall task, at most


# all there is: the stored results
ALL = {
    "train": None, "valid": 2500, "test": 5000, "max_length": 400, "epochs": 6, "batch_size": 64,
    "stream_train": None, "stream_valid": None, "stream_parts": 10, "stream_batch_size": 32,
    "tuning": "full", "ablated": ("RNN-256", "GRU-256"), "seeds": 5, "all_seeded": True,
    "labelled": (100, 500, 2500, 0), "stored_seeds": 5, "tuning_seeds": 1,
}  # fmt: skip
# seconds, for tests: it runs every cell, and its results mean nothing
TINY = {
    "train": 300, "valid": 200, "test": 200, "max_length": 12, "epochs": 1, "seeds": 2,
    "stream_train": 60, "stream_valid": 60, "stream_parts": 2, "stream_batch_size": 8,
    "labelled": (200, 0), "stored_seeds": 1, "tuning_seeds": 1, "recall_updates": 12,
}  # fmt: skip
# all packaged reviews, about an hour of two cores: what a student hands in
COURSE = {
    **ALL, "valid": 2000, "test": 3000, "max_length": 200, "epochs": 4, "stream_parts": 6,
    "ablated": ("RNN-256",), "seeds": 3, "all_seeded": False, "stored_seeds": 1,
    "labelled": (500, 0),
}  # fmt: skip
PROFILES = {
    "tiny": Profile("tiny", **TINY),
    "quick": Profile(),
    "course": Profile("course", **COURSE),
    # the film split, with or without the official test half on the disk: data/reference/full
    "full": Profile("full", **ALL, official_test=False),
    # the same, tested on all 25,000 reviews of the official test half: data/reference/official
    "official": Profile("official", **ALL, official_test=True),
}


def get_profile(name: str | None = None) -> Profile:
    """Return the profile called `name`, by default the one LAB2_PROFILE names, else quick.

    Raises LabError for an unknown name.
    """
    name = name or variable("PROFILE") or "quick"
    if name not in PROFILES:
        from lab.base.messages import _  # it asks for the language here

        raise LabError(
            _(
                "Unknown profile {name!r}. Set LAB2_PROFILE to one of: {known}.",
                name=name,
                known=list(PROFILES),
            )
        )
    return PROFILES[name]


def data_folder() -> Path:
    """Return the folder of data and caches: LAB2_DATA if set, else `data` in the lab's folder."""
    return _path("DATA") or ROOT / "data"


def output_folder() -> Path:
    """Return the folder of runs, CSV files and figures: LAB2_OUT if set, else the data folder."""
    return _path("OUT") or data_folder()


def name_output(folder: Path) -> None:
    """Let runs, CSV files and figures of this process and its children go to a folder."""
    os.environ["LAB2_OUT"] = str(folder)


def own_texts() -> Path | None:
    """Return the file of the reader's own texts that LAB2_REVIEWS names; None: there is none."""
    return _path("REVIEWS")


def tokens() -> str:
    """Return by whose rules texts are cut into words: LAB2_TOKENS, else "en"; or "zh".

    Raises LabError for another value.
    """
    kind = variable("TOKENS") or "en"
    if kind not in ("en", "zh"):
        from lab.base.messages import _

        raise LabError(
            _("LAB2_TOKENS={kind} is not known. Set it to zh, for Chinese, or to en.", kind=kind)
        )
    return kind


def language() -> str:
    """Return the reader's language: LAB2_LANGUAGE, else that of the lesson in the lab's folder."""
    return variable("LANGUAGE") or lesson_language(ROOT)


@functools.lru_cache(None)
def lesson_language(folder: Path) -> str:
    """Return in which language a folder's lesson is, as lab2.ipynb says; else English.

    Where there is no lab2.ipynb, the others called lab2 are asked, if they agree: a student may
    have given it another name.
    """
    lessons = [*folder.glob("lab2.ipynb")] or [*folder.glob("lab2*.ipynb")]
    found = set()
    for path in lessons:
        try:
            metadata = json.loads(path.read_text(encoding="utf-8-sig"))["metadata"]
            found.add(str(metadata["lab2"]["language"]))
        except (OSError, ValueError, TypeError, KeyError):
            found.add("en")  # it does not say, or cannot be read
    language = found.pop() if len(found) == 1 else "en"
    known = {path.name for path in (ROOT / "translations").glob("*")}
    return language if language in known else "en"


def device() -> str:
    """Return the device that LAB2_DEVICE asks for: cpu, cuda or cuda:1; "" leaves the choice.

    Raises LabError for anything else.
    """
    name = variable("DEVICE") or ""
    if not re.fullmatch(r"(cpu|cuda(:\d+)?)?", name):
        from lab.base.messages import _

        raise LabError(
            _("LAB2_DEVICE is {name!r}. Set it to cpu, cuda or cuda:1, or unset it.", name=name)
        )
    return name


def hints_are_recorded() -> bool:
    """Say whether the teacher wants to know which hints were taken."""
    return variable("HINTS") == "recorded"


def name_language(language: str) -> None:
    """Let this process and its children show what they show in a language."""
    os.environ["LAB2_LANGUAGE"] = language


def _path(name: str) -> Path | None:
    """Return the path that LAB2_<name> holds, if it is set.

    A relative one is looked for in the folder that one works in, then in the lab's: the further
    notebooks work in a folder of their own, and mean the same path as the lab does. `~` is the
    reader's own folder, also where no shell has replaced it, as in a file of settings. Raises
    LabError where the reader may not enter: it might look as if nothing lay there.
    """
    value = variable(name)
    if value is None:
        return None
    path = Path(os.path.expanduser(value))  # noqa: PTH111 (it leaves an unknown ~name as it is)
    path = path if os.access(path, os.F_OK) else ROOT / path
    try:
        os.stat(os.path.join(path, "."))  # noqa: PTH116, PTH118 (pathlib drops the dot)
    except PermissionError:
        from lab.base.messages import _

        raise LabError(
            _(
                "{variable} names a place that you may not enter. Correct {variable}, or unset it.",
                variable=f"LAB2_{name}",
            )
        ) from None
    except OSError:
        pass  # it is a file, or has still to be made
    return path


def variables(name: str) -> list[str]:
    """Return what the variable LAB2_<name> lists, with commas between; nothing if it is not set."""
    return [part.strip() for part in (variable(name) or "").split(",") if part.strip()]


def variable(name: str) -> str | None:
    """Return the variable LAB2_<name> of the environment; None if it is not set, or empty.

    Windows keeps the blank of `set LAB2_PROFILE=course & jupyter lab`, and the quotes of
    `set LAB2_DATA="D:\\my data"`.
    """
    value = os.environ.get("LAB2_" + name, "").strip()
    if len(value) > 1 and value[0] == value[-1] and value[0] in "\"'":
        value = value[1:-1].strip()
    return value or None
