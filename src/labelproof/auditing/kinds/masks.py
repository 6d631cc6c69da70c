"""Auditing masks: which regions are missing, extra, of the wrong class or end in the wrong place."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from labelproof.auditing import fold
from labelproof.auditing.doubts.of_probabilities import of_probabilities
from labelproof.auditing.findings import ErrorRate, Findings
from labelproof.auditing.kinds.base import Auditor, Judged
from labelproof.auditing.masks.candidates import FEWEST, Candidate, candidates
from labelproof.auditing.masks.planted import MOST_PICTURES, Planted, can_learn, learn, plant
from labelproof.auditing.masks.predictions import Predictions
from labelproof.auditing.masks.rate import Expected, from_likelihood, from_planted
from labelproof.auditing.masks.scene import Scene
from labelproof.auditing.masks.sites import Outline, Sites, sites_of
from labelproof.errors import BadInput
from labelproof.labels.masks import KINDS_OF_ERROR, Masks
from labelproof.noise.masks.fitting import Pair, fit_response
from labelproof.noise.masks.noise import MaskNoise
from labelproof.noise.masks.regions import regions_of
from labelproof.noise.masks.response import Response
from labelproof.threads import in_threads, one_thread, usable
from labelproof.validation import AnyArray, Json

FITTED_PICTURES = 24  # to which the response of the model is fitted
PIXELS_SEEN = 4_000  # of a picture, for the doubts

Matrix = npt.NDArray[np.float64]


class Looked(NamedTuple):
    """What is kept of a picture."""

    outline: Outline
    found: list[Candidate]
    planted: Planted


class AuditorOfMasks(Auditor[Masks]):
    """The error probability of each region, from what its pixels say of it and of other classes.

    - What a model says of a picture whose true mask is known is fitted to the given masks (`labelproof.noise.masks.response`): predictions are
      blurred at borders, confused inside, and what is left goes together over many pixels.
    - A change of the mask (a given region of another class; connected pixels that look like another class) speaks for itself by the
      log likelihood ratio of the predictions under the two.
    - What such ratios mean is learned from errors that are planted in the given masks, where there are enough pictures.

    ``audit.items`` has for each picture ``error_probability`` that any of its regions is wrong, ``width``, ``height`` and the number of
    ``regions`` that are given.

    Examples
    --------
    >>> import numpy as np, labelproof as lp
    >>> rng = np.random.default_rng(0)
    >>> true = np.zeros((12, 40, 40), int)
    >>> for mask in true:
    ...     y, x = rng.integers(2, 24, 2)
    ...     mask[y : y + 12, x : x + 12] = 1
    >>> probs = np.where(np.arange(3)[:, None, None] == true[:, None], 0.8, 0.1) * rng.uniform(0.8, 1.2, (12, 3, 40, 40))
    >>> given = true.copy()
    >>> given[5][given[5] == 1] = 2
    >>> found = lp.audit(lp.Masks(given), probs / probs.sum(axis=1, keepdims=True))
    >>> found.issues.select("index", "kind", "area", "given_label", "suggested_label").row(0)
    (5, 'class', 144, 2, 1)
    """

    def judge(
        self,
        labels: Masks,
        pred_probs: object,
        ids: AnyArray | None = None,
        *,
        classes: Sequence[object] | None = None,
    ) -> Judged:
        """Find the regions that are wrong.

        Parameters
        ----------
        labels : Masks
        pred_probs : array (n, k, h, w), list of arrays (k, h, w), callable, path of a ``.npy`` file or of a folder
            Out-of-sample probabilities of each pixel. A folder holds a ``.npy`` file for each picture, or an ``.npz`` file with the most
            probable ``classes`` and their ``probs``, (t, h, w) each. Arrays of uint8 are 255ths. A callable is asked for a picture by its
            number.
        ids : ndarray, shape (n,), optional
            By which the files of a folder are found.
        classes : sequence of length k, optional
            The classes in the order of the channels.
        """
        predictions = Predictions(pred_probs, labels, ids, classes)
        labels = predictions.labels
        keys = [_key(labels, i) for i in range(labels.n)]
        order = [i for i in np.argsort(np.array(keys), kind="stable").tolist() if keys[i]]
        if not order:
            raise BadInput("every pixel of every mask is void: nothing to audit.")
        with one_thread():
            pictures = [(labels.mask(i), predictions(i)) for i in order[:FITTED_PICTURES]]
            response = fit_response(pictures, predictions.k)
            seen = _seen(pictures, predictions.k)
            del pictures
            planted_in = set(order[:MOST_PICTURES])
            looked = list(_looked(labels, predictions, response, keys, planted_in))
        found = [one.found for one in looked]
        expected = _expected(looked, keys, response)
        sites = sites_of(labels, [one.outline for one in looked], found, expected.probability)
        items = sites.labels.rollup(sites.error)
        confidence = np.maximum(sites.error, 1 - sites.error).astype(np.float32)
        return Judged(
            Findings(sites.error, sites.suggested, confidence),
            noise_from(sites, items, expected, response),
            rate_of(sites.error, expected),
            of_probabilities(seen, labels.classes),
            {
                "error_probability": pl.Series(np.nan_to_num(items)),
                "width": pl.Series(labels.sizes[:, 0]),
                "height": pl.Series(labels.sizes[:, 1]),
                "regions": pl.Series([len(one.outline.value) for one in looked], dtype=pl.Int64),
            },
            {"kind": pl.Series(sites.kind, dtype=pl.Enum(KINDS_OF_ERROR))},
            sites.labels,
        )

    def noise_of(self, summary: Json) -> MaskNoise:
        """Rates of each kind of error by class."""
        return MaskNoise.from_json(summary)


AUDITOR = AuditorOfMasks()


def _key(labels: Masks, i: int) -> int:
    """A number that depends on the mask alone, so that the order of the pictures does not matter; 0 where all is void."""
    mask = labels.mask(i)
    return max(1, zlib.crc32(mask.astype(np.int16).tobytes())) if (mask >= 0).any() else 0


def _looked(
    labels: Masks, predictions: Predictions, response: Response, keys: Sequence[int], planted_in: set[int]
) -> Iterator[Looked]:
    """Every picture once; read one after the other, as what reads them may be no friend of threads."""

    def look(read: tuple[int, Pair]) -> Looked:
        i, (mask, probs) = read
        regions = regions_of(mask)
        found = list(candidates(Scene(mask, probs, response), regions))
        return Looked(Outline.of(regions), found, plant(mask, probs, response, keys[i]) if i in planted_in else Planted([]))

    pictures = ((i, (labels.mask(i), predictions(i))) for i in range(labels.n))
    yield from in_threads(look, pictures, usable())


def _seen(pictures: Sequence[Pair], k: int) -> fold.Sample:
    """Some pixels of some pictures, as of classes."""
    probs, given = [], []
    for mask, said in pictures:
        rows = np.flatnonzero(mask.ravel() >= 0)
        rows = rows[:: max(1, len(rows) // PIXELS_SEEN)]
        probs.append(said.reshape(k, -1)[:, rows].T)
        given.append(mask.ravel()[rows])
    every, codes = np.concatenate(probs), np.concatenate(given)
    return fold.Sample(np.arange(len(codes)), every, codes, np.bincount(codes, minlength=k).astype(float))


def _expected(looked: Sequence[Looked], keys: Sequence[int], response: Response) -> Expected:
    planted = [one.planted for one in looked]
    found = [one.found for one in looked]
    if can_learn(planted):
        return from_planted(learn(found, planted, keys, response.together))
    return from_likelihood([np.array([one.evidence(response) for one in some], np.float64) for some in found])


def rate_of(error: Matrix, expected: Expected) -> ErrorRate:
    """The mean error probability of regions, with the interval of the number of wrong ones."""
    n, mean = max(len(error), 1), float(error.mean()) if len(error) else 0.0
    return ErrorRate(mean, min(mean, expected.low / n), min(1.0, max(mean, expected.high / n)))


def noise_from(sites: Sites, items: Matrix, expected: Expected, response: Response) -> MaskNoise:
    """Expected numbers of each kind of error, among regions of which something can be said."""
    labels, k = sites.labels, len(sites.labels.classes)
    counts, right = np.zeros((len(KINDS_OF_ERROR), k, k)), np.zeros(k)
    kinds = np.array([-1 if kind is None else KINDS_OF_ERROR.index(kind) for kind in sites.kind], np.int64)
    wrong, large = kinds >= 0, labels.area >= FEWEST
    np.add.at(counts, (kinds[wrong], sites.suggested[wrong], labels.values[wrong]), sites.error[wrong])
    np.add.at(right, labels.values[large], 1 - sites.error[large])
    mean = float(np.nan_to_num(items).mean())
    low, high = (edge / max(expected.wrong, 1e-9) for edge in (expected.low, expected.high))
    interval = (mean, min(1.0, low) * mean, min(1.0, max(1.0, high) * mean))
    return MaskNoise(
        counts, right, KINDS_OF_ERROR, interval, response.blur, response.together * response.step**2, labels.classes
    )
