"""Why a student's program is ended, or its answer is none, in words; both sides of the wall say it.

Each ends a sentence that says where, as "Tried with 3 words: it returned too much."
"""

from __future__ import annotations

if __package__:
    from lab.base.messages import Message, _
else:  # behind the wall, where all files lie side by side
    from messages import Message, _

ENDED = _("it ended the program: an exit, a crash, or too much memory.")
SILENT = _("the program does not answer.")
NOT_STARTED = _("the program behind the wall does not start.")
TOO_LARGE = _("it returned too much.")
FORGED = _("it wrote where only the lab writes.")
THREADS = _("it started too many threads.")
FILES = _("it wrote too much into files.")
FOLDER = _("it made a folder that cannot be looked into.")
NOT_TRIED = _("it was not tried, for calls before it had to be ended.")
WITHOUT_WORDS = _("an error without words.")
UNREADABLE = _("what came back cannot be read.")
UNFIT = _("numbers came back that do not fit their shape, or too many.")


def computed(seconds: float) -> Message:
    """Return that it computed for too long."""
    return _("it had not come to an end after {seconds} seconds of computing.", seconds=seconds)


def waited(seconds: float) -> Message:
    """Return that it took too long by the clock."""
    return _("it had not come to an end after {seconds:.0f} seconds.", seconds=seconds)


def ended(why: str) -> Message:
    """Return that a call was ended."""
    return _("the call was ended: {why}", why=why)


def undefined(name: str) -> Message:
    """Return that a cell did not define what it should."""
    return _("{name} is not defined.", name=name)


def no_function(name: str, kind: str) -> Message:
    """Return that a name should be a function; kind: what it is, in words."""
    return _("{name} is {kind}, and should be a function.", name=name, kind=kind)


def absent(name: str) -> Message:
    """Return that something of the lab's was called."""
    return _("{name} is the lab's, and is not there when it is graded.", name=name)


def words_of(error: BaseException) -> str:
    """Return what an error says, on one line; a message of ours as it is."""
    ours = len(error.args) == 1 and isinstance(error.args[0], Message)
    return error.args[0] if ours else " ".join(str(error).split())[:200]


def in_cell(error: str, line: int, text: str) -> Message:
    """Return an error of Python's, with the line of the cell where it arose."""
    return _("{error} in line {line} of the cell: {text}", error=error, line=line, text=text)


def of_kind(kind: str) -> Message:
    """Return that numbers of another kind came back."""
    return _("numbers of the kind {kind} came back.", kind=kind)


def of_type(kind: str) -> Message:
    """Return that a value came back with which nothing can be compared."""
    return _("a value of type {kind} came back.", kind=kind)
