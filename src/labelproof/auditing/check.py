"""`check`: whether labels are good enough for a pipeline, by limits that it sets."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from labelproof.auditing.audit import audit
from labelproof.auditing.findings import ISSUES_FILE, Audit
from labelproof.errors import BadInput
from labelproof.saving.folders import SUMMARY
from labelproof.validation import Json


@dataclass(frozen=True)
class Rule:
    """One limit, and the value compared with it.

    Attributes
    ----------
    name : str
        ``error rate``, ``obvious errors`` or ``doubts``.
    limit : float
        The most that passes.
    value : float
        The compared value: the low end of the interval of the error rate, or a count.
    text : str
        The value and the limit in words.
    decided : bool
        False for an error rate whose interval contains the limit: the data leave it open, so the check passes.
    """

    name: str
    limit: float
    value: float
    text: str
    decided: bool = True

    @property
    def passed(self) -> bool:
        """Whether the value is within the limit."""
        return self.value <= self.limit


@dataclass(frozen=True)
class Check:
    """The result of `labelproof.check`.

    Attributes
    ----------
    audit : Audit
    rules : tuple of Rule
        One for each limit.
    """

    audit: Audit
    rules: tuple[Rule, ...]

    @property
    def passed(self) -> bool:
        """Whether the labels keep every limit."""
        return all(rule.passed for rule in self.rules)

    @property
    def reasons(self) -> list[str]:
        """Why the check failed, a sentence for each broken limit."""
        return [rule.text for rule in self.rules if not rule.passed]

    def to_json(self) -> Json:
        """The content of ``labelproof check --json``."""
        return {
            "passed": self.passed,
            "reasons": self.reasons,
            "rules": [
                {"name": r.name, "passed": r.passed, "decided": r.decided, "limit": r.limit, "value": r.value, "text": r.text}
                for r in self.rules
            ],
            "audit": self.audit.summary,
        }


def check(
    labels: Any,
    pred_probs: Any = None,
    *,
    max_error_rate: float | None = None,
    max_obvious: int | None = None,
    no_doubts: bool = False,
    **options: Any,
) -> Check:
    """Audit labels, and check them against limits.

    The error rate fails if the low end of its 95 % interval is above the limit: the data must show that too many labels are
    wrong, not merely allow it.

    Parameters
    ----------
    labels : Audit, path of an audit folder, or what `labelproof.audit` takes
    pred_probs : array-like, optional
        See `labelproof.audit`.
    max_error_rate : float in [0, 1], optional
        The tolerated share of wrong labels.
    max_obvious : int, optional
        The tolerated number of obvious errors.
    no_doubts : bool, default=False
        Whether the check fails on any doubt about the figures.
    **options
        Options of `labelproof.audit`.

    Returns
    -------
    Check
        ``passed``, ``reasons`` and ``audit``.

    Raises
    ------
    BadInput
        If no limit is set, or the audit cannot be made.

    Examples
    --------
    >>> import numpy as np, labelproof as lp
    >>> true = np.arange(600) % 3
    >>> noisy = lp.simulate.symmetric(true, 0.1, random_state=0)
    >>> probs = np.where(np.eye(3, dtype=bool)[true], 0.9, 0.05)
    >>> checked = lp.check(noisy.labels, probs, max_error_rate=0.01, max_obvious=100)
    >>> checked.passed, len(checked.reasons)
    (False, 1)
    """
    check_limits(max_error_rate, max_obvious, no_doubts)
    found = _audit(labels, pred_probs, options)
    obvious, doubts = found.counts["obvious"], found.doubts
    rules = []
    if max_error_rate is not None:
        rules.append(_of_rate(found, max_error_rate))
    if max_obvious is not None:
        text = f"Obvious errors: {obvious:,}; at most {max_obvious:,} pass."
        rules.append(Rule("obvious errors", max_obvious, obvious, text))
    if no_doubts:
        text = " ".join(doubt.text for doubt in doubts) if doubts else "There are no doubts about the figures."
        rules.append(Rule("doubts", 0, len(doubts), text))
    return Check(found, tuple(rules))


def _of_rate(found: Audit, limit: float) -> Rule:
    rate = found.error_rate
    if not found.believed:
        why = found.doubts[0]
        text = f"The error rate cannot be estimated ({why.kind}), so whether it is at most {limit:.1%} is unknown. {why.text}"
        return Rule("error rate", limit, 1.0, text)
    if rate.low > limit:
        how = f"which is above {limit:.1%} even at its low end"
    elif rate.high > limit:
        how = (
            f"which may or may not be above {limit:.1%}. The interval is too wide to decide, so the check passes: review a random sample, "
            "or limit the obvious errors with max_obvious (--max-obvious)"
        )
    else:
        how = f"which is at most {limit:.1%}"
    interval = f"{rate.estimate:.1%} (95 % interval {rate.low:.1%} to {rate.high:.1%})"
    decided = rate.low > limit or rate.high <= limit
    return Rule("error rate", limit, rate.low, f"The estimated error rate is {interval}, {how}.", decided)


def is_audit_folder(path: str | os.PathLike[str]) -> bool:
    """Whether a path looks like a folder that ``labelproof audit`` wrote."""
    return (Path(path) / SUMMARY).is_file() and (Path(path) / ISSUES_FILE).exists()


def check_limits(max_error_rate: float | None, max_obvious: int | None, no_doubts: bool) -> None:
    """Refuse limits that are not meaningful, before any work is done.

    Raises
    ------
    BadInput
    """
    if max_error_rate is None and max_obvious is None and not no_doubts:
        raise BadInput(
            "No limit is set, so the check cannot fail. Give max_error_rate (--max-error-rate), max_obvious (--max-obvious) or "
            "no_doubts (--no-doubts)."
        )
    if max_error_rate is not None and not 0 <= max_error_rate <= 1:
        raise BadInput(f"max_error_rate is {max_error_rate!r}. Give a share from 0 to 1, e.g. 0.05 for 5 %.")
    if max_obvious is not None and max_obvious < 0:
        raise BadInput(f"max_obvious is {max_obvious!r}. Give a number of labels, 0 or more.")


def _audit(labels: Any, pred_probs: Any, options: Json) -> Audit:
    known = isinstance(labels, Audit)
    if not known and not isinstance(labels, str | os.PathLike):
        return audit(labels, pred_probs, **options)
    if not known and not is_audit_folder(labels):
        raise BadInput(
            f"{str(labels)!r} is not an audit folder. Give one, or read a data file first: lp.read_file(path, label=…)."
        )
    if pred_probs is not None or options:
        raise BadInput("pred_probs and options are for a new audit, and this one exists already. Omit them.")
    if known:
        return labels  # type: ignore[no-any-return]
    return Audit.load(labels)
