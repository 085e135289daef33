"""Messages: data until they are shown, and then said in the reader's language by gettext.

    _         marks a text where it is written: _("{done} of {all} runs finished", done=3, all=6)
    say       a message, or a text of the catalogue, in one language
    clauses   several as one, with semicolons
    reason    what the system says of a file that it cannot read or write
    recognizer  what a message's texts look like, for who reads them again

A message is its English text for everything that computes: it is compared, searched and stored as
such. Where it is shown, by `print`, `str`, `format` or a figure, it is said in the language that
LAB2_LANGUAGE names (as Django's `gettext_lazy`). So `", ".join(messages)` is English, and a list of
them as a value of another message is not.

Catalogues are `translations/LANGUAGE/LC_MESSAGES/lab.mo`, compiled from `lab.po`. Only the
standard library is used, of Python 3.8 on: the doctor asks this too.
"""

from __future__ import annotations

import functools
import gettext
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

try:
    from lab import config
except ImportError:  # behind the grader's wall this file lies alone, and speaks English
    config = None

ENGLISH = "en"
FOLDER = Path(__file__).parent.parent.parent / "translations"
SLOT = re.compile(r"\{(\w+)[^{}]*\}")


class Message(str):
    """An English text that knows its template and values, and is shown in the reader's language.

    values: name of a slot -> anything; messages, and lists of them, are said in their turn, and of
    an error what it says. A template without values is taken as it stands, braces and all.
    """

    template: str
    values: dict[str, Any]

    def __new__(cls, template: str, /, **values: Any) -> Message:
        values = {name: _told_by(value) for name, value in values.items()}
        message = super().__new__(cls, _filled(template, values, str.__str__))
        message.template, message.values = str.__str__(template), values
        return message

    def __str__(self) -> str:
        return say(self)

    def __format__(self, spec: str) -> str:
        return format(say(self), spec)

    def __getnewargs_ex__(self) -> tuple[tuple[str], dict[str, Any]]:
        return (self.template,), self.values


_ = Message


def say(text: str, language: str | None = None) -> str:
    """Return a message, or a text of the catalogue, in a language, by default the reader's.

    What has no translation is English. Raises LabError if there is nothing in this language.
    """
    known = catalogue(language or (config.language() if config else ENGLISH))
    if isinstance(text, Message):
        said = functools.partial(say, language=language)
        return _filled(known(text.template), text.values, said)
    return known(text)


def _filled(template: str, values: dict[str, Any], said: Callable[[str], str]) -> str:
    if not values:
        return str.__str__(template)

    def one(value: Any) -> Any:
        if isinstance(value, (list, tuple)):
            return said(_LIST).join(str(one(part)) for part in value)
        return said(value) if isinstance(value, Message) else value

    return template.format(**{name: one(value) for name, value in values.items()})


def _told_by(value: Any) -> Any:
    """Return of an error what it says, a message if it was raised with one; else the value."""
    if not isinstance(value, BaseException):
        return value
    return value.args[0] if isinstance((*value.args, None)[0], Message) else str(value)


@functools.lru_cache(None)
def catalogue(language: str) -> Callable[[str], str]:
    """Return what looks a text up in a language. Raises LabError if there is nothing in it."""
    if language == ENGLISH:
        return str.__str__
    if language not in languages():
        raise config.LabError(
            f"There is no translation into {language!r}. "
            f"Set LAB2_LANGUAGE to one of: {', '.join(languages())}."
        )  # and no catalogue to say it in another language
    found = gettext.translation("lab", FOLDER, [language])
    return lambda text: found.gettext(text) if text else ""


def reason(error: OSError) -> Message:
    """Return why the system cannot read or write a file: in its own words, or the catalogue's."""
    return Message(error.strerror or str(error))


def languages() -> list[str]:
    """Return the languages that there are."""
    return [ENGLISH, *sorted(path.parts[-3] for path in FOLDER.glob("*/LC_MESSAGES/lab.mo"))]


def clauses(messages: Sequence[str]) -> Message:
    """Return messages as one, with semicolons between them. Raises TypeError if there are none."""
    return functools.reduce(lambda text, one: _("{text}; {one}", text=text, one=one), messages)


def lesson(language: str) -> str:
    """Return the name of the lab's notebook in a language."""
    return "lab2.ipynb" if language == ENGLISH else f"lab2.{language}.ipynb"


def recognizer(template: str, language: str | None = None) -> re.Pattern[str]:
    """Return what a template's texts look like as they are shown; slot {name} is a group."""
    parts = SLOT.split(say(template, language))
    parts[::2] = map(re.escape, parts[::2])
    parts[1::2] = [f"(?P<{name}>.+?)" for name in parts[1::2]]
    return re.compile(f"^{''.join(parts)}$", re.MULTILINE)


_LIST = _(", ")  # between the parts of a list
_REASONS = (  # as C libraries word them: strerror
    _("No such file or directory"),
    _("Permission denied"),
    _("Operation not permitted"),
    _("File exists"),
    _("Is a directory"),
    _("Not a directory"),
    _("No space left on device"),
    _("Disk quota exceeded"),
    _("Read-only file system"),
    _("Input/output error"),
    _("File name too long"),
)
