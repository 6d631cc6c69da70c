"""Uncertainty of the classifier: entropy, and sets of classes that hold the true label."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from sklearn.utils.validation import check_is_fitted

from labelproof.errors import BadInput
from labelproof.noise.conformal import ConformalSets
from labelproof.noise.em import expectation_maximization
from labelproof.noise.transition import TransitionMatrix
from labelproof.training.temperature import entropy_of
from labelproof.validation import ArrayLike, BoolArray, FloatArray, IntArray


class Uncertainty:
    """The outputs of `NoisyLabelClassifier` in addition to its probabilities."""

    calibration_: ConformalSets | None

    def predict_proba(self, X: ArrayLike) -> npt.NDArray[np.float64]:
        """Probabilities of the true label, shape (n, k)."""
        raise NotImplementedError

    def entropy(self, X: ArrayLike) -> npt.NDArray[np.float64]:
        """Predictive entropy in nats, shape (n,), from 0 (sure) to log k."""
        return entropy_of(self.predict_proba(X))

    def predict_set(self, X: ArrayLike, coverage: float = 0.9) -> BoolArray:
        """Sets of classes that hold the true label with a probability of at least ``coverage``, over items like the training ones.

        Conformal prediction on items that were kept from training (``calibration_fraction``). Their labels are noisy, so the coverage of
        the true label is computed from that of the given ones and the noise (`labelproof.noise.conformal`): the method's
        ``transition_`` if it has one, otherwise the result of EM on the calibration items.

        Parameters
        ----------
        X : items as they were trained on
        coverage : float in (0, 1), default=0.9
            May be another at each call.

        Returns
        -------
        ndarray of bool, shape (n, k)
            Columns in the order of ``classes_``; the most probable class is always in.

        Raises
        ------
        BadInput
            If the model was fitted without ``calibration_fraction``, or the noise cannot be undone.

        References
        ----------
        Sesia, Wang and Tong (2025), Adaptive conformal classification with noisy labels.
        """
        check_is_fitted(self)
        if self.calibration_ is None:
            raise BadInput(
                "The model has no items to calibrate prediction sets on. Fit it with calibration_fraction, e.g. 0.2."
            )
        return self.calibration_(self.predict_proba(X), coverage)


def calibrate(probs: FloatArray, given: IntArray, transition: TransitionMatrix | None) -> ConformalSets:
    """Keep what sets are made of.

    Parameters
    ----------
    probs : ndarray, shape (n, k)
        Predictions for items that were not trained on.
    given : ndarray of int, shape (n,)
    transition : TransitionMatrix, optional
        Transition of the method.
    """
    if transition is None:
        transition = expectation_maximization(given, probs, classes=range(probs.shape[1])).transition
    return ConformalSets(np.asarray(probs, np.float64), np.asarray(given, np.int64), transition.matrix)
