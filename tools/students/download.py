"""Downloads the official data, on request only.

    python tools/students/download.py [reviews | vectors] [--dimensions 100] [--folder FOLDER]

The lab works without it, see data/README.md. What is in the folder already is used: the unpacked
data, an archive, or the part of an archive that a stopped download has left. An archive is used
only if its SHA-256 is right. Only the files that the lab reads are taken out of it.
"""

from __future__ import annotations

import argparse
import re
import shutil
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import IO, NamedTuple

import pooch
from filelock import FileLock, Timeout
from requests import RequestException, Response

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # the lab, from any folder

from lab import config
from lab.base import files
from lab.base.messages import _, reason
from lab.config import LabError


class Source(NamedTuple):
    """An archive, and where it can be had. size is in bytes."""

    file: str
    size: int
    sha256: str
    urls: tuple[str, ...]


# Sizes and digests: as many projects that fetch these files have recorded them, such as TensorFlow
# Datasets (reviews) and Embeddings.jl (vectors); the authors publish none.
REVIEWS = Source(
    "aclImdb_v1.tar.gz",
    84_125_825,
    "c40f74a18d3b61f90feba1e17730e0d38e8b97c05fde7008942e91923d1658fe",
    ("https://ai.stanford.edu/~amaas/data/sentiment/aclImdb_v1.tar.gz",),
)
VECTORS = Source(
    "glove.6B.zip",
    862_182_613,
    "617afb2fe6cbd085c235baf7a465b96f4112bd7f7ccb2b2cbd649fed9cbcf2fb",
    (
        "https://downloads.cs.stanford.edu/nlp/data/glove.6B.zip",
        "https://nlp.stanford.edu/data/glove.6B.zip",
        "https://huggingface.co/stanfordnlp/glove/resolve/main/glove.6B.zip",
    ),
)
REVIEW_FILES = r"aclImdb/(train|test)/((pos|neg|unsup)/\d+_\d+|urls_(pos|neg|unsup))\.txt"


class ResumingDownloader(pooch.HTTPDownloader):
    """Downloads a file of `size` bytes, and goes on with the part of it that is there."""

    def __init__(self, size: int) -> None:
        super().__init__(progressbar=True, chunk_size=1 << 16, timeout=60)  # bytes, seconds
        self.size = size

    def __call__(self, url: str, output_file: Path, pooch: object = None) -> None:
        """Add to `output_file` what it lacks. Raises RequestException."""
        with output_file.open("ab") as part:
            have = part.tell() if part.tell() <= self.size else 0
            if have < self.size:
                headers = {"Range": f"bytes={have}-", "Accept-Encoding": "identity"}
                hooks = {"response": partial(self.cut_to_fit, part, have)}
                self.kwargs |= {"headers": headers, "hooks": hooks}
                super().__call__(url, part, pooch)

    def cut_to_fit(self, part: IO[bytes], have: int, response: Response, **unused: object) -> None:
        """Keep what a response goes on from: `have` bytes, or none if it begins anew.

        Raises RequestException, and keeps the part, if the response is of another file.
        """
        if response.status_code not in (200, 206):
            return  # a redirection, or an error that pooch raises
        begin = have if response.status_code == 206 else 0
        size = begin + int(response.headers.get("Content-Length", 0))
        if size != self.size:
            raise RequestException(
                _("offers {size:,} bytes, expected {expected:,}", size=size, expected=self.size)
            )
        part.truncate(begin)


def download(source: Source, folder: Path) -> Path:
    """Return the archive of a source in `folder`, downloaded if it is not there.

    One that is not the official archive is set aside. Raises LabError if no address gives it.
    """
    archive = folder / source.file
    problems = []
    for url in source.urls:
        try:
            if not archive.exists():
                part = folder / f"{source.file}.part"
                ResumingDownloader(source.size)(url, part)
                files.replace(part, archive)
        except RequestException as error:
            problems.append(f"{url}: {error}")
            continue
        if pooch.file_hash(archive) == source.sha256:
            return archive
        files.replace(archive, folder / f"{source.file}.wrong")
        wrong = _("what was there has another SHA-256, and is {file}.wrong now", file=source.file)
        problems.append(str(wrong))
    raise LabError(
        _(
            "{file} could not be downloaded:\n  {problems}\nRun this again to go on where it "
            "stopped. Or get it with a browser from {address}, put it into {folder}, and run this "
            "again. The lab works without it, on the packaged data.",
            file=source.file,
            problems="\n  ".join(problems),
            address=source.urls[0],
            folder=folder,
        )
    )


def unpack(archive: Path, wanted: str, target: Path) -> None:
    """Take the files whose whole names match `wanted` out of an archive, and so make `target`.

    It is there whole or not at all. A pattern without `..` lets nothing outside; links and devices
    are left out.
    """
    place = target.with_name(f".{target.name}.partial")
    shutil.rmtree(place, ignore_errors=True)  # what a killed program has left
    try:
        for name, content in contents(archive):
            if re.fullmatch(wanted, name):
                (place / name).parent.mkdir(parents=True, exist_ok=True)
                with (place / name).open("wb") as copy:
                    shutil.copyfileobj(content, copy)
        files.replace(place / target.name, target)
    finally:
        shutil.rmtree(place, ignore_errors=True)


def contents(archive: Path) -> Iterator[tuple[str, IO[bytes]]]:
    """Yield name and content of each file in a ZIP or TAR archive."""
    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as packed:
            for name in packed.namelist():
                yield name, packed.open(name)
        return
    with tarfile.open(archive, "r|gz") as packed:
        for member in packed:
            if member.isfile():
                yield member.name, packed.extractfile(member)


def obtain(source: Source, wanted: str, target: Path) -> None:
    """Make `target` of the files `wanted` of a source's archive, if it is not there.

    Raises LabError as `download`, if the folder cannot be written, or if another program does it.
    """
    folder = target.parent
    try:
        if not target.exists():
            folder.mkdir(parents=True, exist_ok=True)
            with FileLock(folder / f"{source.file}.lock", timeout=0):
                unpack(download(source, folder), wanted, target)
    except Timeout:
        raise LabError(
            _("Another program is downloading {file}. Wait for its end.", file=source.file)
        ) from None
    except OSError as error:
        raise LabError(
            _(
                "Cannot write in {folder}: {reason}. Make room, or name another folder with "
                "LAB2_DATA, and run this again. What has been downloaded stays.",
                folder=folder,
                reason=reason(error),
            )
        ) from None


@config.ends_in_a_sentence()
def main() -> None:
    """Read the command line, and download and unpack what it names."""
    parser = argparse.ArgumentParser(description=str(_("Download the official data.")))
    parser.add_argument(
        "what", nargs="?", choices=("reviews", "vectors"), help=str(_("by default both"))
    )
    parser.add_argument("--dimensions", type=int, default=100, choices=(50, 100, 200, 300))
    parser.add_argument("--folder", type=Path, default=config.data_folder())
    options = parser.parse_args()
    reviews = options.folder / "aclImdb"
    vectors = options.folder / f"glove.6B.{options.dimensions}d.txt"
    try:
        if options.what != "vectors":
            obtain(REVIEWS, REVIEW_FILES, reviews)
            print(_("Reviews: {folder}", folder=reviews))
        if options.what != "reviews":
            obtain(VECTORS, re.escape(vectors.name), vectors)
            print(_("Vectors: {file}", file=vectors))
    except KeyboardInterrupt:
        stopped = _("Stopped. Run this again to go on where it stopped.")
        raise SystemExit(f"\n{stopped}") from None


if __name__ == "__main__":
    main()
