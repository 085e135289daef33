"""Fetches the official data, on request only: `make data`, or

    python tools/students/download.py [reviews] [vectors] [--dimensions 100] [--folder FOLDER]

The lab works without it, see data/README.md. An archive that is in the folder already is used. A
download that was cut goes on where it stopped. An archive is used only if its size and its SHA-256
are those of the official one, and only the files that the lab reads are taken out of it. One
program at a time does this; a second one is told so.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import re
import shutil
import sys
import tarfile
import time
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, NamedTuple
from urllib.parse import urlsplit

import requests
import urllib3
from filelock import FileLock, Timeout
from tqdm import tqdm

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # the lab, from any folder

from lab import config
from lab.base import files
from lab.config import LabError

CHUNK = 1 << 20  # bytes
MEGABYTE = 10**6


class Source(NamedTuple):
    """An archive, and where it is to be had. size is in bytes."""

    file: str
    urls: tuple[str, ...]
    size: int
    sha256: str
    room: int  # bytes that the unpacked files take


# Sizes and digests: as many projects that fetch these files have recorded them, such as TensorFlow
# Datasets (reviews) and Embeddings.jl (vectors); the authors publish none.
REVIEWS = Source(
    "aclImdb_v1.tar.gz",
    ("https://ai.stanford.edu/~amaas/data/sentiment/aclImdb_v1.tar.gz",),
    84_125_825,
    "c40f74a18d3b61f90feba1e17730e0d38e8b97c05fde7008942e91923d1658fe",
    500 * MEGABYTE,
)
VECTORS = Source(
    "glove.6B.zip",
    (
        "https://downloads.cs.stanford.edu/nlp/data/glove.6B.zip",
        "https://nlp.stanford.edu/data/glove.6B.zip",
        "https://huggingface.co/stanfordnlp/glove/resolve/main/glove.6B.zip",
    ),
    862_182_613,
    "617afb2fe6cbd085c235baf7a465b96f4112bd7f7ccb2b2cbd649fed9cbcf2fb",
    1100 * MEGABYTE,
)

REVIEW_FILE = re.compile(r"aclImdb/(train|test)/(pos|neg|unsup)/\d+_\d+\.txt")
LIST_FILE = re.compile(r"aclImdb/(train|test)/urls_(pos|neg|unsup)\.txt")
REVIEW_COUNTS = {
    **{f"aclImdb/{half}/{name}": 12_500 for half in ("train", "test") for name in ("pos", "neg")},
    "aclImdb/train/unsup": 50_000,
}
VECTOR_COUNT = 400_000

# What the archives may hold at the most; the official ones hold less than half of it.
LARGEST_TEXT, LARGEST_ARCHIVE = 10 * MEGABYTE, 1500 * MEGABYTE
LARGEST_VECTORS = 2500 * MEGABYTE

# ── 1. Download ─────────────────────────────────────────────────────────────────────────────────


class DownloadError(Exception):
    """One address did not give the archive. The message says why."""


def fetch(source: Source, folder: Path, patience: float = 60) -> Path:
    """Return the archive of a source in `folder`, downloaded if it is not there.

    patience: seconds that a server may be silent or almost so (below 10 kB/s).
    Only one program at a time may be at it, see `obtain`. Raises LabError if an archive that is
    there is not the official one, if no address gives it, or if there is no room.
    """
    archive = folder / source.file
    if archive.exists():
        if wrong := difference(archive, source):
            raise LabError(
                f"{archive} is not the official archive: {wrong}. Delete it or move it away, and "
                "run this again."
            )
        return archive
    part = folder / f"{source.file}.part"
    need_room(folder, source.size - (part.stat().st_size if part.exists() else 0))
    reasons = []
    for url in source.urls:
        try:
            download(url, part, source, patience)
        except DownloadError as error:
            reasons.append(f"{url}: {error}")
        else:
            put(part, archive)
            return archive
    raise LabError(by_hand(source, folder, reasons))


def by_hand(source: Source, folder: Path, reasons: list[str]) -> str:
    """Return what to say where no address gave an archive."""
    tried = "\n  ".join(reasons)
    return (
        f"{source.file} could not be downloaded:\n  {tried}\nRun this again to go on where it "
        f"stopped. Or fetch it with a browser from {source.urls[0]}, put it into {folder} as "
        f"{source.file}, and run this again. The lab works without it, on the packaged data."
    )


def difference(archive: Path, source: Source) -> str:
    """Return in words how a file differs from the official archive; "" if it does not."""
    size = archive.stat().st_size
    if size != source.size:
        return f"it has {size:,} bytes instead of {source.size:,}"
    with archive.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    return "" if found == source.sha256 else f"its SHA-256 is {found}"


def need_room(folder: Path, size: int) -> None:
    """Raise LabError if `folder` has no room for so many bytes."""
    free = shutil.disk_usage(folder).free
    if free < size:
        raise LabError(
            f"{folder} has room for {free / MEGABYTE:,.0f} MB, and {size / MEGABYTE:,.0f} MB are "
            "needed. Make room, or name another folder with LAB2_DATA."
        )


def put(source: Path, target: Path) -> None:
    """Move what is finished to its place. Raises LabError if another program holds it for long."""
    try:
        files.replace(source, target)
    except OSError as error:
        raise LabError(
            f"Cannot move {source} to {target}: {error.strerror or reason(error)}. Another program "
            "may have it open, such as a virus scanner: wait a little, and run this again."
        ) from None


def download(url: str, part: Path, source: Source, patience: float) -> None:
    """Download the rest of an archive into `part`, and check it. Raises DownloadError."""
    have = part.stat().st_size if part.exists() else 0
    if have > source.size:
        have = 0
    if have < source.size:
        try:
            with open_url(url, have, source, patience) as response:
                append(response, part, have if response.status_code == 206 else 0, source, patience)
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            raise DownloadError(f"{reason(error)}") from None
    if wrong := difference(part, source):
        part.unlink()  # the right size and the wrong bytes: there is nothing to go on from
        raise DownloadError(f"what came is not the official archive, {wrong}")


def reason(error: BaseException) -> str:
    """Return the first line of an error without the objects that some libraries print in it.

    It is the name of its type for an error that says nothing.
    """
    text = re.sub(r"<[^>]* object at 0x\w+>:? ?", "", str(error)).strip()
    return (text or type(error).__name__).splitlines()[0][:200]


def open_url(url: str, have: int, source: Source, patience: float) -> requests.Response:
    """Ask for the bytes of an archive from the `have`-th on; return a response that has them.

    Its status is 206 if it goes on, or 200 if it begins anew. Raises DownloadError.
    """
    headers = {"Accept-Encoding": "identity"}
    if have:
        headers["Range"] = f"bytes={have}-"
    response = requests.get(url, headers=headers, stream=True, timeout=patience)
    steps = [step.url for step in (*response.history, response)]
    if urlsplit(url).scheme == "https" and any(urlsplit(s).scheme != "https" for s in steps):
        raise DownloadError("the server leads away from HTTPS")
    if response.status_code not in (200, 206):
        raise DownloadError(f"the server answers {response.status_code} {response.reason}")
    if "html" in response.headers.get("Content-Type", ""):
        raise DownloadError("the server sends a web page instead of the archive")
    promised = int(response.headers.get("Content-Length", source.size - have))
    begins = have if response.status_code == 206 else 0
    if begins + promised != source.size:
        raise DownloadError(f"the server has {begins + promised:,} bytes, not {source.size:,}")
    return response


def append(
    response: requests.Response, part: Path, begins: int, source: Source, patience: float
) -> None:
    """Write a response into `part` from the `begins`-th byte on. Raises DownloadError."""
    least = 10_000 * patience  # bytes in that time
    with (
        part.open("r+b" if begins else "wb") as file,
        tqdm(total=source.size, initial=begins, unit="B", unit_scale=True, desc=source.file) as bar,
    ):
        file.seek(begins)
        have, since, before = begins, time.monotonic(), begins
        while chunk := response.raw.read1(CHUNK):  # what has come: a slow server must not hold us
            if have + len(chunk) > source.size:
                raise DownloadError("the server sends more than the archive")
            file.write(chunk)
            have += len(chunk)
            bar.update(len(chunk))
            if time.monotonic() - since > patience:
                if have - before < least:
                    raise DownloadError("the server is too slow")
                since, before = time.monotonic(), have
    if have < source.size:
        raise DownloadError(f"the connection broke after {have:,} of {source.size:,} bytes")


# ── 2. Unpacking ────────────────────────────────────────────────────────────────────────────────


def unpack_reviews(archive: Path, folder: Path, counts: dict[str, int] | None = None) -> Path:
    """Take the reviews out of aclImdb_v1.tar.gz, into `folder/aclImdb`; return that.

    It is there whole or not at all. counts: how many reviews each of its folders must have.
    Only one program at a time may do so, see `obtain`. Raises LabError for a damaged archive, for
    one with a file that leads outside, a link or a device, for one that is too large, for one that
    lacks reviews, and if they cannot be moved to their place.
    """
    counts = REVIEW_COUNTS if counts is None else counts
    with unpacking_folder(folder / "aclImdb") as place:
        found: Counter[str] = Counter()
        try:
            with tarfile.open(archive, "r|gz") as tar:
                for member in safe_members(tar, archive):
                    with tar.extractfile(member) as source:
                        copy(source, place / member.name, member.size)
                    found[str(Path(member.name).parent.as_posix())] += "urls_" not in member.name
        except (tarfile.TarError, EOFError, zlib.error, OSError) as error:
            raise LabError(f"{archive} is damaged: {reason(error)}. Fetch it anew.") from None
        found = Counter({name: found[name] for name in counts})
        if found != Counter(counts):
            raise LabError(f"{archive} holds {dict(found)} reviews, expected {counts}.")
        put(place / "aclImdb", folder / "aclImdb")
    return folder / "aclImdb"


def safe_members(tar: tarfile.TarFile, archive: Path) -> Iterator[tarfile.TarInfo]:
    """Yield the members of an archive of reviews that the lab reads.

    Raises LabError at the first member that leads outside, is a link or a device, or is too large,
    whether it would be read or not.
    """
    total = 0
    for member in tar:
        name = member.name
        total += member.size
        if name.startswith(("/", "\\")) or ".." in re.split(r"[/\\]", name) or ":" in name:
            raise LabError(f"{archive} holds {name!r}, which leads outside. Not unpacked.")
        if not (member.isreg() or member.isdir()):
            raise LabError(f"{archive} holds {name!r}, a link or a device. Not unpacked.")
        wanted = REVIEW_FILE.fullmatch(name) or LIST_FILE.fullmatch(name)
        if total > LARGEST_ARCHIVE or (wanted and member.size > LARGEST_TEXT):
            raise LabError(f"{archive} is far too large at {name!r}. Not unpacked.")
        if wanted and member.isreg():
            yield member


def unpack_vectors(
    archive: Path, folder: Path, dimensions: int = 100, count: int = VECTOR_COUNT
) -> Path:
    """Take glove.6B.<dimensions>d.txt out of glove.6B.zip, into `folder`; return it.

    Only one program at a time may do so, see `obtain`. Raises LabError for a damaged archive, one
    that lacks that file, or has one that is too large or has not `count` lines of a word and so
    many numbers, and if it cannot be moved to its place.
    """
    name = f"glove.6B.{dimensions}d.txt"
    with unpacking_folder(folder / name) as place:
        try:
            with zipfile.ZipFile(archive) as zipped:
                member = zipped.getinfo(name)
                if member.file_size > LARGEST_VECTORS:
                    raise LabError(f"{archive} is far too large at {name!r}. Not unpacked.")
                with zipped.open(member) as source:
                    copy(source, place / name, member.file_size)
        except KeyError:
            raise LabError(f"{archive} holds no {name}.") from None
        except (zipfile.BadZipFile, EOFError, zlib.error, OSError, NotImplementedError) as error:
            raise LabError(f"{archive} is damaged: {reason(error)}. Fetch it anew.") from None
        with (place / name).open("rb") as lines:
            fields = len(lines.readline().split(b" "))
            found = 1 + sum(1 for _ in lines)
        if (found, fields) != (count, dimensions + 1):
            raise LabError(
                f"{name} in {archive} has {found:,} lines of {fields} fields, expected {count:,} "
                f"of {dimensions + 1}."
            )
        put(place / name, folder / name)
    return folder / name


@contextlib.contextmanager
def unpacking_folder(target: Path) -> Iterator[Path]:
    """Give an empty folder beside `target` to unpack into; it is gone afterwards.

    Raises LabError if it cannot be made.
    """
    place = sweep(target)
    try:
        place.mkdir(parents=True)
    except OSError as error:
        raise LabError(
            f"Cannot make the folder {place}: {error.strerror or reason(error)}. Delete what is "
            "there or name another folder with LAB2_DATA, and run this again."
        ) from None
    try:
        yield place
    finally:
        sweep(target)


def sweep(target: Path) -> Path:
    """Delete the folder that `target` is unpacked in, if it is there; return its path."""
    place = target.with_name(f".{target.name}.partial")
    shutil.rmtree(place, ignore_errors=True)
    return place


def copy(source: IO[bytes], path: Path, size: int) -> None:
    """Copy `size` bytes, no more, into a new file. Raises EOFError if there are fewer or more."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("xb") as target:
        left = size
        while chunk := source.read(min(CHUNK, left + 1)):
            left -= len(chunk)
            if left < 0:
                raise EOFError(f"{path.name} is longer than its entry says")
            target.write(chunk)
    if left:
        raise EOFError(f"{path.name} ends {left:,} bytes too early")


