"""`MislabeledVAE`: a deep generative model of data whose labels are mostly absent and partly wrong."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Self, cast

import numpy as np
import numpy.typing as npt
import torch
from scipy.sparse import issparse
from sklearn.base import BaseEstimator, ClassifierMixin, TransformerMixin
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted, validate_data
from torch import Tensor

from labelproof.data.rows import SparseRows
from labelproof.errors import BadInput
from labelproof.estimators.mislabeled_vae.assumed_noise import assumed_noise, assumed_prior, noise_of, pseudo_counts
from labelproof.estimators.mislabeled_vae.cells import Cells, is_anndata, normalized_expression, told_cells, write_results
from labelproof.estimators.mislabeled_vae.inputs import (
    Codes,
    Rows,
    blocks,
    check_values,
    coded_batches,
    few_labels,
    known_batches,
    scales_of,
    standardised,
)
from labelproof.estimators.mislabeled_vae.label_weight import label_weight, less_optimistic
from labelproof.estimators.mislabeled_vae.likelihoods import LIKELIHOODS, chosen_likelihood
from labelproof.estimators.mislabeled_vae.mislabeled_module import MislabeledModule, Shape
from labelproof.estimators.mislabeled_vae.pretraining import pretrained_weights
from labelproof.estimators.mislabeled_vae.regime import LabelTraining, phase_lengths
from labelproof.estimators.mislabeled_vae.state import restore, state_of
from labelproof.noise.posterior import error_probability, posterior
from labelproof.noise.transition import TransitionMatrix
from labelproof.saving.saveable import Saveable, params_of
from labelproof.saving.state import State
from labelproof.training.options import Options
from labelproof.training.trainable import TrainingData
from labelproof.validation import UNLABELLED, AnyArray, ArrayLike, RandomState, accepts_seed, check_labels, seed_from

if TYPE_CHECKING:
    from anndata import AnnData
    from pandas import DataFrame

DIAGONAL = 4.0  # pseudo-counts of the right label
Probs = npt.NDArray[np.float64]


@accepts_seed
class MislabeledVAE(Saveable, ClassifierMixin, TransformerMixin, BaseEstimator):  # type: ignore[misc]
    r"""M-VAE: classes, latent space and label noise learned together, from data with few labels, some of them wrong.

    ``y, z2 ~ Cat(prior) N(0, 1);  z1 ~ p(z1 | z2, y);  x ~ p(x | z1);  y' ~ transition[y]``

    The given label y' is an observation of the true class y. Training maximises a lower bound of ``log p(x, y')``
    (equation 1) with ``q(z1 | x) q(y | z1) q(z2 | z1, y)``, in which y is summed over exactly. If a label contradicts the
    cluster of its item, the bound weighs the two by the transition matrix.

    Parameters
    ----------
    transition : array-like (k, k), TransitionMatrix, float, or None, default=None
        ``p(given | true)`` in sorted class order. A number ε is ``1 - ε`` on the diagonal and ``ε / (k - 1)`` elsewhere;
        ``None`` learns the matrix under a Dirichlet prior.
    concentration : float, default=4.0
        Pseudo-counts of the right label in that prior; each wrong label has ``1 / (k - 1)``.
    prior : "auto", "uniform", "learned" or array-like (k,), default="auto"
        ``p(y)``. ``"auto"`` is uniform for few labels and approaches, with more labels, the mean prediction of the noise-aware
        classifier that initialises the classes. ``"learned"`` keeps learning it.
    likelihood : {"auto", "nb", "zinb", "gaussian", "bernoulli"}, default="auto"
        ``"auto"``: ``"nb"`` for AnnData, ``"gaussian"`` for arrays, which are standardised.
    n_latent, n_class_latent : int, default=10, 5
        Dimensions of z1 and z2.
    n_hidden, n_layers : int, default=64, 1
        Size of encoder and decoder.
    latent_library : bool, default=False
        For counts: infer the library size instead of using the observed total.
    label_in_encoder : bool, default=False
        ``q(z1 | x, y')`` instead of ``q(z1 | x)``.
    beta : float, default=0.3
        Weight in training of all terms except the reconstruction; 1 is the bound itself. See
        `labelproof.estimators.mislabeled_vae.regime`.
    label_weight : float or "auto", default="auto"
        Weight of ``log p(y' | z1) = log sum over y of q(y | z1) p(y' | y)``, which training adds to the bound for labelled items.
        ``"auto"`` is 0, the bound alone, for fewer than 1,000 labelled items. Otherwise it is the smallest of 0, 10, 30 and
        100 whose ``log p(y' | x)`` of held-out labels is within one standard error of the best.
    epochs : tuple of three int, default=None
        Epochs of pre-training without labels, of the start of the classes, and of the whole bound. By default at least 20, 10
        and 10 epochs, and 400, 150 and 150 steps.
    batch_size : int, default=128
    learning_rate : float, default=0.003
    random_state : int, RandomState instance or None, default=0
        The same number gives the same model on the same kind of machine.
    accelerator, devices, precision : default="auto", 1, "32-true"
        As Lightning Fabric names them.

    Attributes
    ----------
    classes_ : ndarray, shape (k,)
    transition_ : TransitionMatrix
        Given or learned; its prior is ``p(y)``.
    error_probability_ : ndarray, shape (n,)
        ``1 - p(y = y' | x, y')`` of each training label; NaN where unlabelled.
    label_weight_, optimism_ : float
        The weight used in training; and the log-odds by which held-out labels are more likely wrong, which are added to all
        labels.
    elbo_ : float
        Bound of ``log p(x, y')`` of the training items, average per item in nats.
    module_ : MislabeledModule

    See Also
    --------
    M1M2 : Its special case with one error probability for all labels.
    NoisyLabelClassifier : For data with most labels known.

    References
    ----------
    Langevin, Mehlman, Regier, Lopez, Jordan, Yosef, A Deep Generative Model for Semi-Supervised Classification with Noisy
    Labels.

    Examples
    --------
    >>> import labelproof as lp, numpy as np
    >>> from sklearn.datasets import load_iris
    >>> x, true = load_iris(return_X_y=True)
    >>> labels = lp.simulate.symmetric(true, 0.2, random_state=0).labels
    >>> labels[np.arange(150) % 3 > 0] = -1                     # two thirds have no label
    >>> model = lp.MislabeledVAE(transition=0.2).fit(x, labels)
    >>> bool(model.score(x, true) > 0.85)
    True
    >>> model.transform(x).shape
    (150, 10)
    """

    kind = "mislabeled-vae"
    pretrained_: dict[str, Tensor]

    def __init__(
        self,
        transition: TransitionMatrix | npt.ArrayLike | None = None,
        *,
        concentration: float = DIAGONAL,
        prior: str | npt.ArrayLike = "auto",
        likelihood: str = "auto",
        n_latent: int = 10,
        n_class_latent: int = 5,
        n_hidden: int = 64,
        n_layers: int = 1,
        latent_library: bool = False,
        label_in_encoder: bool = False,
        beta: float = 0.3,
        label_weight: float | str = "auto",
        epochs: tuple[int, int, int] | None = None,
        batch_size: int = 128,
        learning_rate: float = 3e-3,
        random_state: RandomState = 0,
        accelerator: str = "auto",
        devices: int = 1,
        precision: str | int = "32-true",
    ) -> None:
        self.transition = transition
        self.concentration = concentration
        self.prior = prior
        self.likelihood = likelihood
        self.n_latent = n_latent
        self.n_class_latent = n_class_latent
        self.n_hidden = n_hidden
        self.n_layers = n_layers
        self.latent_library = latent_library
        self.label_in_encoder = label_in_encoder
        self.beta = beta
        self.label_weight = label_weight
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.random_state = random_state
        self.accelerator = accelerator
        self.devices = devices
        self.precision = precision

    def fit(
        self,
        X: ArrayLike,
        y: ArrayLike | None = None,
        *,
        batch: ArrayLike | None = None,
        labels_key: str | None = None,
        unlabeled_category: str | None = None,
        layer: str | None = None,
        batch_key: str | None = None,
        pretrained: MislabeledVAE | None = None,
    ) -> MislabeledVAE:
        """Train on an array and its labels, or on an AnnData.

        Parameters
        ----------
        X : array-like or sparse matrix (n, d), or AnnData
            An AnnData gets ``obs["labelproof_prediction"]``, ``obs["labelproof_confidence"]``,
            ``obs["labelproof_error_probability"]``, ``obsm["X_labelproof"]`` and ``uns["labelproof"]``.
        y : array-like, shape (n,)
            Given labels; -1, ``None`` or NaN for unlabelled items. Not with an AnnData.
        batch : array-like, shape (n,), optional
            Covariate that classes and latent space should not depend on. Not with an AnnData.
        labels_key, unlabeled_category, layer, batch_key : str
            For an AnnData: column of ``obs`` with the labels, the label that means none, the layer of counts (by default
            ``X``), and the column of the batch covariate.
        pretrained : MislabeledVAE, optional
            A model fitted to the same items. Its pre-training, which uses no labels, is reused.

        Returns
        -------
        MislabeledVAE

        Raises
        ------
        BadInput
            For values that the likelihood cannot have (naming the first cell or row), no label, one class, more classes than
            items, or a missing column.
        """
        self._seed = seed_from(self.random_state)
        self.cells_ = cells = told_cells(X, y, batch, Cells(labels_key, unlabeled_category, layer, batch_key))
        self.likelihood_ = chosen_likelihood(self.likelihood, cells=cells is not None)
        rows: Rows
        if cells is None:
            rows = self._array(X, fitting=True)
        else:
            rows, y, batch = cells.items(X, whole=LIKELIHOODS[self.likelihood_].counts)
        given, self.classes_ = few_labels(y, len(rows))
        codes, self.batches_ = coded_batches(batch, len(rows))
        self.mean_, self.spread_, self.log_library_ = scales_of(rows, self.likelihood_)
        self._train(self._scaled(rows), given, codes, pretrained)
        self._finish(rows, given, codes)
        if cells is not None:
            write_results(X, self, self._class_probs(rows, given, codes), self._latent(rows, codes))
        return self

    def _array(self, X: ArrayLike, *, fitting: bool = False) -> Rows:
        """The rows of an array, checked: float32, or still sparse."""
        X = validate_data(self, X, accept_sparse="csr", dtype=np.float32, reset=fitting)
        return SparseRows(X) if issparse(X) else torch.from_numpy(np.ascontiguousarray(X))

    def _scaled(self, rows: Rows) -> Tensor:
        return standardised(rows, self.mean_, self.spread_) if self.likelihood_ == "gaussian" else cast(Tensor, rows)

    def _noise(self) -> tuple[Tensor, bool]:
        return assumed_noise(self.transition, self.concentration, self.classes_)

    def _train(self, x: Tensor, given: Codes, codes: Codes, pretrained: MislabeledVAE | None) -> None:
        log_transition, learn = self._noise()
        prior, course = assumed_prior(self.prior, len(self.classes_))
        if not self.beta > 0:
            raise BadInput(f"beta is {self.beta!r}. Give a number above 0.")
        first, *lengths = phase_lengths(len(given), self.batch_size, self.epochs)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self._seed)
            self.module_ = MislabeledModule(self._shape(x.shape[1]), log_transition, prior)
        self.module_.library_prior.copy_(torch.tensor([[self.log_library_[0], math.log(self.log_library_[1])]]))
        data, batch = TrainingData(x, torch.from_numpy(given)), torch.from_numpy(codes)
        self.pretrained_, self.label_weight_, self.optimism_ = {}, 0.0, 0.0
        if pretrained is not None:
            check_is_fitted(pretrained, "module_")
            self.module_.take_over(pretrained.module_.shape, pretrained.pretrained_)
            self.pretrained_ = pretrained.pretrained_
        elif first:
            self.pretrained_ = pretrained_weights(self.module_, data, batch, self.beta, self._options(first, len(given)))
        if sum(lengths):
            counts = pseudo_counts(self.concentration, len(self.classes_))
            options = self._options(sum(lengths), len(given))
            self._hear(data, batch, LabelTraining(lengths, self.beta, learn, counts, course, options))
        self.module_.eval()

    def _options(self, epochs: int, n: int) -> Options:
        return Options(
            epochs=epochs, batch_size=min(self.batch_size, n), learning_rate=self.learning_rate, weight_decay=1e-3,
            clip_norm=5.0, seed=self._seed, accelerator=self.accelerator, devices=self.devices, precision=self.precision,
        )  # fmt: skip

    def _hear(self, data: TrainingData, batch: Tensor, training: LabelTraining) -> None:
        """Train on with labels."""
        self.label_weight_, self.optimism_ = label_weight(self.label_weight, training, self.module_, data, batch)
        training(self.module_, data, batch, self.label_weight_)

    def _shape(self, features: int) -> Shape:
        return Shape(
            features=features, classes=len(self.classes_), batches=len(self.batches_) if len(self.batches_) > 1 else 0,
            latent=self.n_latent, class_latent=self.n_class_latent, hidden=self.n_hidden, layers=self.n_layers,
            likelihood=self.likelihood_, latent_library=self.latent_library and LIKELIHOODS[self.likelihood_].counts,
            label_in_encoder=self.label_in_encoder,
        )  # fmt: skip

    def _finish(self, rows: Rows, given: Codes, codes: Codes) -> None:
        self.transition_ = noise_of(self.module_, self.classes_)
        heard = posterior(self._class_probs(rows, given, codes), given, self.transition_)
        self.posterior_ = less_optimistic(heard, given, self.optimism_)
        self.error_probability_ = error_probability(self.posterior_, given)
        with torch.random.fork_rng(devices=[]), torch.no_grad():
            torch.manual_seed(self._seed)
            found = [self.module_.terms(x, z, b).total for x, z, b in self._parts(rows, given, codes)]
        self.elbo_ = float(torch.cat(found).double().mean())

    def _parts(self, rows: Rows, given: Codes, codes: Codes) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        for start, block in blocks(rows):
            part = slice(start, start + len(block))
            yield self._scaled(block), torch.from_numpy(given[part]), torch.from_numpy(codes[part])

    @torch.no_grad()
    def _class_probs(self, rows: Rows, given: Codes, codes: Codes) -> Probs:
        found = [self.module_.class_probs(x, z, b) for x, z, b in self._parts(rows, given, codes)]
        probs = torch.cat(found).double().numpy()
        return cast(Probs, probs / probs.sum(axis=1, keepdims=True))

    @torch.no_grad()
    def _latent(self, rows: Rows, codes: Codes) -> npt.NDArray[np.float32]:
        none = np.full(len(rows), UNLABELLED)
        return torch.cat([self.module_.infer(x, z, b).mean for x, z, b in self._parts(rows, none, codes)]).numpy()

    def _new(self, X: ArrayLike, batch: ArrayLike | None) -> tuple[Rows, Codes]:
        """Rows and batch codes of items to predict."""
        check_is_fitted(self, "module_")
        rows: Rows
        if is_anndata(X):
            cells = self.cells_ or Cells(None, None, None, None)
            rows, batch = cells.new_items(X, len(self.mean_), whole=LIKELIHOODS[self.likelihood_].counts)
        else:
            rows = self._array(X)
        for start, block in blocks(rows):
            check_values(block, start, self.likelihood_)
        return rows, known_batches(batch, len(rows), self.batches_)

    def predict_proba(self, X: ArrayLike, *, batch: ArrayLike | None = None) -> Probs:
        """``q(y | x)``, probabilities of the true class, shape (n, k), columns as ``classes_``."""
        rows, codes = self._new(X, batch)
        return self._class_probs(rows, np.full(len(rows), UNLABELLED), codes)

    def predict(self, X: ArrayLike, *, batch: ArrayLike | None = None) -> AnyArray:
        """The most probable true class of each item, shape (n,)."""
        best = self.predict_proba(X, batch=batch).argmax(axis=1)
        return np.asarray(self.classes_[best])

    def transform(self, X: ArrayLike, *, batch: ArrayLike | None = None) -> npt.NDArray[np.float32]:
        """The latent space: mean of ``q(z1 | x)``, shape (n, n_latent)."""
        rows, codes = self._new(X, batch)
        return self._latent(rows, codes)

    def get_latent_representation(self, adata: AnnData) -> npt.NDArray[np.float32]:
        """`transform`, under the name that single-cell users know."""
        return self.transform(adata)

    def get_normalized_expression(self, adata: AnnData, *, library_size: float = 1.0) -> DataFrame:
        """Expected counts of each gene in a cell of a given library size, DataFrame of float32 (cells x genes).

        The table is dense: request some cells at a time, ``adata[:1000]``.
        """
        return normalized_expression(self, adata, library_size)

    @accepts_seed
    def sample(self, y: ArrayLike, *, random_state: RandomState = 0) -> npt.NDArray[np.float32]:
        """Draw items of given true classes from the model.

        Parameters
        ----------
        y : array-like, shape (m,)
            True classes.
        random_state : int, RandomState instance or None, default=0

        Returns
        -------
        ndarray of float32, shape (m, d)
            Counts of the median library size, real numbers on the scale of the data, or bits.
        """
        check_is_fitted(self, "module_")
        classes = torch.from_numpy(check_labels(y, classes=self.classes_.tolist(), name="y", needed=0).codes)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed_from(random_state))
            drawn = self.module_.sample(classes, self.log_library_[0])
        if self.likelihood_ != "gaussian":
            return drawn.numpy()
        return cast(npt.NDArray[np.float32], drawn.numpy() * self.spread_ + self.mean_)

    def to_state(self) -> State:
        """The fitted state, as JSON and arrays."""
        return state_of(self)

    @classmethod
    def from_state(cls, state: State) -> Self:
        """The same estimator again."""
        model = cls(**params_of(state))
        restore(model, state)
        return model

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.transformer_tags.preserves_dtype = []
        return tags
