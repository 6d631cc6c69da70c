"""Columns of a document-term matrix, weighted by how differently they are used in the classes."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.sparse import csr_matrix, diags
from sklearn.base import BaseEstimator, TransformerMixin


class NaiveBayesWeights(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Multiply each column by the mean absolute log-count ratio of the classes.

    With ``n_cf`` rows of class c that have column f, ``p_cf ∝ 1 + n_cf``, ``q_cf ∝ 1 + Σ_{c' ≠ c} n_c'f`` and class shares
    ``π_c``, column f is multiplied by ``Σ_c π_c |log(p_cf / q_cf)|``.

    References
    ----------
    Wang and Manning, Baselines and bigrams: simple, good sentiment and topic classification, ACL 2012: their ratio, for two
    classes.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.array([[1.0, 1], [1, 0], [0, 1], [0, 0]])
    >>> NaiveBayesWeights().fit(x, [0, 0, 1, 1]).weights_.round(2).tolist()
    [0.59, 0.51]
    """

    def fit(self, X: Any, y: Any) -> NaiveBayesWeights:
        """Count; ``X`` of shape (n, d), ``y`` of shape (n,)."""
        present = csr_matrix(X) > 0
        _, codes = np.unique(np.asarray(y), return_inverse=True)
        n, k = len(codes), int(codes.max()) + 1
        member = csr_matrix((np.ones(n), (codes, np.arange(n))), shape=(k, n))
        total = np.asarray(present.sum(axis=0), dtype=float).ravel()
        self.weights_ = np.zeros(present.shape[1])
        for c, share in enumerate(np.bincount(codes) / n):
            own = np.asarray((member[c] @ present).todense(), dtype=float).ravel()
            inside, outside = np.log1p(own), np.log1p(total - own)
            ratio = inside - np.log((1 + own).sum()) - outside + np.log((1 + total - own).sum())
            self.weights_ += share * np.abs(ratio)
        return self

    def transform(self, X: Any) -> csr_matrix:
        """Weighted columns, sparse of shape (n, d)."""
        return csr_matrix(csr_matrix(X) @ diags(self.weights_))
