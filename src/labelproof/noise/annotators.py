"""`AnnotatorNoise`: how each annotator errs, how good they are, and who votes at random."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import numpy.typing as npt
import polars as pl
from scipy.stats import beta

from labelproof.errors import BadInput
from labelproof.noise.crowd import CrowdFit, CrowdVotes
from labelproof.noise.posterior import scaled
from labelproof.noise.transition import TransitionMatrix
from labelproof.validation import IntArray, Json

Matrix = npt.NDArray[np.float64]

SKILLS = np.linspace(0, 1, 11)
RARE = 0.5  # pseudo-annotators of each skill, in addition to the real ones
STEPS = 30
MOST_MISSING = 0.95  # of a vote's information
DRAWN = 4.0  # votes that the annotators' prior is worth in an interval
DIGITS = 6  # of rates on disk


@dataclass(frozen=True)
class AnnotatorNoise:
    """The noise model of each annotator.

    Attributes
    ----------
    matrices : ndarray, shape (m, k, k)
        ``p(given | true)`` of each annotator; rows sum to one.
    prior : ndarray, shape (k,)
        ``p(true)``.
    classes : tuple of length k
    quality : polars.DataFrame
        A row for each annotator, in the order of ``annotators``: ``annotator``, ``votes`` (their number), ``quality``
        (probability of giving the true class, with class frequencies ``prior``), ``low`` and ``high`` (95 % interval),
        ``random`` (probability that the votes do not depend on the item).
    fitted : dict
        The choices made by the evidence: ``form`` and ``strength`` of the annotators' prior, ``classifier_power``,
        ``vote_power``
        and ``lost`` (`labelproof.noise.crowd`).
    """

    matrices: Matrix
    prior: Matrix
    classes: tuple[object, ...]
    quality: pl.DataFrame
    fitted: Json = field(default_factory=dict)

    @property
    def annotators(self) -> tuple[str, ...]:
        """Names of the annotators."""
        return tuple(self.quality["annotator"])

    @cached_property
    def average(self) -> TransitionMatrix:
        """The transition of a vote by an unknown annotator: the mean of all annotators, weighted by their numbers of votes."""
        weight = self.quality["votes"].to_numpy() + 1e-9
        return TransitionMatrix(np.tensordot(weight / weight.sum(), self.matrices, 1), prior=self.prior, classes=self.classes)

    def of(self, annotator: str) -> TransitionMatrix:
        """The transition of one annotator.

        Raises
        ------
        BadInput
            If there is no annotator of that name.
        """
        if annotator not in self.annotators:
            raise BadInput(f"There is no annotator {annotator!r}. Give one of {', '.join(self.annotators[:20])}.")
        matrix = self.matrices[self.annotators.index(annotator)]
        return TransitionMatrix(matrix / matrix.sum(axis=1, keepdims=True), prior=self.prior, classes=self.classes)

    def to_frame(self) -> pl.DataFrame:
        """``k * k`` rows for each annotator: ``annotator``, ``true``, ``given`` and ``probability``."""
        m, k = len(self.matrices), len(self.classes)
        names = pl.Series(list(self.classes))
        return pl.DataFrame(
            {
                "annotator": pl.Series(list(self.annotators), dtype=pl.String).gather(np.repeat(np.arange(m), k * k)),
                "true": names.gather(np.tile(np.repeat(np.arange(k), k), m)),
                "given": names.gather(np.tile(np.arange(k), m * k)),
                "probability": self.matrices.ravel(),
            }
        )

    def to_json(self) -> Json:
        """Its content in ``summary.json``."""
        return {
            "annotators": list(self.annotators),
            "quality": self.quality.to_dicts(),
            "transitions": self.matrices.tolist(),
            "prior": self.prior.tolist(),
            "fitted": self.fitted,
        }

    @classmethod
    def from_json(cls, summary: Json) -> AnnotatorNoise:
        """From ``summary.json``."""
        quality = pl.DataFrame(summary["quality"], schema=_QUALITY)
        matrices = np.array(summary["transitions"])
        return cls(matrices, np.array(summary["prior"]), tuple(summary["classes"]), quality, summary["fitted"])


_QUALITY = {
    "annotator": pl.String,
    "votes": pl.Int64,
    "quality": pl.Float64,
    "low": pl.Float64,
    "high": pl.Float64,
    "random": pl.Float64,
}


def noise_of_crowd(
    fit: CrowdFit, votes: CrowdVotes, classes: tuple[object, ...], annotators: tuple[str, ...]
) -> AnnotatorNoise:
    """The noise that a fit found, with results for each annotator."""
    quality = np.diagonal(fit.matrices, axis1=1, axis2=2) @ fit.prior  # (m,)
    number = np.bincount(votes.annotator, minlength=votes.m)
    low, high = _interval(quality, number, fit, votes)
    columns = [list(annotators), number, quality, low, high, random_probability(fit, votes)]
    table = pl.DataFrame(dict(zip(_QUALITY, columns, strict=True)), schema=_QUALITY)
    chosen = {
        "form": fit.annotator_prior.form,
        "strength": fit.annotator_prior.strength,
        "classifier_power": fit.classifier_power,
        "vote_power": fit.vote_power,
        "lost": fit.lost,
    }
    return AnnotatorNoise(np.round(fit.matrices, DIGITS), fit.prior, classes, table, chosen)


def _interval(quality: Matrix, number: IntArray, fit: CrowdFit, votes: CrowdVotes) -> tuple[Matrix, Matrix]:
    """The 95 % interval of a beta distribution with the variance of the votes, reduced by the share of missing information.

    If the truth is not known, a vote carries less information on its annotator (Louis): the share missing is the mean variance
    of its being right over that of all of the annotator's votes.
    """
    right = fit.posterior[votes.owner, votes.values]
    held = np.clip(quality, 1e-4, 1 - 1e-4)
    unsure = np.bincount(votes.annotator, right * (1 - right), minlength=votes.m) / np.maximum(number, 1)
    missing = np.minimum(unsure / (held * (1 - held)), MOST_MISSING)
    weight = number * (1 - missing) + DRAWN
    low, high = beta.ppf([[0.025], [0.975]], held * weight, (1 - held) * weight)
    return np.minimum(low, quality), np.maximum(high, quality)


def random_probability(fit: CrowdFit, votes: CrowdVotes) -> Matrix:
    """Probability that an annotator's votes do not depend on the items, shape (m,).

    With probability θ a vote is like that of the average annotator, given the others on its item; otherwise it is drawn from
    the annotator's own class distribution. The distribution of θ among annotators is estimated; θ = 0 means random votes.
    """
    m, k = votes.m, votes.k
    said = np.bincount(votes.annotator * k + votes.values, minlength=m * k).reshape(m, k)
    own = np.maximum(said[votes.annotator, votes.values] - 1, 0) + 1 / k  # the others of the same annotator
    better = fit.expected * np.maximum(said.sum(axis=1)[votes.annotator], 1) / own - 1
    likelihood = np.stack([np.bincount(votes.annotator, np.log1p(skill * better), minlength=m) for skill in SKILLS], axis=1)
    common = np.full(len(SKILLS), 1 / len(SKILLS))
    for _ in range(STEPS):
        each = scaled(likelihood + np.log(common))  # (m, number of skills)
        common = (each.sum(axis=0) + RARE) / (m + RARE * len(SKILLS))
    return np.asarray(each[:, 0])
