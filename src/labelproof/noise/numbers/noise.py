"""`NumberNoise`: how numbers go wrong, how often in each way, and how far good ones stray."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from labelproof.noise.numbers.hypotheses import Hypothesis
from labelproof.noise.numbers.mixture import Mixture
from labelproof.validation import Json


@dataclass(frozen=True)
class NumberNoise:
    """The noise model of numbers.

    Attributes
    ----------
    ways : tuple of Hypothesis
        Ways in which numbers are wrong; the last is ``other``.
    shares : tuple of float
        Shares of all numbers that are wrong in each way.
    scale : float
        Median distance of good numbers from their expected value.
    tail : float
        Degrees of freedom of Student's t, the distribution of good numbers: a low number means more frequent large deviations.
    wide : float
        Median distance, from the expected value, of numbers that are wrong in no named way.
    corrected : bool
        Whether predictions were corrected by a trend in their residuals.
    in_order : bool
        Whether residuals of neighbouring rows are similar, as in a time series, and were used.
    """

    ways: tuple[Hypothesis, ...]
    shares: tuple[float, ...]
    scale: float
    tail: float
    wide: float
    corrected: bool = False
    in_order: bool = False

    @classmethod
    def of(cls, mixture: Mixture, scale: float, *, corrected: bool, in_order: bool) -> NumberNoise:
        """From a fit."""
        shares = tuple(float(share) for share in mixture.shares[1:])
        return cls(mixture.hypotheses, shares, scale, float(mixture.tail), float(mixture.wide), bool(corrected), bool(in_order))

    @property
    def classes(self) -> tuple[object, ...]:
        """None: numbers have no classes."""
        return ()

    def to_frame(self) -> pl.DataFrame:
        """A row for each way in which numbers are wrong: ``kind``, ``true``, ``given`` (in words, of ``y``) and ``probability``."""
        return pl.DataFrame(
            {
                "kind": [one.kind for one in self.ways],
                "true": ["y"] * len(self.ways),
                "given": [one.name for one in self.ways],
                "probability": list(self.shares),
            },
            schema={"kind": pl.String, "true": pl.String, "given": pl.String, "probability": pl.Float64},
        )

    def to_json(self) -> Json:
        """Its content in ``summary.json``."""
        ways = [
            {
                "kind": one.kind,
                "given": one.name,
                "slope": one.slope,
                "intercept": one.intercept,
                "most": one.most,
                "share": share,
            }
            for one, share in zip(self.ways, self.shares, strict=True)
        ]
        return {
            "ways": ways,
            "good": {"scale": self.scale, "tail": self.tail},
            "wide": self.wide,
            "corrected": self.corrected,
            "in_order": self.in_order,
        }

    @classmethod
    def from_json(cls, summary: Json) -> NumberNoise:
        """From ``summary.json``."""
        ways = tuple(Hypothesis(way["kind"], way["slope"], way["intercept"], way["most"]) for way in summary["ways"])
        shares = tuple(way["share"] for way in summary["ways"])
        good = summary["good"]
        return cls(ways, shares, good["scale"], good["tail"], summary["wide"], summary["corrected"], summary["in_order"])
