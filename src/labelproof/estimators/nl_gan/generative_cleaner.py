"""`GenerativeCleaner`: a classifier that learns from generated pictures instead of mislabelled ones."""

from __future__ import annotations

from typing import Self

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted

from labelproof.errors import BadInput
from labelproof.estimators.inner import inner, inner_states
from labelproof.estimators.nl_gan.nl_gan import NLGAN
from labelproof.estimators.nl_gan.pictures import PictureFormat, tags_of_pictures
from labelproof.estimators.noisy_label_classifier.noisy_label_classifier import NoisyLabelClassifier
from labelproof.saving.saveable import Saveable, params_of, plain_params
from labelproof.saving.state import State
from labelproof.validation import AnyArray, ArrayLike, RandomState, accepts_seed, seed_from

MOST_AUGMENTED = 1.0  # the strength at which a classifier sees generated pictures


@accepts_seed
class GenerativeCleaner(Saveable, ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Two stages: a generator of cleanly labelled pictures is fitted to noisy ones, then a classifier to the generated
    pictures.

    Parameters
    ----------
    generator : estimator, default=None
        With ``fit(images, labels)`` and ``generate(n, random_state=)``; by default `labelproof.NLGAN`.
    classifier : scikit-learn classifier of pictures, default=None
        By default `labelproof.NoisyLabelClassifier` with the paper's network, 25 epochs of cross-entropy at 1e-4, on pictures
        with the augmentation of the discriminator, at a strength of at most 1.
    n_generated : int, default=10000
        Number of generated pictures that the classifier learns from, equally many per class.
    random_state : int, RandomState instance or None, default=0
        The same number gives the same model on the same kind of machine.

    Attributes
    ----------
    classes_ : ndarray, shape (k,)
    generator_, classifier_ : fitted estimators

    See Also
    --------
    NLGAN : The generator.
    NoisyLabelClassifier : Learns from the given pictures themselves.

    References
    ----------
    Chiaroni, Rahal, Hueber, Dufaux (2019), Hallucinating a cleanly labeled augmented dataset from a noisy labeled dataset
    using GAN, section 2.2.

    Examples
    --------
    >>> import labelproof as lp
    >>> cleaner = lp.GenerativeCleaner(lp.NLGAN(0.85, 0.85, epochs=40))
    >>> cleaner.fit(images, noisy).predict(new_images)                        # doctest: +SKIP
    """

    kind = "generative-cleaner"

    def __init__(
        self,
        generator: BaseEstimator = None,
        classifier: BaseEstimator = None,
        *,
        n_generated: int = 10_000,
        random_state: RandomState = 0,
    ) -> None:
        self.generator = generator
        self.classifier = classifier
        self.n_generated = n_generated
        self.random_state = random_state

    def fit(self, X: ArrayLike, y: ArrayLike) -> GenerativeCleaner:
        """Fit the generator to pictures and noisy labels, and the classifier to the generated pictures.

        Parameters
        ----------
        X : array-like, shape (n, height, width) or (n, height, width, channels)
        y : array-like, shape (n,)

        Returns
        -------
        GenerativeCleaner
        """
        if self.n_generated < 2:
            raise BadInput(f"n_generated is {self.n_generated!r}. Give 2 or more.")
        seed = seed_from(self.random_state)
        self.generator_ = (NLGAN(random_state=seed) if self.generator is None else clone(self.generator)).fit(X, y)
        images, labels = self.generator_.generate(self.n_generated, random_state=seed)
        own = self.classifier
        made = classifier_of_generated(images, self.generator_, seed) if own is None else clone(own)
        self.classifier_ = made.fit(images, labels)
        self.classes_ = self.classifier_.classes_
        return self

    def to_state(self) -> State:
        """The fitted state, as JSON and arrays."""
        own = inner_states(generator=self.generator_, classifier=self.classifier_)
        default = {"default_generator": self.generator is None, "default_classifier": self.classifier is None}
        params = plain_params(self, generator=None, classifier=None)
        return State(self.kind, {"params": params, **default, **own.meta}, own.arrays)

    @classmethod
    def from_state(cls, state: State) -> Self:
        """The same estimator again."""
        model = cls(**params_of(state))
        for name in ("generator", "classifier"):
            fitted = inner(state, name)
            setattr(model, f"{name}_", fitted)
            setattr(model, name, None if state.get(f"default_{name}", bool) else clone(fitted))
        model.classes_ = model.classifier_.classes_
        return model

    def __sklearn_tags__(self) -> Tags:
        return tags_of_pictures(super().__sklearn_tags__())

    def predict(self, X: ArrayLike) -> AnyArray:
        """The most probable class of each picture, shape (n,)."""
        check_is_fitted(self, "classifier_")
        return np.asarray(self.classifier_.predict(PictureFormat.of(X)[0]))

    def predict_proba(self, X: ArrayLike) -> npt.NDArray[np.float64]:
        """Probabilities of the true class, shape (n, k)."""
        check_is_fitted(self, "classifier_")
        return np.asarray(self.classifier_.predict_proba(PictureFormat.of(X)[0]))


def classifier_of_generated(
    images: AnyArray, generator: BaseEstimator, random_state: RandomState = 0, epochs: int = 25
) -> NoisyLabelClassifier:
    """`second_stage` for pictures that a fitted generator made.

    They vary only as far as the augmentation of its discriminator (``augment_``). If they all share some property, a
    classifier without augmentation learns that property instead of the class. A strength above `MOST_AUGMENTED` is too much: a
    discriminator needs it to resist wrong labels, but few generated labels are wrong.
    """
    return second_stage(images, random_state, epochs, min(MOST_AUGMENTED, getattr(generator, "augment_", 0.0)))


def second_stage(
    images: AnyArray, random_state: RandomState = 0, epochs: int = 25, augment: float = 0.0
) -> NoisyLabelClassifier:
    """The classifier that the paper trains in the second stage, for pictures of this size.

    Parameters
    ----------
    augment : float
        Strength of the affine augmentation of its training pictures.
    """
    square = images.shape[1] == images.shape[2]
    return NoisyLabelClassifier(
        "cross-entropy", backbone="two-stage-convnet" if square else "convnet", epochs=epochs, learning_rate=1e-4,
        batch_size=128, weight_decay=0.0, schedule="constant", augment=augment, random_state=random_state,
    )  # fmt: skip
