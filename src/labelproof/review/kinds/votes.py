"""Reviewing votes: one more vote on an item, where it is most useful."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from labelproof.auditing.findings import ISSUES_FILE, ITEMS_FILE, ErrorRate
from labelproof.labels.classes import class_codes
from labelproof.noise.more_votes import with_votes
from labelproof.review.kinds.base import SCRIPTS
from labelproof.review.kinds.one_class import ReviewOfOneClass
from labelproof.review.log.store import Decision
from labelproof.review.plan.resolve import Resolved, answers_of, resolve
from labelproof.validation import Json

COLUMNS = ("index", "id", "error_probability", "consensus", "value_of_vote", "posterior")
LIKELY = 8


class ReviewOfVotes(ReviewOfOneClass):
    """The given label of an item is the consensus of its votes; an answer is one more vote, and the consensus follows the posterior."""

    kind = "votes"
    script = SCRIPTS / "votes.js"
    of_all = "of the items have a wrong consensus"
    writes_anew = True
    may_be_blind = True

    @classmethod
    def read(cls, folder: Path, classes: list[str]) -> pl.DataFrame:
        """The items with any information, with their votes as text."""
        items = pl.read_parquet(folder / ITEMS_FILE, columns=list(COLUMNS)).filter(pl.col("consensus").is_not_null())
        said = (
            pl.scan_parquet(folder / ISSUES_FILE)
            .select("index", pl.concat_str("annotator", pl.col("given_label").cast(pl.String), separator="\x1f").alias("said"))
            .sort("index", "said")
            .group_by("index", maintain_order=True)
            .agg(pl.col("said").str.join("\x1d"))
            .collect()
        )
        return (
            items.with_columns(pl.col("id").cast(pl.String), class_codes(items["consensus"], classes))
            .join(said, on="index", how="left", maintain_order="left")
            .with_columns(pl.col("said").fill_null(""))
            .sort("error_probability", descending=True, maintain_order=True)
        )

    @classmethod
    def codes(cls, table: pl.DataFrame) -> pl.Series:
        """All votes."""
        return table["said"]

    def texts(self) -> pl.Series:
        """The consensus."""
        return pl.Series(self.candidates.classes, dtype=pl.String).gather(self.candidates.table["consensus"])

    def given_texts(self) -> pl.Series:
        """The consensus."""
        return self.texts()

    @cached_property
    def _consensus(self) -> npt.NDArray[np.int64]:
        return self.candidates.table["consensus"].to_numpy()

    def given(self, rank: int) -> str:
        """The consensus."""
        return self.candidates.classes[int(self._consensus[rank])]

    def worth(self) -> npt.NDArray[np.float64]:
        """The increase, by one more vote, in the probability that the consensus is right."""
        return self.candidates.table["value_of_vote"].to_numpy()

    def error_rate(self) -> ErrorRate:
        """The error rate of the consensus; the audit's own rate is of votes."""
        error = self.candidates.error_probability
        mean, half = float(error.mean()), 1.96 * float(np.sqrt(np.dot(error, 1 - error))) / len(error)
        return ErrorRate(mean, max(0.0, mean - half), min(1.0, mean + half))

    @cached_property
    def _quality(self) -> dict[str, float]:
        return {row["annotator"]: row["quality"] for row in self.candidates.summary["quality"]}

    def described(self, rank: int) -> Json:
        """The votes with how good the annotators are, the consensus, and the most probable classes."""
        votes = [one.split("\x1f") for one in self.candidates.table["said"][rank].split("\x1d") if one]
        return {
            "given": int(self._consensus[rank]),
            "votes": [{"annotator": name, "label": label, "quality": self._quality[name]} for name, label in votes],
            "value": float(self.candidates.table["value_of_vote"][rank]),
            "likely": self._likely(rank),
        }

    def blinded(self, rank: int) -> Json:
        """The most probable classes by name, without the votes."""
        return {"likely": sorted(self._likely(rank))}

    def _likely(self, rank: int) -> list[int]:
        """Codes of the most probable classes, the consensus first."""
        posterior = np.array(self.candidates.table["posterior"][rank])
        return [int(code) for code in np.argsort(-posterior, kind="stable")[:LIKELY]]

    def outcomes(self, decisions: Iterable[Decision]) -> dict[str, Resolved]:
        """The consensus with the reviewers' votes; none for an item that reviewers settled as none of the classes."""
        made = list(decisions)
        settled = resolve(made)
        ranks = self.candidates.ranks_of([item for item, found in settled.items() if found.label is not None])
        answers = {item: by for item, by in answers_of(made).items() if item in ranks}
        said = [(item, name, d.label) for item, by in answers.items() for name, d in by.items() if d.label is not None]
        if not said:
            return settled
        items, reviewers = list(answers), sorted({name for _, name, _ in said})
        place = {item: row for row, item in enumerate(items)}
        classes = {name: code for code, name in enumerate(self.candidates.classes)}
        before = np.stack([np.array(self.candidates.table["posterior"][ranks[item]]) for item in items])
        owner, reviewer, values = (
            np.array([place[item] for item, _, _ in said]),
            np.array([reviewers.index(name) for _, name, _ in said]),
            np.array([classes[label] for _, _, label in said]),
        )
        after, _ = with_votes(before, owner, reviewer, values)
        best = {item: self.candidates.classes[int(code)] for item, code in zip(items, after.argmax(axis=1), strict=True)}
        return {item: replace(found, label=best.get(item, found.label)) for item, found in settled.items()}

    def suggested_cell(self, rank: int) -> str:
        """The consensus."""
        return self.given(rank)

    def preselected(self, rank: int) -> tuple[list[str], float]:
        """The consensus."""
        return [self.given(rank)], 1 - float(self.candidates.error_probability[rank])
