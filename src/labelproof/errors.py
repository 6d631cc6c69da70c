"""The errors and warnings of labelproof. Every message names the argument, the wrong value, what is allowed, and the remedy."""

from __future__ import annotations

from collections.abc import Sequence


class LabelproofError(Exception):
    """Base class of every error that labelproof raises on purpose."""


class BadInput(LabelproofError, ValueError):
    """The caller's data or arguments cannot be used; the message names them and the remedy."""


class MissingDependency(LabelproofError, ImportError):
    """An optional package is needed; the message names the extra that installs it."""


class NotFitted(LabelproofError, ValueError, AttributeError):
    """A fitted attribute or method was used before ``fit``."""


class CorruptArtifact(LabelproofError):
    """A file that labelproof wrote (audit folder, checkpoint) is damaged or not of the expected kind."""


class Unavailable(LabelproofError):
    """A needed service (a server, a database, a cluster) does not answer, is locked or has gone."""


class LabelproofWarning(UserWarning):
    """labelproof handled something that the caller should know about."""


def did_you_mean(name: object, candidates: Sequence[object]) -> str:
    """A sentence that suggests the nearest of ``candidates``, or the empty string."""
    import difflib  # of no use to a run that ends well

    near = difflib.get_close_matches(str(name), [str(c) for c in candidates], n=1, cutoff=0.5)
    return f"Did you mean {near[0]!r}? " if near else ""
