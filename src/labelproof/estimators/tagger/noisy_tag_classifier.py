"""`NoisyTagClassifier`: a multi-label classifier that learns how tags go missing and are added, from the noisy tags alone."""

from __future__ import annotations

import os
from collections.abc import Iterable
from functools import partial
from typing import Self

import numpy as np
import numpy.typing as npt
import torch
from scipy.special import expit
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted, validate_data
from torch import Tensor, nn

from labelproof.data.bags import Bags
from labelproof.data.picture_rows import PictureRows
from labelproof.errors import BadInput
from labelproof.estimators.tagger.inputs import (
    UNKNOWN,
    check_options,
    encoded,
    evidence_of,
    fitted_encoder,
    given_tags,
    of_numbers,
)
from labelproof.estimators.tagger.network import TagNetwork, backbone_of, begin_at
from labelproof.estimators.tagger.noise_network import NoiseNetwork
from labelproof.estimators.tagger.out_of_sample import Assumed, Scores, known_rates, out_of_sample
from labelproof.estimators.tagger.reading import of_training_items, parts
from labelproof.estimators.tagger.stages import Stages
from labelproof.estimators.tagger.state import restore, state_of
from labelproof.noise.tag_rates import TagRates
from labelproof.saving.saveable import Saveable, params_of
from labelproof.saving.state import State
from labelproof.training.loop import fit
from labelproof.training.options import Options
from labelproof.training.trainable import TrainingData
from labelproof.validation import ArrayLike, RandomState, accepts_seed, seed_from

BLOCK = 256
CERTAIN = 30.0  # logit of a tag that is given always
Probs = npt.NDArray[np.float64]


