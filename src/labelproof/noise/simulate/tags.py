"""Tags made wrong on purpose."""

from __future__ import annotations

import numpy as np

from labelproof.errors import BadInput
from labelproof.noise.simulate.base import Noisy
from labelproof.validation import RandomState, accepts_seed, check_rate, check_tags, rng_from, to_numpy


@accepts_seed
def missing_tags(tags: object, rate: float, *, random_state: RandomState = None) -> Noisy:
    """Omit each present tag with probability ``rate``; ``tags`` is 0/1 of shape (n, k)."""
    clean = check_tags(tags)
    changed = (clean == 1) & (rng_from(random_state).random(clean.shape) < check_rate(rate))
    return Noisy(np.where(changed, 0, clean), changed)


@accepts_seed
def incorrect_tags(tags: object, rate: float, *, random_state: RandomState = None) -> Noisy:
    """Add each absent tag with probability ``rate``; ``tags`` is 0/1 of shape (n, k)."""
    clean = check_tags(tags)
    changed = (clean == 0) & (rng_from(random_state).random(clean.shape) < check_rate(rate))
    return Noisy(np.where(changed, 1, clean), changed)


@accepts_seed
def caption_replacement(caption_tags: object, n_replaced: int, *, random_state: RandomState = None) -> Noisy:
    """Replace some captions of each image by captions of other images, then tag the image with any word of any caption.

    One to four of five captions replaced are the 20, 40, 60 and 80 % of incorrect labels in the NMN paper. Words that only a
    replaced caption had go missing, as the paper notes.

    Parameters
    ----------
    caption_tags : array-like of 0/1, shape (n, c, k)
        Tag k occurs in caption c of image n.
    n_replaced : int
        Captions to replace in each image, at most c.
    random_state : int, RandomState, Generator or None, default=None

    Returns
    -------
    Noisy
        Tags of shape (n, k), and a mask of those that differ from the tags of the images' own captions.

    References
    ----------
    Jiang et al. (2019), Learning from noisy labels with noise modeling network, section 3.2.
    """
    words = to_numpy(caption_tags, "caption_tags")
    if words.ndim != 3 or len(words) < 2 or not np.isin(words, (0, 1)).all():
        raise BadInput(f"caption_tags has shape {words.shape}. Give 0/1 of shape (images, captions, tags), two images or more.")
    n, c, _ = words.shape
    if not 0 <= n_replaced <= c:
        raise BadInput(f"n_replaced is {n_replaced!r}. Give a whole number from 0 to {c}, the captions of an image.")
    rng = rng_from(random_state)
    replaced = np.argsort(rng.random((n, c)), axis=1)[:, :n_replaced]  # (n, r)
    other = (np.arange(n)[:, None] + rng.integers(1, n, size=replaced.shape)) % n  # never the image itself
    mixed = words.copy()
    mixed[np.arange(n)[:, None], replaced] = words[other, rng.integers(0, c, size=replaced.shape)]
    clean, given = words.max(axis=1).astype(np.int8), mixed.max(axis=1).astype(np.int8)
    return Noisy(given, given != clean)
