r"""Which tags are wrong, given the rates of missing and incorrect ones: logistic regression that knows that its labels are noisy.

A classifier that was trained on given tags predicts those, not the true ones, and its probabilities are blurred as the tags are. With
the two rates known, the probability of the true tag is a logistic function of the classifier's score *s*, fitted to the given tags *z*
through the noise:

    p(y = 1 | s) = σ(a s + b),    p(z = 1 | s) = incorrect + (1 - incorrect - missing) p(y = 1 | s)

with *a* > 0 and *b* that make the given tags most likely. The error probability of a given tag is one minus its posterior.

References
----------
Bootkrajang and Kaban (2012), Label-noise robust logistic regression and its applications (the likelihood). Platt (1999), Probabilistic
outputs for support vector machines (the two parameters).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize
from scipy.special import expit, logit

HELD = 1e-4  # probabilities are kept within this of 0 and 1
RIDGE = 1e-6  # keeps the slope finite where rates are too low for any slope to explain the tags
INFORMATIVE = 0.02  # least difference that a true tag makes to how often the tag is given
Values = npt.NDArray[np.float64]


def error_probabilities(probs: Values, given: npt.NDArray[np.int8], missing: float, incorrect: float) -> Values:
    """Probability that each given value of one tag is wrong, shape (n,).

    Parameters
    ----------
    probs : ndarray, shape (n,)
        Out-of-sample probability of the given tag; only its order and its logistic scale count.
    given : ndarray of 0/1, shape (n,)
    missing, incorrect : float
        ``p(z = 0 | y = 1)`` and ``p(z = 1 | y = 0)``. If they leave no difference between the two, ``missing`` is lowered.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> true = rng.random(2000) < 0.4
    >>> given = np.where(true, rng.random(2000) > 0.2, False).astype(np.int8)
    >>> wrong = given != true
    >>> found = error_probabilities(np.where(true, 0.8, 0.05), given, missing=0.2, incorrect=0.0)
    >>> bool(((found > 0.5) == wrong).all())
    True
    """
    z = given == 1
    incorrect = min(max(incorrect, 0.0), 1 - 2 * INFORMATIVE)
    missing = min(max(missing, 0.0), 1 - INFORMATIVE - incorrect)
    scores = logit(np.clip(probs, HELD, 1 - HELD))
    scores = (scores - scores.mean()) / max(float(scores.std()), 1e-9)
    seen = 1 - incorrect - missing
    share = np.clip((z.mean() - incorrect) / seen, 0.01, 0.99)

    def cost(v: Values) -> tuple[float, Values]:
        y = expit(np.exp(v[0]) * scores + v[1])
        said = np.clip(incorrect + seen * y, 1e-9, 1 - 1e-9)
        slope = np.where(z, -1 / said, 1 / (1 - said)) * seen * y * (1 - y)
        value = -np.log(np.where(z, said, 1 - said)).mean() + RIDGE * float(v @ v)
        return value, np.array([np.exp(v[0]) * (slope * scores).mean(), slope.mean()]) + 2 * RIDGE * v

    found = minimize(cost, np.array([1.0, float(logit(share))]), jac=True, method="L-BFGS-B").x
    y = expit(np.exp(found[0]) * scores + found[1])
    if_true, if_not = np.where(z, 1 - missing, missing) * y, np.where(z, incorrect, 1 - incorrect) * (1 - y)
    true = if_true / np.maximum(if_true + if_not, 1e-300)
    return np.asarray(np.where(z, 1 - true, true))
