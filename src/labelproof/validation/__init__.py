"""The one place that checks arrays. Everything past it may trust shapes, ranges and the order of classes.

Lists, numpy arrays, pandas and polars frames and series, and torch tensors are all accepted. A message names the argument, the
wrong value with the first offending row, what is allowed, and the remedy.
"""

from labelproof.validation.arrays import (
    AnyArray,
    ArrayLike,
    BoolArray,
    FloatArray,
    IntArray,
    Json,
    check_features,
    check_ids,
    check_pandas_index,
    check_rate,
    take_rows,
    to_numpy,
)
from labelproof.validation.labels import (
    UNLABELLED,
    CodedLabels,
    check_codes,
    check_labels,
    check_vote_table,
    is_missing,
)
from labelproof.validation.probabilities import (
    ROUNDING,
    ROW_SUM_TOLERANCE,
    check_distribution,
    check_labels_and_probs,
    check_labels_for_columns,
    check_pred_probs,
    check_pred_probs_shape,
    check_prob_rows,
    check_transition,
)
from labelproof.validation.random_state import RandomState, Seed, accepts_seed, check_seed, rng_from, seed_from
from labelproof.validation.tag_matrix import (
    check_tag_names,
    check_tag_probs,
    check_tags,
    column_names,
    is_lists_of_names,
    matrix_of_names,
)

__all__ = [
    "ROUNDING",
    "ROW_SUM_TOLERANCE",
    "UNLABELLED",
    "AnyArray",
    "ArrayLike",
    "BoolArray",
    "CodedLabels",
    "FloatArray",
    "IntArray",
    "Json",
    "RandomState",
    "Seed",
    "accepts_seed",
    "check_codes",
    "check_distribution",
    "check_features",
    "check_ids",
    "check_labels",
    "check_labels_and_probs",
    "check_labels_for_columns",
    "check_pandas_index",
    "check_pred_probs",
    "check_pred_probs_shape",
    "check_prob_rows",
    "check_rate",
    "check_seed",
    "check_tag_names",
    "check_tag_probs",
    "check_tags",
    "check_transition",
    "check_vote_table",
    "column_names",
    "is_lists_of_names",
    "is_missing",
    "matrix_of_names",
    "rng_from",
    "seed_from",
    "take_rows",
    "to_numpy",
]
