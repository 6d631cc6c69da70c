"""Auditing masks: which regions are missing, extra, of the wrong class or end in the wrong place."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from typing import NamedTuple, overload

import numpy as np
import numpy.typing as npt
import polars as pl

from labelproof.auditing import fold
from labelproof.auditing.doubts.of_probabilities import IN_SAMPLE, of_probabilities
from labelproof.auditing.findings import ErrorRate, Findings
from labelproof.auditing.folds import CrossValidation
from labelproof.auditing.kinds.base import Auditor, Judged
from labelproof.auditing.masks.candidates import FEWEST, Seen, candidates
from labelproof.auditing.masks.doubts import of_predictions
from labelproof.auditing.masks.predictions import Predictions
from labelproof.auditing.masks.rate import Expected, Worth, expected, of_pictures
from labelproof.auditing.masks.scene import CLEAR, Scene
from labelproof.auditing.masks.sites import Outline, Sites, sites_of
from labelproof.auditing.out_of_sample import OutOfSample
from labelproof.data.dataset import Dataset
from labelproof.errors import BadInput
from labelproof.labels.masks import KINDS_OF_ERROR, Masks
from labelproof.noise.masks.fitting import Pair, fit_response
from labelproof.noise.masks.noise import MaskNoise
from labelproof.noise.masks.regions import regions_of
from labelproof.noise.masks.response import Response
from labelproof.threads import in_threads, one_thread, usable
from labelproof.validation import AnyArray, Json

FITTED_PICTURES = 72  # to which the response of the model is fitted
DOUBTED_PICTURES = 20  # from which doubts are raised
PIXELS_SEEN = 4_000  # pixels of a picture, for the doubts

Matrix = npt.NDArray[np.float64]


class Looked(NamedTuple):
    """The results kept for a picture."""

    outline: Outline
    seen: Seen


class Pictures(Sequence[Pair]):
    """Some masks with their predictions, which are read on demand."""

    def __init__(self, labels: Masks, predictions: Predictions, order: Sequence[int]) -> None:
        self._labels, self._predictions, self._order = labels, predictions, order

    def __len__(self) -> int:
        return len(self._order)

    @overload
    def __getitem__(self, place: int) -> Pair: ...

    @overload
    def __getitem__(self, place: slice) -> Pictures: ...

    def __getitem__(self, place: int | slice) -> Pair | Pictures:
        if isinstance(place, slice):
            return Pictures(self._labels, self._predictions, self._order[place])
        return self._labels.mask(self._order[place]), self._predictions(self._order[place])


class AuditorOfMasks(Auditor[Masks]):
    """The error probability of each region, from the predictions of its pixels.

    - A response model, fitted to the given masks, predicts the network's output for a known mask
    (`labelproof.noise.masks.response`): predictions are
      blurred at borders, confused inside, and the residuals are correlated over many pixels.
    - A change of the mask (a given region of another class; connected pixels that look like another class) is scored by the
      log likelihood ratio of the predictions under the two.
    - The spread of this ratio over given regions calibrates it, because pixels are not independent.
    - Bayes' rule makes an error probability of it, with the share of wrong regions by EM.

    ``audit.items`` has for each picture ``error_probability`` that anything in it is wrong (changes that are too improbable to be shown as
    regions included), ``width``, ``height``, the number of given ``regions``, and a ``digest`` that identifies the mask.

    Examples
    --------
    >>> import numpy as np, labelproof as lp
    >>> rng = np.random.default_rng(0)
    >>> true = np.zeros((30, 40, 40), int)
    >>> for number, mask in enumerate(true):
    ...     y, x = rng.integers(2, 24, 2)
    ...     mask[y : y + 12, x : x + 12] = 1 + number % 2
    >>> probs = np.where(np.arange(3)[:, None, None] == true[:, None], 0.8, 0.1) * rng.uniform(0.8, 1.2, (30, 3, 40, 40))
    >>> given = true.copy()
    >>> given[5][given[5] == 2] = 1
    >>> found = lp.audit(lp.Masks(given), probs / probs.sum(axis=1, keepdims=True))
    >>> found.issues.select("index", "kind", "area", "given_label", "suggested_label").row(0)
    (5, 'class', 144, 1, 2)
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
            probable ``classes`` and their ``probs``, (t, h, w) each. Arrays of uint8 are 255ths. A callable receives the
            number of a picture and returns its probabilities.
        ids : ndarray, shape (n,), optional
            They name the files of a folder.
        classes : sequence of length k, optional
            The classes in the order of the channels.
        """
        predictions = Predictions(pred_probs, labels, ids, classes)
        labels = predictions.labels
        keys = [_key(labels, i) for i in range(labels.n)]
        order = [i for i in np.argsort(keys, kind="stable").tolist() if keys[i]]
        if not order:
            raise BadInput("Every pixel of every mask is void, so there is nothing to audit.")
        with one_thread():
            pictures = Pictures(labels, predictions, order[:FITTED_PICTURES])
            response = fit_response(pictures, predictions.k)
            seen = _seen(pictures[:DOUBTED_PICTURES], predictions.k)
            looked = list(_looked(labels, predictions, response))
        found = [one.seen.found for one in looked]
        errors = _errors([one.seen for one in looked], predictions.k)
        sites = sites_of(labels, [one.outline for one in looked], found, errors.probability)
        items = of_pictures(errors.probability, np.array([one.seen.highest for one in looked]))
        confidence = np.maximum(sites.error, 1 - sites.error).astype(np.float32)
        return Judged(
            Findings(sites.error, sites.suggested, confidence),
            noise_from(sites, items, errors, response),
            rate_of(sites.error, errors),
            of_predictions(seen) + [one for one in of_probabilities(seen, labels.classes) if one.kind != IN_SAMPLE],
            {
                "error_probability": pl.Series(items),
                "width": pl.Series(labels.sizes[:, 0]),
                "height": pl.Series(labels.sizes[:, 1]),
                "regions": pl.Series([len(one.outline.value) for one in looked], dtype=pl.Int64),
                "digest": pl.Series([labels.digest(i) for i in range(labels.n)], dtype=pl.String),
            },
            {"kind": pl.Series(sites.kind, dtype=pl.Enum(KINDS_OF_ERROR))},
            sites.labels,
        )

    def predict(self, dataset: Dataset, how: CrossValidation, *, estimator: object, encoder: object) -> OutOfSample:
        """None: no segmentation network is trained."""
        raise BadInput(
            "pred_probs is missing: an audit of masks needs predictions and trains no network. Give the class probabilities of each pixel, from a network that did not see the picture. They are an array (n, k, h, w), or a folder with one .npy file per picture (--predictions)."
        )

    def noise_of(self, summary: Json) -> MaskNoise:
        """Rates of each kind of error by class."""
        return MaskNoise.from_json(summary)


AUDITOR = AuditorOfMasks()


def _key(labels: Masks, i: int) -> int:
    """A number that depends only on the mask, so that the order of the pictures does not matter; 0 if all is void."""
    mask = labels.mask(i)
    return max(1, zlib.crc32(mask.astype(np.int16).tobytes())) if (mask >= 0).any() else 0


def _looked(labels: Masks, predictions: Predictions, response: Response) -> Iterator[Looked]:
    """Every picture once; read one after the other, as what reads them may be no friend of threads."""

    def look(read: Pair) -> Looked:
        regions = regions_of(read[0])
        return Looked(Outline.of(regions), candidates(Scene(*read, response), regions))

    yield from in_threads(look, ((labels.mask(i), predictions(i)) for i in range(labels.n)), usable())


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


def _errors(pictures: Sequence[Seen], k: int) -> Expected:
    """Error probabilities of the candidates."""
    contrast, apart = (np.array([value for one in pictures for value in getattr(one, name)]) for name in ("contrast", "apart"))
    worth = Worth.fit(contrast, apart)
    evidence = []
    for one in pictures:
        ratio, far = (np.array([getattr(change.gain, name) for change in one.found]) for name in ("contrast", "apart"))
        chosen = np.array([not change.whole for change in one.found], float)
        evidence.append(worth.evidence(ratio, far) - CLEAR**2 / 2 * chosen)  # a part was chosen because of its pixels
    return expected(evidence, len(contrast) + sum(one.parts for one in pictures), k)


def rate_of(error: Matrix, errors: Expected) -> ErrorRate:
    """The mean error probability of regions, with the interval of the number of wrong ones."""
    n, mean = max(len(error), 1), float(error.mean()) if len(error) else 0.0
    return ErrorRate(mean, min(mean, errors.low / n), min(1.0, max(mean, errors.high / n)))


def noise_from(sites: Sites, items: Matrix, errors: Expected, response: Response) -> MaskNoise:
    """Expected numbers of each kind of error, among regions that can be judged."""
    labels, k = sites.labels, len(sites.labels.classes)
    counts, right = np.zeros((len(KINDS_OF_ERROR), k, k)), np.zeros(k)
    kinds = np.array([-1 if kind is None else KINDS_OF_ERROR.index(kind) for kind in sites.kind], np.int64)
    wrong, large = kinds >= 0, labels.area >= FEWEST
    np.add.at(counts, (kinds[wrong], sites.suggested[wrong], labels.values[wrong]), sites.error[wrong])
    np.add.at(right, labels.values[large], 1 - sites.error[large])
    mean = float(items.mean())
    low, high = (edge / max(errors.wrong, 1e-9) for edge in (errors.low, errors.high))
    interval = (mean, min(1.0, low) * mean, min(1.0, max(1.0, high) * mean))
    return MaskNoise(
        counts, right, KINDS_OF_ERROR, interval, response.blur, response.together * response.step**2, labels.classes
    )
