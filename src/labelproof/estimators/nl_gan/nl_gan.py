"""`NLGAN`: pictures with clean labels, generated from few pictures with noisy ones."""

from __future__ import annotations

import math
import os
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import torch
from sklearn.base import BaseEstimator
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from labelproof.errors import BadInput, LabelproofWarning
from labelproof.estimators.nl_gan.adversaries import Generators, noise
from labelproof.estimators.nl_gan.contest import Contest
from labelproof.estimators.nl_gan.pictures import PictureFormat, tags_of_pictures
from labelproof.estimators.nl_gan.regime import LOSSES, AdversarialRegime
from labelproof.estimators.nl_gan.soft_labels import Shares, SoftLabels, check_shares, shares_of, soft_labels
from labelproof.saving.saveable import Saveable, params_of, plain_params
from labelproof.saving.state import State
from labelproof.training.augmentation import strength_for
from labelproof.training.loop import fit
from labelproof.training.options import Options
from labelproof.training.trainable import TrainingData
from labelproof.validation import UNLABELLED, AnyArray, ArrayLike, RandomState, accepts_seed, seed_from
from labelproof.validation.estimator_labels import coded_labels

LEAST_DIVERSITY = 0.3
BLOCK = 512  # pictures generated at a time
Codes = npt.NDArray[np.int64]
Share = float | Mapping[Any, float] | None