# ── 3. The command ──────────────────────────────────────────────────────────────────────────────


def get_reviews(folder: Path | None = None) -> Path:
    """Return `aclImdb` in the data folder, fetched and unpacked if it is not there.

    Raises LabError as `obtain`.
    """
    folder = folder or config.data_folder()
    return obtain(REVIEWS, folder / "aclImdb", lambda archive: unpack_reviews(archive, folder))


def get_vectors(folder: Path | None = None, dimensions: int = 100) -> Path:
    """Return glove.6B.<dimensions>d.txt in the data folder, fetched and unpacked if it is not.

    Raises LabError as `obtain`.
    """
    folder = folder or config.data_folder()
    path = folder / f"glove.6B.{dimensions}d.txt"
    return obtain(VECTORS, path, lambda archive: unpack_vectors(archive, folder, dimensions))


def obtain(source: Source, target: Path, unpack: Callable[[Path], Path]) -> Path:
    """Return `target`, what `unpack` takes out of a source's archive, if need be fetched first.

    One program at a time does both, or a second one would sweep away what the first has unpacked so
    far. Raises LabError if another is at it, if the folder cannot be written, and as `fetch` and
    the unpacking do.
    """
    folder = target.parent
    if target.exists():
        return target
    with locked(folder / f"{source.file}.lock"):
        if target.exists():  # another program has ended just now
            return target
        sweep(target)  # what a killed program has left takes room
        archive = fetch(source, folder)
        need_room(folder, source.room)
        return unpack(archive)


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold a lock, and make the folder for it. Raises LabError if another program holds it."""
    lock = FileLock(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=0)
    except Timeout:
        raise LabError(
            f"Another program is fetching or unpacking it: {path} is locked. Wait until it has "
            "ended, and run this again."
        ) from None
    except OSError as error:
        raise LabError(
            f"Cannot write in {path.parent}: {error.strerror or reason(error)}. Name another "
            "folder with LAB2_DATA."
        ) from None
    try:
        yield
    finally:
        lock.release()


def main() -> int:
    """Read the command line and fetch what it names; return the exit status."""
    parser = argparse.ArgumentParser(description="Fetch the official data.")
    parser.add_argument("what", nargs="*", help="reviews, vectors; by default both")
    parser.add_argument("--dimensions", type=int, default=100, choices=(50, 100, 200, 300))
    parser.add_argument("--folder", type=Path, default=None, help="by default the data folder")
    options = parser.parse_args()
    what = options.what or ["reviews", "vectors"]
    if unknown := set(what) - {"reviews", "vectors"}:
        parser.error(f"{', '.join(unknown)}: only reviews and vectors can be fetched")
    try:
        if "reviews" in what:
            print(f"Reviews: {get_reviews(options.folder)}")
        if "vectors" in what:
            print(f"Vectors: {get_vectors(options.folder, options.dimensions)}")
    except LabError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
