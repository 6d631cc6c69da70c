"""Errors that are found from the data: units that several wrong numbers share, and numbers that mean missing."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from labelproof.noise.numbers.hypotheses import SMOOTH, Hypothesis, Numbers
from labelproof.noise.numbers.mixture import Mixture, fit_mixture

Floats = npt.NDArray[np.float64]
KNOWN_UNITS = (  # slope and intercept: Fahrenheit of Celsius, and the other way round; centimetres of inches …
    (1.8, 32.0),
    (1 / 1.8, -32 / 1.8),
    (1.0, 273.15),
    (1.0, -273.15),
    *(
        (one, 0.0)
        for size in (2.54, 0.45359237, 1.609344, 0.3048, 28.349523, 3.785412, 4.184, 60.0, 24.0, 3.6)
        for one in (size, 1 / size)
    ),
)
MOST_UNITS = 3
MOST_CANDIDATES = 200  # of each form
MOST_WRONG = 1500  # most wrong numbers in the search for a unit
COSTS = (7.0, 12.0, 30.0)  # nats that a known unit, another slope, or a line must explain
LEAST_ITEMS = 4.0
APART = 4.0  # scales of good numbers by which a unit moves half of all numbers at least
DECADE = 0.03  # of log10 of a slope about a whole number, which is a factor
LEAST_SENTINEL = 3  # least number of occurrences
FREQUENT = 9  # occurrences of a number that is checked before units are
MORE_OFTEN = 4.0  # than wrong numbers would occur there by chance
SENTINEL_WRONG = 0.6  # mean error probability of a number that means missing
STEPS = 15
RARE = 0.25  # standard deviations of chance, and the share of copies if there are no more than by chance


def fit_found(numbers: Numbers, mixture: Mixture) -> Mixture:
    """Fit a mixture with the further hypotheses that the wrong numbers of the first one suggest."""
    mixture = with_hypotheses(numbers, mixture, sentinels_of(numbers, mixture, FREQUENT))
    mixture = with_hypotheses(numbers, mixture, [copied_of(numbers, mixture)])
    for _ in range(MOST_UNITS):
        unit = unit_of(numbers, mixture)
        if unit is None:
            break
        mixture = with_hypotheses(numbers, mixture, [unit])
    return with_hypotheses(numbers, mixture, sentinels_of(numbers, mixture, LEAST_SENTINEL))


def with_hypotheses(numbers: Numbers, mixture: Mixture, more: list[Hypothesis]) -> Mixture:
    """Fit the mixture again with more hypotheses, which start with half of the share of "other"."""
    if not more:
        return mixture
    ways = (*mixture.hypotheses[:-1], *more, mixture.hypotheses[-1])
    half = mixture.shares[-1] / 2
    shares = np.r_[mixture.shares[:-1], np.full(len(more), half / len(more)), half]
    start = Mixture(ways, shares, mixture.tail, mixture.stretch, mixture.wide)
    return fit_mixture(numbers, ways, start=start)


def sentinels_of(numbers: Numbers, mixture: Mixture, least: int) -> list[Hypothesis]:
    """Numbers that occur more than a few times, and mostly where they cannot be right."""
    wrong = 1 - mixture.posterior(numbers)[0]
    values, of, count = np.unique(numbers.given, return_inverse=True, return_counts=True)
    mean = np.bincount(of, wrong) / count
    chosen = np.flatnonzero((count > least) & (mean >= SENTINEL_WRONG))
    often = chosen[np.argsort(-(count * mean)[chosen], kind="stable")][:MOST_UNITS]
    cell = float(np.median(numbers.scale)) * SMOOTH if numbers.decimals is None else 10.0**-numbers.decimals
    expected = [cell * _density_at(float(values[i]), numbers, mixture) for i in often]
    return [
        Hypothesis("sentinel", intercept=float(values[i]))
        for i, chance in zip(often, expected, strict=True)
        if count[i] > least + MORE_OFTEN * chance
    ]


def copied_of(numbers: Numbers, mixture: Mixture) -> Hypothesis:
    """Copies of the row before or after, at most as many as exceed chance."""
    excess, spread = copies_beyond_chance(numbers, mixture)
    return Hypothesis("copied", most=max(excess, RARE * spread))


def copies_beyond_chance(numbers: Numbers, mixture: Mixture) -> tuple[float, float]:
    """Share of numbers that equal that of a neighbouring row, beyond what good ones would, and its standard deviation.

    With ``E_k`` the expected number of rows that equal the k-th row from them, and ``n_k`` the observed number, ``E_1 n_2 /
    E_2`` of ``n_1`` are chance.
    """
    cell = numbers.scale * SMOOTH if numbers.decimals is None else np.full(len(numbers.given), 10.0**-numbers.decimals)
    seen, chance = [], []
    for pair in ((numbers.before, numbers.after), (numbers.before2, numbers.after2)):
        seen.append(sum(np.count_nonzero(numbers.given == other) for other in pair) / 2)
        mass = [cell * mixture.good(other, numbers.centre, numbers.scale) for other in pair]
        chance.append(sum(float(np.nansum(np.minimum(one, 1.0))) for one in mass) / 2)
    by_chance = chance[0] * (seen[1] + 1) / (chance[1] + 1)
    n = len(numbers.given)
    return (seen[0] - by_chance) / n, float(np.sqrt(seen[0] + seen[1] + 1)) / n


def _density_at(value: float, numbers: Numbers, mixture: Mixture) -> float:
    """Expected number of numbers at a value by chance, per unit of length."""
    nowhere = np.full(len(numbers.given), np.nan)
    there = numbers._replace(given=np.full(len(numbers.given), value), before=nowhere, after=nowhere)
    return float((mixture.shares @ mixture.densities(there)).sum())


def unit_of(numbers: Numbers, mixture: Mixture) -> Hypothesis | None:
    """The unit that best explains the numbers that no other hypothesis explains, if it explains enough."""
    posterior = mixture.posterior(numbers)
    rows = np.flatnonzero(posterior[-1] > 0.5)
    if len(rows) < LEAST_ITEMS:
        return None
    rng = np.random.default_rng(0)
    rows = rows if len(rows) <= MOST_WRONG else np.sort(rng.choice(rows, MOST_WRONG, replace=False))
    wrong = numbers.of(rows)
    found, cost = candidates(wrong, rng)
    apart = _apart(found, numbers)
    found, cost = found[apart], cost[apart]
    if not len(found):
        return None
    gain = gains(found, wrong, mixture, posterior[-1][rows])
    best = int(np.argmax(gain[:, 0] - cost))
    return Hypothesis("unit", *map(float, found[best])) if gain[best, 0] > cost[best] and gain[best, 1] > LEAST_ITEMS else None


def candidates(wrong: Numbers, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Slopes and intercepts from expected to given values of some wrong numbers, shape (c, 2), and the cost of each in nats."""
    n = len(wrong.given)
    one = rng.permutation(n)[:MOST_CANDIDATES]
    with np.errstate(divide="ignore", invalid="ignore"):
        slopes = wrong.given[one] / wrong.centre[one]
        first, second = rng.integers(n, size=(2, MOST_CANDIDATES))
        rise = (wrong.given[first] - wrong.given[second]) / (wrong.centre[first] - wrong.centre[second])
        lines = np.column_stack([rise, wrong.given[first] - rise * wrong.centre[first]])
    known = np.array(KNOWN_UNITS)
    forms = (known, np.column_stack([slopes, np.zeros(len(slopes))]), lines)
    found, cost = np.concatenate(forms), np.repeat(COSTS, [len(form) for form in forms])
    with np.errstate(divide="ignore", invalid="ignore"):
        decades = np.log10(np.where(found[:, 0] > 0, found[:, 0], np.nan))
        factor = (np.abs(decades - np.round(decades)) < DECADE) & (found[:, 1] == 0)
    kept = np.isfinite(found).all(axis=1) & ~factor & (np.abs(decades) < np.where(cost == COSTS[2], 1.0, 3.0))
    return found[kept], cost[kept]


