"""`NoisyLabelClassifier`: any method, any backbone, behind the interface of scikit-learn."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Self, cast

import numpy as np
import numpy.typing as npt
import torch
from scipy.special import softmax
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import Tags
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data
from torch import nn

from labelproof.data.dataset import Dataset
from labelproof.data.encoding import ENCODERS, RawEncoder, kind_of, n_dims
from labelproof.data.projection import Projection
from labelproof.errors import BadInput
from labelproof.estimators.noisy_label_classifier.items import Codes, check_two_classes, learned_noise, some_of, split_off
from labelproof.estimators.noisy_label_classifier.leaks import warn_of_leaks
from labelproof.estimators.noisy_label_classifier.state import KIND, identity_of, restore, state_of
from labelproof.estimators.noisy_label_classifier.uncertainty import Uncertainty, calibrate
from labelproof.methods import Method, Task, make_method
from labelproof.networks.backbones import Backbone, InputShape, network_maker
from labelproof.saving.saveable import Saveable, params_of
from labelproof.saving.state import State
from labelproof.training.augmentation import Augment, augmentation_of
from labelproof.training.dynamics import error_probability_of
from labelproof.training.history import History
from labelproof.training.loop import fit
from labelproof.training.options import Options
from labelproof.training.temperature import fit_temperature
from labelproof.training.trainable import TrainingData, predict_logits
from labelproof.validation import UNLABELLED, AnyArray, ArrayLike, BoolArray, RandomState, accepts_seed, seed_from, take_rows
from labelproof.validation.estimator_labels import coded_labels, has_gaps

HISTORY_FOLDER = "history"
LOOP_OPTIONS = (
    "epochs", "batch_size", "learning_rate", "optimizer", "weight_decay", "schedule", "clip_norm", "patience",
    "accelerator", "devices", "precision",
)  # fmt: skip


@accepts_seed
class NoisyLabelClassifier(Uncertainty, Saveable, ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    r"""A neural network trained on labels some of which are wrong, by any method of `labelproof.methods.METHODS`.

    Most methods model the given label z by a noise model on top of a classifier, ``p(z | x) = sum of p(z | y) p(y | x)``, or
    weigh the items. All predict the true label ``p(y | x)``, and record the training dynamics of each item, which give
    ``error_probability_``.

    Parameters
    ----------
    method : str, default="elr"
        ``"cross-entropy"``, ``"gce"``, ``"forward"``, ``"elr"``, ``"co-teaching"``, ``"dividemix"`` …; see
        ``labelproof methods``.
    method_options : dict, default=None
        Options of the method, e.g. ``{"transition": matrix}``.
    backbone : str, torch Module or callable, default="auto"
        ``"auto"``: a multilayer perceptron for rows, frames and text, a small convolutional network for pictures. A module of
        your own is copied, and receives arrays of numbers unchanged, as float32. A callable ``(InputShape, k) -> Module``
        makes fresh networks, which methods with several networks prefer.
    epochs : int, default=30
    batch_size : int, default=None
        By default 128, or less for fewer than 2,560 items.
    learning_rate : float, default=0.003
    optimizer : {"adamw", "sgd"}, default="adamw"
    weight_decay : float, default=0.005
    schedule : {"one-cycle", "cosine", "constant", "step"}, default=None
        By default the one that suits the method.
    clip_norm : float, default=None
    augment : "auto", "affine", float, callable or None, default="auto"
        Augmentation of the training items. ``"auto"`` shifts pictures by up to two pixels. ``"affine"`` shifts, rotates,
        shears and scales each on its own, so that networks do not memorise a few hundred pictures and their wrong labels. A
        number sets the strength, 1 for a thousand pictures and 2 for a hundred. A callable takes and returns a batch (b, ...).
    validation_fraction : float in [0, 1), default=0.0
        Share of the labelled items that is held out of training, for ``patience`` and for the temperature.
    calibration_fraction : float in [0, 1), default=0.0
        Share of the labelled items that is held out for `predict_set`, and used for nothing else.
    patience : int, default=None
        Epochs without a better validation accuracy before training stops.
    random_state : int, RandomState instance or None, default=0
        The same number gives the same model on the same kind of machine.
    accelerator, devices, precision : default="auto", 1, "32-true"
        As Lightning Fabric names them.
    checkpoints : path, default=None
        A folder. A killed `fit` with the same data and options resumes from it, and checkpoints and logs stay in it.
    logger : {"csv", "tensorboard"}, default=None
        Needs ``checkpoints``.

    Attributes
    ----------
    classes_ : ndarray, shape (k,)
    error_probability_ : ndarray, shape (n,)
        Probability that the label of each training item is wrong; NaN where unlabelled.
    transition_ : TransitionMatrix or None
        ``p(given | true)``, if the method has it.
    history_ : History
        Per item and epoch, in the order of the training items.
    calibration_ : ConformalSets or None
        Calibrated on the items held out for `predict_set`.
    temperature_ : float
        Divisor of the logits; 1 without validation items.
    module_ : Method
        The trained networks.
    source_ : dict
        Source of the data of a Dataset.

    See Also
    --------
    NoisyTagClassifier : For items with any number of tags.
    MislabeledVAE : For data with few labelled items.
    RankPruning : For any scikit-learn classifier of two classes.
    audit_dynamics : Finds wrong labels from the history of training.

    Notes
    -----
    ``None``, NaN and "" mean unlabelled in ``y``; -1 is an ordinary class. Methods
    that cannot use unlabelled items ignore them.

    Examples
    --------
    >>> import labelproof as lp
    >>> from sklearn.datasets import load_iris
    >>> x, true = load_iris(return_X_y=True)
    >>> noisy = lp.simulate.symmetric(true, 0.2, random_state=0)
    >>> model = lp.NoisyLabelClassifier("elr", epochs=40, batch_size=32).fit(x, noisy.labels)
    >>> bool(model.score(x, true) > 0.93)
    True
    >>> model.error_probability_.shape
    (150,)
    """

    kind, made_by = KIND, "labelproof train"
    classes_: AnyArray
    source_: dict[str, Any]
    projection_: Projection | None

    def __init__(
        self,
        method: str = "elr",
        *,
        method_options: dict[str, object] | None = None,
        backbone: Backbone = "auto",
        epochs: int = 30,
        batch_size: int | None = None,
        learning_rate: float = 3e-3,
        optimizer: str = "adamw",
        weight_decay: float = 5e-3,
        schedule: str | None = None,
        clip_norm: float | None = None,
        augment: Augment = "auto",
        validation_fraction: float = 0.0,
        calibration_fraction: float = 0.0,
        patience: int | None = None,
        random_state: RandomState = 0,
        accelerator: str = "auto",
        devices: int = 1,
        precision: str | int = "32-true",
        checkpoints: str | os.PathLike[str] | None = None,
        logger: str | None = None,
    ) -> None:
        self.method = method
        self.method_options = method_options
        self.backbone = backbone
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.optimizer = optimizer
        self.weight_decay = weight_decay
        self.schedule = schedule
        self.clip_norm = clip_norm
        self.augment = augment
        self.validation_fraction = validation_fraction
        self.calibration_fraction = calibration_fraction
        self.patience = patience
        self.random_state = random_state
        self.accelerator = accelerator
        self.devices = devices
        self.precision = precision
        self.checkpoints = checkpoints
        self.logger = logger

    def fit(
        self,
        X: ArrayLike,
        y: ArrayLike | None = None,
        *,
        sample_weight: ArrayLike | None = None,
        verified: ArrayLike | None = None,
    ) -> NoisyLabelClassifier:
        """Train the networks.

        Parameters
        ----------
        X : array-like (n, d), pictures (n, h, w) or (n, h, w, c), frame, texts (n,), or Dataset
        y : array-like, shape (n,)
            Given labels; not with a Dataset.
        sample_weight : array-like, shape (n,), optional
            Items of weight 0 are ignored.
        verified : array-like of bool, shape (n,), optional
            Labels that a person has re-checked; they are treated as true.

        Returns
        -------
        NoisyLabelClassifier

        Raises
        ------
        BadInput
            For NaN or infinite features, labels that are no classes, an unknown method (with the nearest names), or a loss
            that is not finite.
        """
        method = make_method(self.method, self.method_options)
        self._seed = seed_from(self.random_state)
        options = self._options(method)
        X, given, kind = self._checked(X, y)
        used = (given != UNLABELLED) | method.uses_unlabelled
        weight = None
        if sample_weight is not None:
            weight = _check_sample_weight(sample_weight, np.empty(len(given)), dtype=np.float64, ensure_non_negative=True)
            used &= weight > 0
        known = None if verified is None else np.asarray(verified, bool)
        if known is not None and len(known) != len(given):
            raise BadInput(f"verified has {len(known)} rows but there are {len(given)} items. Give one entry per item.")
        check_two_classes(given[used], self.classes_)
        encoder = RawEncoder() if kind == "raw" else ENCODERS[kind]()
        self.encoder_ = encoder.fit(X if used.all() else take_rows(X, np.flatnonzero(used)))
        if kind not in ("numbers", "raw") or not hasattr(self, "n_features_in_"):
            self.n_features_in_ = int(np.prod(self.encoder_.shape))
        held, kept = split_off(given, used, known, (self.validation_fraction, self.calibration_fraction), self._seed)
        rows = np.flatnonzero(used & ~held & ~kept)
        whole = TrainingData(
            torch.from_numpy(self.encoder_.transform(X)),
            torch.from_numpy(given),
            None if weight is None else torch.from_numpy(weight / weight[rows].mean()).float(),
            None if known is None else torch.from_numpy(known & (given != UNLABELLED)),
        )
        validation = some_of(whole, np.flatnonzero(held)) if held.any() else None
        self._train(method, options, some_of(whole, rows), validation)
        self.history_index_ = rows
        self._finish(method, given, rows, known, validation)
        self.calibration_ = None
        if kept.any():
            logits = self._logits_of(whole.x[torch.from_numpy(kept)])
            self.calibration_ = calibrate(softmax(logits, axis=1), given[kept], self.transition_)
        return self

    def _train(self, method: Method, options: Options, data: TrainingData, validation: TrainingData | None) -> None:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self._seed)
            method.build(self._task(data))
        folder = None if self.checkpoints is None else Path(self.checkpoints)
        epochs = sum(method.phases(self.epochs))
        self.history_ = History(len(data), epochs, None if folder is None else folder / HISTORY_FOLDER)
        fit(method, data, options, validation=validation, history=self.history_, folder=folder, identity=identity_of(self))

    def _options(self, method: Method) -> Options:
        chosen = {name: getattr(self, name) for name in LOOP_OPTIONS}
        if self.schedule is None:
            chosen["schedule"] = method.suggested.get("schedule", "one-cycle")
        if self.patience is not None and not self.validation_fraction:
            raise BadInput("patience needs items that the model is not trained on. Give validation_fraction, e.g. 0.1.")
        return Options(**chosen, seed=self._seed, logger=cast(Any, self.logger))

    def _checked(self, X: ArrayLike, y: ArrayLike | None) -> tuple[ArrayLike, Codes, str]:
        """Items, codes, and the kind of encoder; sets ``classes_`` and ``source_``."""
        self.__dict__.pop("n_features_in_", None)  # of an earlier fit
        if isinstance(X, Dataset):
            if y is not None:
                raise BadInput("y cannot be given here: the Dataset has its own labels. Omit it.")
            self.classes_, self.source_, self.projection_ = np.asarray(X.classes), X.source, X.projection
            return X.x, X.given, "frame" if X.kind == "table" else self._kind(X.x)
        kind, self.source_, self.projection_ = self._kind(X), {}, None
        if kind in ("numbers", "raw") and n_dims(X) < 3:
            if has_gaps(y):
                X = validate_data(self, X)
            else:
                X, y = validate_data(self, X, y)
        given, self.classes_ = coded_labels(y)
        if len(X) != len(given):
            raise BadInput(f"X has {len(X)} rows but y has {len(given)}. Give one label per item.")
        warn_of_leaks(X, given, kind)
        return X, given, kind

    def _kind(self, X: ArrayLike) -> str:
        kind = kind_of(X)
        return "raw" if not isinstance(self.backbone, str) and kind in ("numbers", "pictures") else kind

    def _task(self, data: TrainingData) -> Task:
        return Task(
            data, len(self.classes_), self.epochs, self._network_maker(),
            augmentation_of(self.augment, self.encoder_.shape, len(data), pictures=self.encoder_.kind == "pictures"),
            n_codes=len(self.encoder_.cardinalities),
        )  # fmt: skip

    def _network_maker(self) -> Callable[[], nn.Module]:
        spec = InputShape(self.encoder_.shape, self.encoder_.cardinalities)
        return network_maker(self.backbone, spec, len(self.classes_))

    def _finish(
        self, method: Method, given: Codes, rows: Codes, verified: BoolArray | None, validation: TrainingData | None
    ) -> None:
        """Set noise, error probabilities and temperature from the trained method."""
        self.transition_ = learned_noise(method, self.classes_)
        own = given[rows]
        self.error_probability_ = np.full(len(given), np.nan)
        labelled = own >= 0
        self.error_probability_[rows[labelled]] = error_probability_of(self.history_, own)[labelled]
        if verified is not None:
            self.error_probability_[verified & (given >= 0)] = 0.0
        self.temperature_ = 1.0
        if validation is not None and len(validation) >= 2 * len(self.classes_):
            logits = predict_logits(method, validation.x).double().numpy()
            self.temperature_ = fit_temperature(logits, validation.given.numpy(), self.transition_)
        del method.task  # it holds the training items
        self._settle(method)

    def _settle(self, method: Method) -> None:
        """Rows are predicted in double precision, so that a prediction does not depend on the other items of its batch."""
        if isinstance(self.backbone, str) and len(self.encoder_.shape) == 1:
            method.network.double()
            if hasattr(method, "second"):
                method.second.double()
        self.module_ = method

    def decision_function(self, X: ArrayLike) -> npt.NDArray[np.float64]:
        """Logits divided by the temperature, shape (n, k); for two classes their difference, shape (n,)."""
        logits = self._logits(X)
        return np.asarray(logits[:, 1] - logits[:, 0] if logits.shape[1] == 2 else logits)

    def predict_proba(self, X: ArrayLike) -> npt.NDArray[np.float64]:
        """Probabilities of the true label, shape (n, k); rows sum to one."""
        return np.asarray(softmax(self._logits(X), axis=1))

    def predict(self, X: ArrayLike) -> AnyArray:
        """The most probable class of each item, shape (n,)."""
        best = self._logits(X).argmax(axis=1)
        return np.asarray(self.classes_[best])

    def _logits(self, X: ArrayLike) -> npt.NDArray[np.float64]:
        check_is_fitted(self)
        X = X.x if isinstance(X, Dataset) else X
        if self.encoder_.kind in ("numbers", "raw") and n_dims(X) < 3:
            X = validate_data(self, X, reset=False)
        return self._logits_of(torch.from_numpy(self.encoder_.transform(X)))

    def _logits_of(self, encoded: torch.Tensor) -> npt.NDArray[np.float64]:
        if next(self.module_.network.parameters()).dtype == torch.float64:
            encoded = encoded.double()
        return np.asarray(predict_logits(self.module_, encoded).double().numpy() / self.temperature_)

    def to_state(self) -> State:
        """The fitted state, as JSON and arrays, without the user's own network and augmentation."""
        return state_of(self)

    @classmethod
    def from_state(cls, state: State, *, backbone: Backbone | None = None) -> Self:
        """The same estimator again; see `load`."""
        model = cls(**params_of(state, backbone=backbone))
        restore(model, state)
        return model

    def write_into(self, folder: Path) -> None:
        """Write the files of `save`, including ``history/``, into an existing folder."""
        super().write_into(folder)
        self.history_.save(folder / HISTORY_FOLDER)

    @classmethod
    def load(cls, folder: str | os.PathLike[str], *, backbone: Backbone | None = None) -> Self:
        """Read what `save` wrote.

        Parameters
        ----------
        folder : path
        backbone : Module or callable, default=None
            Required if the model was trained with one: the folder holds only its weights.

        Raises
        ------
        BadInput
            If the folder holds something else, or a later version of labelproof wrote it.
        CorruptArtifact
            If a file is missing or damaged.
        """
        model = cls._restored(folder, partial(cls.from_state, backbone=backbone))
        model.history_ = History.load(Path(folder) / HISTORY_FOLDER)
        return model

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.non_deterministic = False
        return tags
