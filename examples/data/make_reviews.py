"""Makes `reviews.csv`, the file of the tutorials: 800 made-up reviews, 67 of them with the wrong sentiment.

The true sentiments are in `reviews-truth.csv`, so that a reader can see what an audit has missed.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl

import labelproof as lp

HERE = Path(__file__).parent
GOOD = ["wonderful", "moving", "clever", "delightful", "gripping", "superb", "charming", "funny", "fresh", "beautifully made"]
BAD = ["dreadful", "boring", "clumsy", "tedious", "predictable", "awful", "lifeless", "confused", "far too long", "badly acted"]
THINGS = [
    "film",
    "plot",
    "cast",
    "ending",
    "soundtrack",
    "script",
    "camera work",
    "dialogue",
    "first half",
    "villain",
    "humour",
]
OPENINGS = [
    "Saw it last night.",
    "My sister made me watch this.",
    "",
    "Third time I see it.",
    "A friend had praised it.",
    "Went in with no idea.",
    "",
]
CLOSINGS = [
    "Would go again.",
    "Never again.",
    "",
    "Two hours of my life.",
    "I told everyone.",
    "",
    "We talked about it all evening.",
]


def review(rng: np.random.Generator, good: bool) -> str:
    """Two judgements that agree with the sentiment, and often one that does not."""
    own, other = (GOOD, BAD) if good else (BAD, GOOD)
    a, b, c = rng.choice(THINGS, 3, replace=False)
    first, second = rng.choice(own, 2, replace=False)
    middle = f"The {a} is {first} and the {b} {second}"
    if rng.random() < 0.5:
        middle += f", though the {c} is {rng.choice(other)}"
    closing = rng.choice([word for word in CLOSINGS if good or word != "Would go again."])
    return " ".join(part for part in (rng.choice(OPENINGS), middle + ".", closing) if part)


def main() -> None:
    """Write both files."""
    rng = np.random.default_rng(7)
    true = rng.choice(["negative", "positive"], 800, p=[0.45, 0.55])
    texts = [review(rng, sentiment == "positive") for sentiment in true]
    ids = [f"r{number:04d}" for number in range(1, 801)]
    noisy = lp.simulate.symmetric(true, 0.09, random_state=7)
    pl.DataFrame({"id": ids, "review": texts, "sentiment": noisy.labels}).write_csv(HERE / "reviews.csv")
    pl.DataFrame({"id": ids, "sentiment": true}).write_csv(HERE / "reviews-truth.csv")


if __name__ == "__main__":
    main()