def _apart(found: Floats, numbers: Numbers) -> npt.NDArray[np.bool_]:
    some = np.linspace(0, len(numbers.given) - 1, min(len(numbers.given), 500)).astype(int)
    centre, scale = numbers.centre[some], numbers.scale[some]
    moved = np.abs((found[:, :1] - 1) * centre + found[:, 1:]) / scale
    return np.asarray(np.median(moved, axis=1) > APART)


def gains(found: Floats, wrong: Numbers, mixture: Mixture, weight: Floats) -> Floats:
    """The gain in log likelihood of wrong numbers by each candidate, and the number of those it explains, shape (c, 2)."""
    other = mixture.densities(wrong)[-1]
    true = (wrong.given - found[:, 1:]) / found[:, :1]  # (c, m)
    ratio = mixture.good(true, wrong.centre, wrong.scale) / found[:, :1] / other
    share = np.full((len(found), 1), 0.2)
    for _ in range(STEPS):
        own = share * ratio / (share * ratio + 1 - share)
        share = np.clip((own * weight).sum(axis=1, keepdims=True) / weight.sum(), 1e-4, 1 - 1e-4)
    gain = (weight * np.log(share * ratio + 1 - share)).sum(axis=1)
    return np.column_stack([gain, (own * weight).sum(axis=1)])
