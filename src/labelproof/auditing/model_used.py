"""The source of the probabilities of an audit, as its summary and report describe it."""

from __future__ import annotations

from dataclasses import dataclass, field

from labelproof.validation import Json


@dataclass(frozen=True)
class ModelUsed:
    """The source of the probabilities of an audit.

    Attributes
    ----------
    name : str
        Models, with what they learned from; several mean the average of their probabilities.
    encoder : str, optional
    accuracy : float
        Share of the given labels that are the most probable class, out-of-sample. For numbers the share by which the mean absolute error is
        below that of the median.
    loss : float
        Mean negative log-likelihood of the given labels, out-of-sample, in nats. For numbers the mean absolute error.
    n_folds, n_repeats : int
    seconds : float
        Encoding and cross-validation.
    tried : list of dict
        ``name`` and ``loss`` of each candidate, on the folds on which it was compared.
    judged : str
        How good it is, in words, if that is not its accuracy.
    """

    name: str
    encoder: str | None
    accuracy: float
    loss: float
    n_folds: int
    n_repeats: int
    seconds: float
    tried: list[Json] = field(default_factory=list)
    judged: str = ""

    @property
    def said(self) -> str:
        """For people, in one line."""
        repeats = "" if self.n_repeats == 1 else f", {self.n_repeats} times"
        judged = self.judged or f"it agrees with {self.accuracy:.0%} of the given labels"
        return f"Model: {self.name}. Out of sample ({self.n_folds} folds{repeats}) {judged}; {self.seconds:.0f} s."
