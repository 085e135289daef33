"""Networks whose accuracy is known: how often do the rules of `statistics` say what is true?

The reviews are those of stored runs: how far each is from being judged wrong, in logits, and how
much that varies from network to network and from run to run.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, special, stats

from lab.analysis import statistics
from lab.experiments.results import Predictions


@dataclasses.dataclass(frozen=True)
class Network:
    """A network by what is true of it: mean accuracy, and its standard deviation over seeds."""

    accuracy: float
    spread: float


@dataclasses.dataclass(frozen=True, eq=False)
class Population:
    """The logit towards the right label is a sum of four parts: of which reviews, and how large.

    A run of a network is right on a review if the sum of these is positive: the review's mean
    margin; what the network makes of this review; what the run makes of it; and the run as a whole,
    which is better or worse than the network's others.

    margins:     (reviews,) mean over all runs
    of_networks: standard deviation between networks on a review
    of_runs:     standard deviation between the runs of a network on a review
    """

    margins: NDArray[np.float64]
    of_networks: float
    of_runs: float

    @classmethod
    def of(cls, predictions: Predictions) -> Population:
        """Return what stored runs show, of several networks with equally many seeds."""
        sides = np.where(predictions.labels > 0.5, 1, -1)
        logits = special.logit(np.stack([*predictions.probability.values()]).astype(float))
        margins = np.clip(logits, -12, 12) * sides  # (networks, seeds, reviews)
        networks, seeds, _ = margins.shape
        of_runs = margins.var(1, ddof=1).mean()
        means = margins.mean(1)  # (networks, reviews)
        of_networks = max(0.0, means.var(0, ddof=1).mean() - of_runs / seeds)
        noise = (of_networks + of_runs / seeds) / networks  # in the mean of each review
        centred = means.mean(0) - means.mean()
        shrunk = centred * math.sqrt(1 - noise / centred.var())
        return cls(means.mean() + shrunk, math.sqrt(of_networks), math.sqrt(of_runs))

    def place(self, network: Network) -> tuple[float, float]:
        """Return what is added to a network's logits, and its standard deviation over runs."""
        noise = math.hypot(self.of_networks, self.of_runs)
        shift = of_run = 0.0
        for _ in range(5):  # each depends a little on the other
            wide = math.hypot(noise, of_run)
            shift = optimize.brentq(
                lambda s, w=wide: special.ndtr((self.margins + s) / w).mean() - network.accuracy,
                *(-20, 20),
            )
            slope = stats.norm.pdf((self.margins + shift) / noise).mean() / noise
            of_run = network.spread / slope
        return shift, of_run

    def answers(
        self,
        generator: np.random.Generator,
        places: Sequence[tuple[float, float]],
        seeds: int,
        reviews: int,
    ) -> dict[str, NDArray[np.bool_]]:
        """Return whether each answer of each network's runs is right: name -> (seeds, reviews).

        places: of `place`, one for each network
        """
        margins = generator.choice(self.margins, reviews)
        answers = {}
        for number, (shift, of_run) in enumerate(places):
            own = margins + shift + self.of_networks * generator.normal(size=reviews)
            run = of_run * generator.normal(size=(seeds, 1))
            noise = self.of_runs * generator.standard_normal((seeds, reviews), dtype=np.float32)
            answers[str(number)] = own + run + noise > 0
        return answers


def experiments(
    population: Population, networks: Sequence[Network], seeds: int, reviews: int,
    repeats: int, seed: int = 0,
) -> Iterator[dict[str, NDArray[np.bool_]]]:  # fmt: skip
    """Yield what is answered in each of some experiments: network -> (seeds, reviews)."""
    generator = np.random.default_rng(seed)
    places = {network: population.place(network) for network in set(networks)}
    for _ in range(repeats):
        yield population.answers(generator, [places[n] for n in networks], seeds, reviews)


def count_verdicts(
    population: Population, networks: Sequence[Network], seeds: int, reviews: int,
    repeats: int, seed: int = 0,
) -> dict[str, float]:  # fmt: skip
    """Return how often the rules of `statistics` are right, over experiments that are drawn anew.

    "false":      share of tables in which a pair of equally good networks is called supported
    "covered":    share of 95 % intervals of one pair alone that hold the true difference
    "found":      share of the pairs that do differ which are called supported
    "detectable": the mean of that column, in points
    """
    pairs = list(itertools.combinations(range(len(networks)), 2))
    true = np.array([networks[a].accuracy - networks[b].accuracy for a, b in pairs])
    supported, covered, detectable = [], [], []
    for answers in experiments(population, networks, seeds, reviews, repeats, seed):
        table = statistics.compare(answers)
        supported.append((table["supported"] == "yes").to_numpy())
        detectable.append(table["detectable"].mean())
        for a in range(0, len(networks) - 1, 2):  # pairs that share no network
            alone = statistics.difference(answers[str(a)], answers[str(a + 1)])
            covered.append(
                alone.low <= networks[a].accuracy - networks[a + 1].accuracy <= alone.high
            )
    said = np.array(supported)  # (repeats, pairs)
    differ = true != 0
    return {
        "false": float(said[:, ~differ].any(1).mean()) if not differ.all() else math.nan,
        "covered": float(np.mean(covered)),
        "found": float(said[:, differ].mean()) if differ.any() else math.nan,
        "detectable": float(np.mean(detectable)),
    }
