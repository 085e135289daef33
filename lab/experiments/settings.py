"""Everything that is chosen about a run, each setting with the rule that it must keep."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import Any, NamedTuple

from lab.base.messages import Message, _, clauses
from lab.config import LabError


class Rule(NamedTuple):
    """What a setting must be, in words and as a test."""

    words: Message
    holds: Callable[[Any], bool]


def one_of(*known: str) -> Rule:
    """Return the rule that a setting is one of some words."""
    return Rule(_("one of {known}", known=list(known)), lambda value: value in known)


TEXT = Rule(_("a text"), lambda value: isinstance(value, str))
FLAG = Rule(_("True or False"), lambda value: isinstance(value, bool))
COUNT = Rule(_("a whole number of at least 1"), lambda value: isinstance(value, int) and value >= 1)
COUNT_OR_0 = Rule(
    _("a whole number of at least 0"), lambda value: isinstance(value, int) and value >= 0
)
SEED = Rule(
    _("a whole number from 0 to 4,294,967,295"),
    lambda value: isinstance(value, int) and 0 <= value < 2**32,
)
ABOVE_0 = Rule(
    _("a number above 0"), lambda value: isinstance(value, int | float) and 0 < value < math.inf
)
AT_LEAST_0 = Rule(
    _("a number of at least 0"),
    lambda value: isinstance(value, int | float) and 0 <= value < math.inf,
)
SHARE = Rule(
    _("a number from 0 to below 1"), lambda value: isinstance(value, int | float) and 0 <= value < 1
)


def setting(rule: Rule, *default: Any) -> Any:
    """Return the field of a setting that must keep a rule, with its default if it has one."""
    with_default = {"default": default[0]} if default else {}
    return dataclasses.field(metadata={"rule": rule}, **with_default)


@dataclasses.dataclass(frozen=True)
class Settings:
    """Everything that is chosen about one run. A changed setting is a different run.

    A setting that stands at its default is no part of a run's identity. So a new one, with the
    default that all runs had before it was there, renames none of them.
    """

    network: str = setting(TEXT)  # its name in tables and figures
    cell: str = setting(TEXT)  # name of a model class: RNN, LSTM or GRU
    hidden_dim: int = setting(COUNT)
    num_layers: int = setting(COUNT)
    learning_rate: float = setting(ABOVE_0)
    seed: int = setting(SEED)
    epochs: int = setting(COUNT)  # at most
    batch_size: int = setting(COUNT)
    max_length: int = setting(COUNT)  # tokens
    # largest norm of the gradient of all weights together
    clip_norm: float = setting(ABOVE_0, 1.0)
    bidirectional: bool = setting(FLAG, False)
    # the learning rate falls to zero, in a line over all epochs
    decay: bool = setting(FLAG, False)
    # stop after so many epochs without a lower validation loss
    patience: int = setting(COUNT, 2)
    recurrent_init: str = setting(one_of("default", "orthogonal"), "default")
    # the last state, or pooled: mean, maximum and last
    readout: str = setting(one_of("last", "pooled"), "last")
    embedding_dropout: float = setting(SHARE, 0.0)  # of the word vectors' values
    dropout: float = setting(SHARE, 0.0)  # of what the output layer reads
    # pretrained and trained on; or frozen; or random
    vectors: str = setting(one_of("tuned", "frozen", "random"), "tuned")
    # which max_length tokens of a long review: its start or its end
    keep: str = setting(one_of("end", "start"), "end")
    labelled: int = setting(COUNT_OR_0, 0)  # train on so many reviews only; 0: on all
    pretrained: str = setting(TEXT, "")  # name of the language-model run to start from
    # the same for a second network, which reads backwards; "": there is none
    pretrained_back: str = setting(TEXT, "")
    # lengths of shifts of each review's word vectors, which training has the network stand: the
    # worst for its loss, the one that changes its verdict most, and a random one; 0: there is none
    adversarial: float = setting(AT_LEAST_0, 0.0)
    virtual: float = setting(AT_LEAST_0, 0.0)
    random_shift: float = setting(AT_LEAST_0, 0.0)

    def check(self) -> None:
        """Raise LabError, naming the entry and the setting, if no run can have these settings."""
        problems = [
            _(
                "{name} is {value}, not {rule}",
                name=field.name,
                value=repr(getattr(self, field.name)),  # a list is no list of messages
                rule=field.metadata["rule"].words,
            )
            for field in dataclasses.fields(self)
            if not field.metadata["rule"].holds(getattr(self, field.name))
        ]
        if problems:
            raise LabError(
                _(
                    "Run list, entry {network!r}: {problems}.",
                    network=self.network,
                    problems=clauses(problems),
                )
            )

    def changed(self) -> dict[str, Any]:
        """Return the settings that have no default, or another value than that."""
        return {
            field.name: getattr(self, field.name)
            for field in dataclasses.fields(self)
            if getattr(self, field.name) != field.default
        }

    def options(self) -> set[str]:
        """Return the names of the settings that have a default, and another value than that."""
        fields = dataclasses.fields(self)
        with_default = {field.name for field in fields if field.default is not dataclasses.MISSING}
        return with_default & set(self.changed())
