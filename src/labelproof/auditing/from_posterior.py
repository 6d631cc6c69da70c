"""`audit_posterior`: an audit from a posterior of the true label that a model of data and noise has computed."""

from __future__ import annotations

import numpy as np

from labelproof.auditing.findings import Audit, Findings
from labelproof.auditing.kinds.base import error_rate_of
from labelproof.data.dataset import Dataset
from labelproof.errors import BadInput
from labelproof.labels.classes import Classes
from labelproof.noise.posterior import error_probability
from labelproof.noise.transition import TransitionMatrix
from labelproof.validation import UNLABELLED, check_features, check_ids, check_labels, check_pred_probs


def audit_posterior(
    given: object, posterior: object, noise: TransitionMatrix, *, ids: object = None, latent: object = None
) -> Audit:
    """Make an audit from a posterior ``p(y | z, x)``, e.g. of `labelproof.MislabeledVAE`.

    `labelproof.audit` takes the probabilities of a classifier without a noise model, and estimates the noise. This function
    takes those of a model that has estimated it.

    Parameters
    ----------
    given : array-like, shape (n,), or Dataset
        Given labels; -1, ``None`` or NaN for unlabelled items.
    posterior : array-like, shape (n, k)
        ``p(y | z, x)``, columns in the order of ``noise.classes``; rows sum to one.
    noise : TransitionMatrix
    ids : array-like, shape (n,), optional
    latent : array-like, shape (n, d), optional
        A space in which similar items are near; the report draws the findings in it.

    Returns
    -------
    Audit
        The interval of its error rate covers chance only, not the errors of the model.

    Raises
    ------
    BadInput

    Examples
    --------
    >>> import labelproof as lp
    >>> import numpy as np
    >>> noise = lp.TransitionMatrix([[0.9, 0.1], [0.2, 0.8]], classes=["a", "b"])
    >>> found = lp.audit_posterior(["a", "b", None], [[0.97, 0.03], [0.9, 0.1], [0.5, 0.5]], noise)
    >>> found.issues["id"].to_list(), found.issues["suggested_label"].to_list()
    ([1, 0], ['a', 'a'])
    """
    probs = check_pred_probs(posterior, name="posterior")
    dataset = given if isinstance(given, Dataset) else None
    if dataset is not None:
        if tuple(dataset.classes) != tuple(noise.classes):
            raise BadInput(
                f"noise has classes {noise.classes} but the data have {dataset.classes}. Give the noise and data of one model."
            )
        codes, ids = dataset.given, dataset.ids
    else:
        coded = check_labels(given, classes=noise.classes, name="given")
        place = np.array([*(noise.classes.index(name) for name in coded.classes), UNLABELLED])  # a matrix's order may be any
        codes = place[coded.codes]
    names = None if ids is None else check_ids(ids, len(codes))
    if probs.shape != (len(codes), noise.k):
        raise BadInput(
            f"posterior is {probs.shape[0]} x {probs.shape[1]} but there are {len(codes)} labels of {noise.k} classes."
        )
    space = None if latent is None else check_features(latent, name="latent").astype(np.float32)
    if space is not None and len(space) != len(codes):
        raise BadInput(f"latent has {len(space)} rows but there are {len(codes)} labels. Give one row per item.")
    labels = Classes.of_codes(codes, noise.classes)
    rows = labels.owner
    if not len(rows):
        raise BadInput("given has no label, so there is nothing to audit.")
    error, own = error_probability(probs, codes)[rows], probs[rows]
    findings = Findings(error, own.argmax(axis=1).astype(np.int32), own.max(axis=1).astype(np.float32))
    rate = error_rate_of(error, np.array([error.sum()]))
    source = {} if dataset is None else dataset.source
    skipped = [] if dataset is None else list(dataset.skipped)
    return Audit(labels, findings, noise, rate, names, skipped, source, dataset, space)