@accepts_seed
class NoisyTagClassifier(Saveable, ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    r"""A multi-label neural network with a noise modeling network (NMN) for missing and incorrect tags.

    Each given tag z is an observation of a hidden true tag y, ``p(z | x) = sum over y of p(z | y, x) p(y | x)``. The classifier
    ``p(y | x)`` is trained alone, then together with ``p(z | y, x)``; the gradient at its logit is ``p(y = 1 | x)`` minus the
    posterior of the true tag. Only the classifier predicts.

    Parameters
    ----------
    backbone : str or torch Module, default="auto"
        ``"auto"``: a multilayer perceptron for vectors, a small convolutional network for pictures; ``"fcn-vgg16"``,
        ``"resnet18"``. A module of your own maps instances to vectors (b, c) or maps (b, c, h, w), and is copied. If it has
        ``encode`` and ``score`` it is used whole, otherwise it gets a linear head.
    weights : path, default=None
        Published weights to start ``"fcn-vgg16"`` from, torchvision's ``vgg16-397923af.pth``.
    noise : {"feature-dependent", "feature-independent", "em"} or None, default="feature-dependent"
        ``p(z | y, x)`` (equation 3), ``p(z | y)`` (equation 4), the latter by expectation-maximisation (the appendix), or
        none: then the second stage continues the first.
    pooling : {"none", "noisy-or", "mean", "max"}, default="none"
        How places of a picture and instances of a bag make an item (multiple instance learning). ``"none"`` averages places,
        and trains every instance of a bag as an item with the bag's tags; the most certain instance counts in predictions.
    stages : (int, int), default=(20, 10)
        Epochs of the classifier alone, and of both.
    loss : {"cross-entropy", "warp"}, default="cross-entropy"
        Loss of the first stage; WARP ranks tags, and has no noise network.
    missing, incorrect : "auto" or float, default="auto"
        Initial rates of the noise network. ``"auto"`` estimates ``p(z = 0 | y = 1)`` and ``p(z = 1 | y = 0)`` of each tag from
        out-of-sample scores (`labelproof.noise.tag_plateaus`). Numbers are the share of true tags that were not given, and the
        share of given tags that are wrong, ``p(y = 0 | z = 1)``. The latter and the frequency of a tag give its ``p(z = 1 | y
        = 0)``, because one rate for all would drown the rare tags.
    folds : int, default=3
        Folds of the out-of-sample scores: as many further classifiers are trained, each without its fold.
    noise_lr : float, default=1.0
        Learning rate of the noise network, as a multiple of the classifier's.
    batch_size : int, default=None
    learning_rate : float, default=0.003
        Peak rate of each stage.
    weight_decay : float, default=0.005
    random_state : int, RandomState instance or None, default=0
        The same number gives the same model on the same kind of machine.
    accelerator, devices, precision : default="auto", 1, "32-true"
        As Lightning Fabric names them.

    Attributes
    ----------
    classes_ : ndarray, shape (k,)
        Names of the tags; numbers if no names were given.
    error_probability_ : ndarray, shape (n, k)
        Probability that each given tag, or its absence, is wrong; NaN where unknown. It is in-sample: if the networks fit the
        tags too well, cross-validate with `labelproof.audit`.
    missing_, incorrect_ : ndarray, shape (k,)
        ``p(z = 0 | y = 1)`` and ``p(z = 1 | y = 0)`` of each tag over the training items.
    out_of_sample_ : Scores or None
        Logits of the given tags by networks that were not trained on the item; None if no rate was estimated. Not saved.
    constant_ : list
        Tags that are always or never given: nothing can be learned about them, and they are predicted as given.
    module_ : Stages

    See Also
    --------
    NoisyLabelClassifier : For items with one class.
    audit : Finds wrong tags from the probabilities of any model.
    ConceptCaptioner : Captions from the tags of each frame.

    References
    ----------
    Jiang et al. (2019), Learning from noisy labels with noise modeling network.

    Examples
    --------
    >>> import numpy as np, labelproof as lp
    >>> rng = np.random.default_rng(0)
    >>> x = rng.normal(size=(800, 5))
    >>> true = (x[:, :3] > 0).astype(int)
    >>> noisy = lp.simulate.missing_tags(true, 0.3, random_state=0)
    >>> model = lp.NoisyTagClassifier("auto", noise="feature-independent", stages=(20, 10)).fit(x, noisy.labels)
    >>> bool((model.predict(x) == true).mean() > 0.9), bool(abs(model.missing_.mean() - 0.3) < 0.1)
    (True, True)
    """

    kind, made_by = "noisy-tag-classifier", "labelproof concepts --captions"

    def __init__(
        self,
        backbone: str | nn.Module = "auto",
        *,
        weights: str | os.PathLike[str] | None = None,
        noise: str | None = "feature-dependent",
        pooling: str = "none",
        stages: tuple[int, int] = (20, 10),
        loss: str = "cross-entropy",
        missing: float | str = "auto",
        incorrect: float | str = "auto",
        folds: int = 3,
        noise_lr: float = 1.0,
        batch_size: int | None = None,
        learning_rate: float = 3e-3,
        weight_decay: float = 5e-3,
        random_state: RandomState = 0,
        accelerator: str = "auto",
        devices: int = 1,
        precision: str | int = "32-true",
    ) -> None:
        self.backbone = backbone
        self.weights = weights
        self.noise = noise
        self.pooling = pooling
        self.stages = stages
        self.loss = loss
        self.missing = missing
        self.incorrect = incorrect
        self.folds = folds
        self.noise_lr = noise_lr
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.random_state = random_state
        self.accelerator = accelerator
        self.devices = devices
        self.precision = precision

    def fit(
        self,
        X: ArrayLike,
        y: ArrayLike | None = None,
        *,
        names: Iterable[object] | None = None,
        pretrained: NoisyTagClassifier | None = None,
        evidence: ArrayLike | None = None,
        rates: TagRates | None = None,
    ) -> NoisyTagClassifier:
        """Train the networks.

        Parameters
        ----------
        X : array-like (n, d), pictures (n, h, w) or (n, h, w, c), frame, texts (n,), Bags of vectors or pictures, or PictureRows
        y : array-like of 0/1, shape (n, k)
            Given tags; -1 or NaN if it is not known whether a tag was given.
        names : sequence of length k, optional
            Names of the tags.
        pretrained : NoisyTagClassifier, optional
            A model fitted to the same items and tags, with ``stages[1] = 0``. Its network replaces the first stage, and its
            out-of-sample scores, if any, are reused. Use it to compare several second stages.
        evidence : array-like, shape (n, k) or (n, k, e), optional
            What the mention of each tag may depend on, for ``noise="feature-dependent"``, such as the size of the object. It
            must be known whether or not the item has the tag.
        rates : TagRates, optional
            Known rates of each tag, to begin with instead of ``missing`` and ``incorrect``.

        Returns
        -------
        NoisyTagClassifier

        Raises
        ------
        BadInput
        """
        check_options(self.noise, self.loss, self.stages, self.noise_lr)
        seed = seed_from(self.random_state)
        self.__dict__.pop("n_features_in_", None)  # of an earlier fit
        X = self._rows(X, fitting=True)
        given, self.classes_ = given_tags(y, names)
        self.encoder_ = fitted_encoder(X, raw=not isinstance(self.backbone, str))
        x = encoded(X, self.encoder_)
        if len(x) != len(given):
            raise BadInput(f"X has {len(x)} items but y has {len(given)} rows. Give one row of tags per item.")
        self._said(given)
        seen = None if evidence is None else evidence_of(evidence, given.shape, self.noise)
        lengths = [int(epochs) for epochs in self.stages]
        network, features = self._network(x, given, seed)
        noise = None
        if self.noise is not None:
            dependent, columns = self.noise == "feature-dependent", 0 if seen is None else seen.shape[-1]
            noise = NoiseNetwork(features, given.shape[1], feature_dependent=dependent, evidence=columns)
            self._start(noise, x, given, pretrained, seen, rates)
        if pretrained is not None:
            lengths[0] = 0
            _take_over(network, pretrained)
        data = TrainingData(x, torch.from_numpy(given))
        self.module_ = Stages(
            network, noise, data, lengths, em=self.noise == "em", ranking=self.loss == "warp", noise_lr=self.noise_lr,
            evidence=None if seen is None else torch.from_numpy(seen).float(),
        )  # fmt: skip
        fit(self.module_, data, self._options(sum(lengths), seed))
        learned = of_training_items(self.module_, x, given, self._varying)
        self.error_probability_, self.missing_, self.incorrect_ = learned
        del self.module_.data  # the training items
        self.module_.evidence = None
        return self

    def _options(self, epochs: int, seed: int) -> Options:
        return Options(
            epochs=epochs, batch_size=self.batch_size, learning_rate=self.learning_rate, weight_decay=self.weight_decay,
            seed=seed, accelerator=self.accelerator, devices=self.devices, precision=self.precision,
        )  # fmt: skip

    def _network(self, x: Tensor, given: npt.NDArray[np.int64], seed: int) -> tuple[TagNetwork, int]:
        """A fresh classifier, and the length of its feature vector."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            backbone = backbone_of(self.backbone, self.weights, self.encoder_, given.shape[1])
            network = TagNetwork(backbone, len(self.encoder_.shape), self.pooling)
            frequency = ((given == 1).sum(axis=0) + 0.5) / ((given != UNKNOWN).sum(axis=0) + 1)
            return network, begin_at(network, x[:64], torch.from_numpy(frequency).float())

    def _start(
        self,
        noise: NoiseNetwork,
        x: Tensor,
        given: npt.NDArray[np.int64],
        pretrained: NoisyTagClassifier | None,
        evidence: Probs | None,
        rates: TagRates | None,
    ) -> None:
        """Initialise the noise network at the user's rates, or at those from out-of-sample scores."""
        assumed, seed = Assumed(self.missing, self.incorrect), seed_from(self.random_state)
        self.out_of_sample_: Scores | None = None
        if rates is not None:
            return noise.start(*known_rates(rates, given.shape[1]))
        if assumed.estimated or evidence is not None:
            epochs = int(self.stages[0]) if pretrained is None else int(pretrained.stages[0])

            def trained(some: Tensor, own: npt.NDArray[np.int64]) -> TagNetwork:
                data = TrainingData(some, torch.from_numpy(own))
                alone = Stages(self._network(some, own, seed)[0], None, data, [max(1, epochs), 0])
                fit(alone, data, self._options(max(1, epochs), seed))
                return alone.network

            known = None if pretrained is None else getattr(pretrained, "out_of_sample_", None)
            self.out_of_sample_ = known or out_of_sample(trained, x, given, self.folds, seed)
        return assumed.start(noise, given, self.out_of_sample_, evidence)

    def _rows(self, X: ArrayLike, *, fitting: bool = False) -> ArrayLike:
        """Rows of numbers as scikit-learn checks them, except for gaps, which the encoder names by row; all else unchanged."""
        checked: ArrayLike = validate_data(self, X, reset=fitting, ensure_all_finite=False) if of_numbers(X) else X
        return checked

    def _said(self, given: npt.NDArray[np.int64]) -> None:
        never, always = ~(given == 1).any(axis=0), ~(given == 0).any(axis=0)
        self.constant_ = self.classes_[never | always].tolist()
        if len(self.constant_) == len(self.classes_):
            raise BadInput("Every tag is always or never given, so nothing can be learned. Give tags that vary.")
        self._varying, self._always = ~(never | always), always

    def decision_function(self, X: ArrayLike) -> Probs:
        """Logits of the true tags, shape (n, k)."""
        check_is_fitted(self, "module_")
        logits = torch.cat([logits for logits, _ in parts(self.module_, encoded(self._rows(X), self.encoder_))]).numpy()
        logits[:, ~self._varying] = np.where(self._always[~self._varying], CERTAIN, -CERTAIN)
        return np.asarray(logits)

    def predict_proba(self, X: ArrayLike) -> Probs:
        """``p(y = 1 | x)``, the probability of each true tag, shape (n, k)."""
        return np.asarray(expit(self.decision_function(X)))

    def predict_instance_proba(self, X: ArrayLike) -> Bags:
        """Probability of each true tag in every instance on its own, e.g. of each frame of a video.

        Parameters
        ----------
        X : Bags, or PictureRows of videos

        Returns
        -------
        Bags
            Bags of vectors (k,), one per instance.

        Raises
        ------
        BadInput
            If X has no instances.
        """
        if isinstance(X, PictureRows) and X.frames:
            return Bags(self.predict_proba(X.each_frame()), X.frame_counts())
        if not isinstance(X, Bags):
            raise BadInput(f"X is {type(X).__name__}. Give Bags: only these have instances.")
        return Bags(self.predict_proba(X.instances), X.sizes)

    def predict(self, X: ArrayLike) -> npt.NDArray[np.int64]:
        """Tags that are more likely than not, 0/1 of shape (n, k)."""
        return (self.decision_function(X) > 0).astype(np.int64)

    def predict_given_proba(self, X: ArrayLike, *, evidence: ArrayLike | None = None) -> Probs:
        """``p(z = 1 | x)``, the probability that people would give each tag (human-centric prediction), shape (n, k).

        Parameters
        ----------
        X : as for `fit`
        evidence : array-like, shape (n, k) or (n, k, e), optional
            As for `fit`. By default the evidence is average.
        """
        check_is_fitted(self, "module_")
        found, x = [], encoded(self._rows(X), self.encoder_)
        seen = (
            None
            if evidence is None
            else torch.from_numpy(evidence_of(evidence, (len(x), len(self.classes_)), self.noise)).float()
        )
        for logits, odds in parts(self.module_, x, seen):
            true = logits.sigmoid()
            found.append((1 - true) * odds[..., 0].sigmoid() + true * odds[..., 1].sigmoid())
        return torch.cat(found).numpy()

    def to_state(self) -> State:
        """The fitted state, as JSON and arrays, without the user's own network."""
        return state_of(self)

    @classmethod
    def from_state(cls, state: State, *, backbone: nn.Module | None = None) -> Self:
        """The same again; see `load`."""
        model = cls(**params_of(state, backbone=backbone))
        restore(model, state)
        return model

    @classmethod
    def load(cls, folder: str | os.PathLike[str], *, backbone: nn.Module | None = None) -> Self:
        """Read what `save` wrote.

        Parameters
        ----------
        folder : path
        backbone : Module, default=None
            Required if the model was trained with one: the folder holds only its weights.

        Raises
        ------
        BadInput
            If the folder holds something else, or a later version of labelproof wrote it.
        CorruptArtifact
            If a file is missing or damaged, or the network is another.
        """
        return cls._restored(folder, partial(cls.from_state, backbone=backbone))

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        tags.classifier_tags.multi_class = False
        tags.target_tags.multi_output, tags.target_tags.single_output = True, False
        tags.input_tags.three_d_array = True
        return tags


def _take_over(network: TagNetwork, other: NoisyTagClassifier) -> None:
    check_is_fitted(other, "module_")
    try:
        network.load_state_dict(other.module_.network.state_dict())
    except RuntimeError as error:
        raise BadInput("pretrained has another network. Give both the same backbone, items and tags.") from error