@accepts_seed
class NLGAN(Saveable, BaseEstimator):  # type: ignore[misc]
    r"""NL-GAN: two generators that make cleanly labelled pictures from a small data set with noisy labels.

    A discriminator D learns to distinguish given positives (0) from given negatives (1). With cross-entropy H that equals
    learning clean labels softened to δ_P and δ_N,

        ``L_noisy(D) = E_P̂ H(D, 0) + E_N̂ H(D, 1)``  (equation 2)
        ``= (π_P + 1 - π_N) E_P H(D, δ_P) + (1 - π_P + π_N) E_N H(D, δ_N)``  (equation 3)

    so generators that are trained towards δ_P and δ_N make true positives and true negatives:

        ``L_GP = E H(D(G_P(z)), δ_P)``, ``L_GN = E H(D(G_N(z)), δ_N)``  (equation 4)
        ``L_D = α L_noisy(D) + β [E H(D(G_P(z)), 1) + E H(D(G_N(z)), 0)]``  (equation 5)

    A second output U of the discriminator distinguishes given (1) from generated pictures (0) whatever their labels. By
    equation 3, as many given positives as negatives hold both classes in known parts, which the generated pictures together
    must match:

        ``L_U = E_P̂ H(U, 1) + E_N̂ H(U, 1) + (π_P + 1 - π_N) E H(U(G_P(z)), 0) + (1 - π_P + π_N) E H(U(G_N(z)), 0)``

    This output goes beyond the paper, and so does training more than two classes one against the rest.

    Parameters
    ----------
    pi_p, pi_n : float or mapping of class to float, default=None
        Shares π_P and π_N of right labels among the items given the positive class, and among the others. By default δ is
        estimated: a discriminator is trained on the noisy labels alone, and a mixture of two Gaussians fitted to its outputs.
        The second of two classes in sorted order is the positive one.
    epochs : int, default=40
        Epochs of adversarial training; the paper uses 40 for MNIST, 500 for CIFAR-10. With 0, only δ is estimated.
    pretraining_epochs : int, default=15
        Epochs of the noisy training that estimates δ.
    alpha, beta : float, default=5.0, 0.5
        Weights of equation 5.
    loss : {"cross-entropy", "squared"}, default="cross-entropy"
        H; squared error has the same optimum.
    augment : float, default=None
        Strength of the random affine augmentation (shift, rotation, shear, scale) of each picture that a discriminator sees,
        so that it does not memorise few pictures and their wrong labels; 0 as in the paper. By default 1 for a thousand
        pictures and 2 for a hundred. See `labelproof.training.augmentation.affine`.
    coverage : float, default=0.4
        Weight of a second output of the discriminator in the training of the generators. It distinguishes given from generated
        pictures whatever their labels, so that generators make all kinds of pictures of a class. 0 as in the paper.
    shared : bool, default=True
        Whether the two generators share all layers except the first, so that their pictures differ only in what depends on the
        class; false as in the paper.
    upsample : int, default=10000
        Items of an epoch: smaller data sets are repeated, larger ones are used whole, with equal classes.
    filters : tuple of int, default=None
        Filters of the discriminator's convolutions; the generators mirror them. By default chosen by the size of the pictures.
    batch_size : int, default=64
        Number of real pictures per step; as many are generated.
    learning_rate : float, default=0.0002
    random_state : int, RandomState instance or None, default=0
        The same number gives the same model on the same kind of machine.
    accelerator, precision : default="auto", "32-true"
        As Lightning Fabric names them.
    checkpoints : path, default=None
        A folder. A killed `fit` with the same data and options resumes from it.

    Attributes
    ----------
    classes_ : ndarray, shape (k,)
    augment_ : float
        The strength that was used.
    contests_ : dict of class to Contest
        One for two classes, named after the positive class; one per class for more.

    See Also
    --------
    GenerativeCleaner : A classifier that learns from the generated pictures.

    References
    ----------
    Chiaroni, Rahal, Hueber, Dufaux (2019), Hallucinating a cleanly labeled augmented dataset from a noisy labeled dataset
    using GAN, ICIP. Zhao, Liu, Lin, Zhu, Han (2020), Differentiable augmentation for data-efficient GAN training (``augment``).
    Liu, Tuzel (2016), Coupled generative adversarial networks (``shared``).

    Examples
    --------
    >>> import warnings, labelproof as lp
    >>> from sklearn.datasets import load_digits
    >>> warnings.simplefilter("ignore")                     # two epochs are too short for variety
    >>> digits = load_digits()
    >>> rows = digits.target < 2
    >>> noisy = lp.simulate.symmetric(digits.target[rows], 0.2, random_state=0)
    >>> gan = lp.NLGAN(0.8, 0.8, epochs=2, upsample=640)
    >>> images, labels = gan.fit(digits.images[rows] / 16, noisy.labels).generate(10)
    >>> images.shape, labels.tolist()
    ((10, 8, 8), [0, 1, 0, 1, 0, 1, 0, 1, 0, 1])
    """

    kind = "nl-gan"

    def __init__(
        self,
        pi_p: Share = None,
        pi_n: Share = None,
        *,
        epochs: int = 40,
        pretraining_epochs: int = 15,
        alpha: float = 5.0,
        beta: float = 0.5,
        loss: str = "cross-entropy",
        augment: float | None = None,
        coverage: float = 0.4,
        shared: bool = True,
        upsample: int = 10_000,
        filters: tuple[int, ...] | None = None,
        batch_size: int = 64,
        learning_rate: float = 2e-4,
        random_state: RandomState = 0,
        accelerator: str = "auto",
        precision: str | int = "32-true",
        checkpoints: str | os.PathLike[str] | None = None,
    ) -> None:
        self.pi_p = pi_p
        self.pi_n = pi_n
        self.epochs = epochs
        self.pretraining_epochs = pretraining_epochs
        self.alpha = alpha
        self.beta = beta
        self.loss = loss
        self.augment = augment
        self.coverage = coverage
        self.shared = shared
        self.upsample = upsample
        self.filters = filters
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.random_state = random_state
        self.accelerator = accelerator
        self.precision = precision
        self.checkpoints = checkpoints

    def fit(self, images: ArrayLike, y: ArrayLike) -> NLGAN:
        """Train discriminators and generators.

        Parameters
        ----------
        images : array-like, shape (n, height, width) or (n, height, width, channels)
            Whole numbers from 0 to 255, or real numbers from 0 to 1.
        y : array-like, shape (n,)
            Given labels of two classes or more; unlabelled items (-1, ``None``, NaN) are ignored.

        Returns
        -------
        NLGAN

        Raises
        ------
        BadInput
            For shares that sum to 1 or less, a class with fewer than two items, pictures of several sizes, or values out of
            range.

        Warns
        -----
        LabelproofWarning
            If a generator's pictures are too similar (mode collapse).
        """
        array, self.format_ = PictureFormat.of(images)
        codes, self.classes_ = coded_labels(y)
        if len(codes) != len(array):
            raise BadInput(f"There are {len(array)} images but {len(codes)} labels. Give one label per image.")
        self._check_options(codes)
        self._seed = seed_from(self.random_state)
        pictures = self.format_.tensor(array[codes != UNLABELLED])
        codes = codes[codes != UNLABELLED]
        self.augment_ = strength_for(len(codes)) if self.augment is None else float(self.augment)
        positives = range(1, 2) if len(self.classes_) == 2 else range(len(self.classes_))
        shares = {code: self._shares(code) for code in positives}
        self.contests_ = {
            self.classes_[code].item(): self._contest(pictures, (codes == code).astype(np.int64), code, shares[code])
            for code in positives
        }
        return self

    def _check_options(self, codes: Codes) -> None:
        counts = np.bincount(codes[codes >= 0], minlength=len(self.classes_))
        if len(counts) < 2:
            raise BadInput(f"y has only one class, {self.classes_.tolist()}. Give both positives and negatives.")
        if counts.min() < 2:
            name = self.classes_[counts.argmin()].item()
            raise BadInput(f"class {name!r} has {counts.min()} image. Give two or more images of each class.")
        if self.loss not in LOSSES:
            raise BadInput(f"loss is {self.loss!r}. Give one of {', '.join(LOSSES)}.")
        for name, least in (("epochs", 0), ("pretraining_epochs", 1), ("upsample", 2), ("batch_size", 2)):
            if getattr(self, name) < least:
                raise BadInput(f"{name} is {getattr(self, name)!r}. Give {least} or more.")
        if self.augment is not None and not 0 <= self.augment <= 2:
            raise BadInput(f"augment is {self.augment!r}. Give a number from 0 (pictures as they are) to 2.")
        for name in ("alpha", "beta"):
            if not getattr(self, name) > 0:
                raise BadInput(f"{name} is {getattr(self, name)!r}. Give a number above 0.")
        if not 0 <= self.coverage < math.inf:
            raise BadInput(f"coverage is {self.coverage!r}. Give a number, 0 or more.")

    def _shares(self, code: int) -> Shares | None:
        """π of a class and the rest, or nothing if they have to be estimated."""
        name = self.classes_[code].item()
        found: list[float | None] = []
        for share in (self.pi_p, self.pi_n):
            if isinstance(share, Mapping):
                if name not in share:
                    raise BadInput(f"pi_p or pi_n has no entry for class {name!r}. It has {list(share)}.")
                share = share[name]
            found.append(share)
        positive, negative = found
        if (positive is None) != (negative is None):
            raise BadInput("pi_p or pi_n is missing. Give both, or neither.")
        return None if positive is None or negative is None else check_shares(Shares(float(positive), float(negative)))

    def _contest(self, pictures: Tensor, given: Codes, code: int, shares: Shares | None) -> Contest:
        rows, fold = self._upsampled(given)
        data = TrainingData(pictures[rows], torch.from_numpy(given)[rows])
        lengths = (self.pretraining_epochs if shares is None else 0), self.epochs
        if not sum(lengths):
            raise BadInput("epochs is 0 and the shares are given, so there is nothing to train. Give epochs above 0.")
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self._seed)
            regime = AdversarialRegime(
                data, fold, shares, lengths, alpha=self.alpha, beta=self.beta, loss=self.loss, augment=self.augment_,
                coverage=self.coverage, shared=self.shared, filters=self.filters,
            )  # fmt: skip
        options = Options(
            epochs=sum(lengths), batch_size=self.batch_size, learning_rate=self.learning_rate, weight_decay=0.0,
            schedule="constant", seed=self._seed, accelerator=self.accelerator, precision=self.precision,
        )  # fmt: skip
        folder = None if self.checkpoints is None else Path(self.checkpoints) / str(code)
        identity = {
            "model": "nl-gan", "shares": shares and list(shares), "pretraining": lengths[0], "alpha": self.alpha,
            "beta": self.beta, "loss": self.loss, "augment": self.augment_, "coverage": self.coverage, "shared": self.shared,
            "filters": self.filters and list(self.filters),
        }  # fmt: skip
        fit(regime, data, options, folder=folder, identity=identity)
        found = SoftLabels(*regime.aims.tolist()) if shares is None else soft_labels(shares)
        contest = Contest(
            regime.generators, found, shares or shares_of(found),
            regime.diversity.numpy(), regime.outputs.numpy() if lengths[0] else np.zeros(0, np.float32),
        )  # fmt: skip
        self._warn_of_collapse(contest, code)
        return contest

    def _upsampled(self, given: Codes) -> tuple[Tensor, Tensor]:
        """Rows of an epoch, equally many of each label and equally often each of its items; and a half for each item."""
        rng = np.random.default_rng(self._seed)
        each = max(self.upsample // 2, int(np.bincount(given).max()))
        rows, halves = [], np.zeros(len(given), np.int64)
        for label in (0, 1):
            own = rng.permutation(np.flatnonzero(given == label))
            halves[own[len(own) // 2 :]] = 1
            rows.append(np.resize(own, each))
        chosen = np.concatenate(rows)
        return torch.from_numpy(chosen), torch.from_numpy(halves[chosen])

    def _warn_of_collapse(self, contest: Contest, code: int) -> None:
        names = [str(self.classes_[code])]
        if not self.epochs:
            return
        names.append(str(self.classes_[1 - code]) if len(self.classes_) == 2 else f"not {names[0]}")
        for name, ratio in zip(names, contest.diversity[-1], strict=True):
            if ratio < LEAST_DIVERSITY:
                warnings.warn(
                    f"The generator of class {name} collapsed: its images differ from each other only {ratio:.0%} as much as the given ones do. Train with another random_state, fewer epochs, or more data.",
                    LabelproofWarning,
                    stacklevel=4,
                )

    @accepts_seed
    @torch.inference_mode()
    def generate(self, n: int, *, label: object = None, random_state: RandomState = None) -> tuple[AnyArray, AnyArray]:
        """Generate pictures and their labels.

        Parameters
        ----------
        n : int
        label : class, optional
            Label of all pictures. By default classes take turns.
        random_state : int, RandomState instance or None, default=None
            By default that of the model.

        Returns
        -------
        images : ndarray, shape (n, ...)
            uint8, or float32 from 0 to 1, like the training images.
        labels : ndarray, shape (n,)
        """
        check_is_fitted(self, "contests_")
        if n < 1:
            raise BadInput(f"n is {n}. Give 1 or more.")
        if not self.epochs:
            raise BadInput("epochs is 0, so no generator was trained. Fit with epochs above 0.")
        known = self.classes_.tolist()
        if label is not None and label not in known:
            raise BadInput(f"label is {label!r}. Give one of {known}.")
        codes = np.arange(n) % len(known) if label is None else np.full(n, known.index(label))
        made = np.empty((n, *self.format_.shape), np.uint8 if self.format_.whole else np.float32)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed_from(self.random_state if random_state is None else random_state))
            for code in np.unique(codes):
                rows = np.flatnonzero(codes == code)
                for start in range(0, len(rows), BLOCK):
                    block = rows[start : start + BLOCK]
                    made[block] = self.format_.array(self._made(code, noise(len(block), torch.device("cpu"))))
        return made, self.classes_[codes]

    def _made(self, code: int, z: Tensor) -> Tensor:
        """Pictures of a class, from numbers (n, 100)."""
        if len(self.classes_) > 2:
            return self.contests_[self.classes_[code].item()].made(z, positive=True)
        (contest,) = self.contests_.values()
        return contest.made(z, positive=code == 1)

    def to_state(self) -> State:
        """The fitted state, as JSON and arrays."""
        contests = [{"name": name, **contest.meta} for name, contest in self.contests_.items()]
        meta = {
            "params": plain_params(self, checkpoints=None),
            "classes": self.classes_.tolist(),
            "shape": list(self.format_.shape),
            "whole": self.format_.whole,
            "augment": self.augment_,
            "contests": contests,
        }
        arrays: dict[str, AnyArray] = {}
        for number, contest in enumerate(self.contests_.values()):
            arrays |= contest.arrays(number)
        return State(self.kind, meta, arrays)

    @classmethod
    def from_state(cls, state: State) -> Self:
        """The same estimator again."""
        model = cls(**params_of(state))
        model.classes_, model.augment_ = np.array(state.get("classes", list)), state.get("augment", float)
        model.format_ = PictureFormat(tuple(state.get("shape", list)), state.get("whole", bool))
        model.contests_ = {}
        for number, own in enumerate(state.get("contests", list)):
            generators = Generators(model.format_.channels_first, model.filters, shared=model.shared)
            model.contests_[own["name"]] = Contest.read(generators, own, state, number)
        return model

    def __sklearn_tags__(self) -> Tags:
        return tags_of_pictures(super().__sklearn_tags__())
