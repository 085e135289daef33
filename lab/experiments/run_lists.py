"""Lists of runs, as data: which networks, under which recipe, from which seeds.

Two recipes. The *default recipe* is the one of the starting report, the same for all networks:
PyTorch's start, Adam with a learning rate of 0.001. The *tuned* one gives each network a learning
rate of its own, chosen on validation reviews; it falls to zero, and the recurrent weights start
orthogonal.

A network is (cell, hidden units, layers); `networks` below is name -> network.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd

from lab.base.messages import _
from lab.config import LabError, Profile
from lab.experiments.settings import Settings

Network = tuple[str, int, int]  # cell, hidden units, layers

DEFAULT_RATE = 1e-3


def default_settings(
    profile: Profile, name: str, network: Network, seed: int = 0, **others: Any
) -> Settings:
    """Return the settings of a run under the default recipe, and what differs from it."""
    recipe = {
        "learning_rate": DEFAULT_RATE,
        "epochs": profile.epochs,
        "batch_size": profile.batch_size,
        "max_length": profile.max_length,
        "patience": 3,
    }
    return Settings(name, *network, seed=seed, **recipe | others)


def tuned_settings(
    profile: Profile, name: str, network: Network, rate: float, seed: int = 0
) -> Settings:
    """Return the settings of a run with a learning rate of its own, which falls to zero."""
    recipe = {"recurrent_init": "orthogonal", "learning_rate": rate, "decay": True}
    recipe["patience"] = profile.epochs  # no early stop: the fall must be taken to its end
    return default_settings(profile, name, network, seed, **recipe)


def default_list(
    profile: Profile, networks: Mapping[str, Network], seeds: Iterable[int] = (0,), **others: Any
) -> list[Settings]:
    """Return one run of each network and seed under the default recipe; others differ from it."""
    return [
        default_settings(profile, name, network, seed, **others)
        for seed in seeds
        for name, network in networks.items()
    ]


def tuning_list(
    profile: Profile,
    networks: Mapping[str, Network],
    rates: Mapping[str, tuple[float, ...]],
    seeds: Iterable[int] = (0,),
) -> list[Settings]:
    """Return the runs that choose: of each network some for each of its cell's learning rates."""
    return [
        tuned_settings(profile, name, network, rate, seed)
        for seed in seeds
        for name, network in networks.items()
        for rate in rates[network[0]]
    ]


def tuned_list(
    profile: Profile,
    networks: Mapping[str, Network],
    own_rates: Mapping[str, float],
    seeds: Iterable[int] = (0,),
) -> list[Settings]:
    """Return one run of each network and seed with the network's own learning rate."""
    return [
        tuned_settings(profile, name, network, own_rates[name], seed)
        for seed in seeds
        for name, network in networks.items()
    ]


def choose_rates(
    tuning: pd.DataFrame,
    networks: Mapping[str, Network],
    rates: Mapping[str, tuple[float, ...]],
) -> dict[str, float]:
    """Return the learning rate of each network: the one with the lowest mean validation loss.

    tuning: a row a run of `tuning_list`, with network, learning_rate, valid_loss. A network that
    was not tuned takes the middle one of its cell's rates.
    """
    rates_by_network = {}
    for name, (cell, *_sizes) in networks.items():
        losses = tuning[tuning["network"] == name].groupby("learning_rate")["valid_loss"].mean()
        middle = sorted(rates[cell])[len(rates[cell]) // 2]
        rates_by_network[name] = float(middle if losses.empty else losses.idxmin())
    return rates_by_network


def language_list(
    profile: Profile,
    networks: Mapping[str, Network],
    rates: Mapping[str, float],
    seeds: Iterable[int] = (0,),
    **others: Any,
) -> list[Settings]:
    """Return one language model of each network and seed; an epoch is one part of the text.

    rates: cell -> learning rate; others: what differs from the default recipe
    """
    parts = profile.stream_parts
    recipe = {"epochs": parts, "patience": parts, "max_length": 40}
    recipe["batch_size"] = profile.stream_batch_size
    return [
        default_settings(
            profile,
            f"{name} LM",
            network,
            seed,
            learning_rate=rates[network[0]],
            **recipe,
            **others,
        )
        for seed in seeds
        for name, network in networks.items()
    ]


def matched_lstm(units: int, word_dim: int) -> int:
    """Return the units of an LSTM whose layer has as many weights as an RNN's with `units`.

    word_dim: length E of a word vector. An RNN has H (E + H + 2) weights, an LSTM four times that.
    Raises LabError if even one unit of an LSTM has more.
    """
    weights = units * (word_dim + units + 2)
    fitting = round((math.sqrt((word_dim + 2) ** 2 + weights) - (word_dim + 2)) / 2)
    if fitting < 1:
        raise LabError(_("No LSTM has as few weights as an RNN of {units} units.", units=units))
    return fitting
