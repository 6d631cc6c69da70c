"""Inputs as tensors. The fitted state is a few arrays and JSON, so that a model is saved without pickle."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
import polars.selectors as cs
from sklearn.decomposition import TruncatedSVD

from labelproof.data.words import vectorizer, vectorizer_for
from labelproof.errors import BadInput
from labelproof.validation import Json, check_features

Arrays = dict[str, npt.NDArray[Any]]
MOST_CATEGORIES = 40  # columns of text with more values are hashed
HASHED = 16
FRAME_NAMES, FRAME_ARRAYS = ("columns", "categories", "hashed", "dates", "numbers"), ("mean", "scale", "marked")  # kept
SOFT_LIMIT = 4.0  # standard deviations beyond which numbers are bent


class Encoder:
    """Items to an array of float32, one row each.

    Attributes
    ----------
    shape : tuple of int
        Shape of one encoded item.
    cardinalities : tuple of int
        The last columns hold codes of categories, from 0 to these numbers less one.
    """

    kind: str
    shape: tuple[int, ...]
    cardinalities: tuple[int, ...] = ()

    def fit(self, x: object) -> Encoder:
        """Learn scales and vocabularies."""
        raise NotImplementedError

    def transform(self, x: object) -> npt.NDArray[np.float32]:
        """Encode items, shape (n, *shape)."""
        raise NotImplementedError

    def state(self) -> tuple[Json, Arrays]:
        """The fitted state, as JSON and arrays."""
        raise NotImplementedError

    def restore(self, plain: Json, arrays: Arrays) -> None:
        """Take up a state."""
        raise NotImplementedError


class RawEncoder(Encoder):
    """Numbers of any shape, passed on unchanged: for a network of the caller's own."""

    kind = "raw"

    def fit(self, x: object) -> Encoder:
        """Remember the shape."""
        self.shape = tuple(check_features(x).shape[1:])
        return self

    def transform(self, x: object) -> npt.NDArray[np.float32]:
        """Float32, shape (n, ...)."""
        return np.array(_same_shape(check_features(x), self.shape), dtype=np.float32)

    def state(self) -> tuple[Json, Arrays]:
        """The shape."""
        return {"shape": list(self.shape)}, {}

    def restore(self, plain: Json, arrays: Arrays) -> None:
        """The shape."""
        self.shape = tuple(plain["shape"])


class NumbersEncoder(Encoder):
    """Rows of numbers, standardised."""

    kind = "numbers"

    def fit(self, x: object) -> Encoder:
        """Mean and standard deviation of each column."""
        rows = check_features(x).astype(np.float64)
        self.mean, scale = rows.mean(axis=0), rows.std(axis=0)
        self.scale = np.where(scale > 1e-12 * np.abs(self.mean).clip(1e-300), scale, 1.0)
        self.shape = (rows.shape[1],)
        return self

    def transform(self, x: object) -> npt.NDArray[np.float32]:
        """Shape (n, d)."""
        rows = _same_shape(check_features(x), self.shape)
        return np.asarray((rows - self.mean) / self.scale, dtype=np.float32)

    def state(self) -> tuple[Json, Arrays]:
        """Mean and scale."""
        return {}, {"mean": self.mean, "scale": self.scale}

    def restore(self, plain: Json, arrays: Arrays) -> None:
        """Mean and scale."""
        self.mean, self.scale = arrays["mean"], arrays["scale"]
        self.shape = self.mean.shape


class PicturesEncoder(Encoder):
    """Pictures (n, height, width) or (n, height, width, channels), to (n, channels, height, width) around zero."""

    kind = "pictures"

    def fit(self, x: object) -> Encoder:
        """The largest value; 255 for bytes."""
        pictures = check_features(x)
        self.scale = 255.0 if pictures.dtype == np.uint8 else float(np.abs(pictures).max()) or 1.0
        self.shape = _channels_first(pictures[:1]).shape[1:]
        return self

    def transform(self, x: object) -> npt.NDArray[np.float32]:
        """Shape (n, channels, height, width), values from -0.5 to 0.5 if the original ones started from 0."""
        pictures = _same_shape(_channels_first(check_features(x)), self.shape)
        return np.ascontiguousarray(pictures.astype(np.float32) / np.float32(self.scale) - np.float32(0.5))

    def state(self) -> tuple[Json, Arrays]:
        """Scale and shape."""
        return {"scale": self.scale, "shape": list(self.shape)}, {}

    def restore(self, plain: Json, arrays: Arrays) -> None:
        """Scale and shape."""
        self.scale, self.shape = plain["scale"], tuple(plain["shape"])


class TextEncoder(Encoder):
    """TF-IDF reduced to ``size`` dimensions by singular value decomposition, unit length.

    The terms are words and pairs of words, or groups of characters if the texts need it (`labelproof.data.words.unit_of`).
    """

    kind = "text"

    def __init__(self, size: int = 256, most_words: int = 20_000) -> None:
        self.size, self.most_words = size, most_words

    def fit(self, x: object) -> Encoder:
        """Vocabulary, weights and axes."""
        texts = _texts(x)
        self.words = vectorizer_for(texts, min_df=min(2, max(1, len(texts) // 50)), max_features=self.most_words)
        try:
            counts = self.words.fit_transform(texts)
        except ValueError as error:
            raise BadInput(f"The texts hold no words ({error}). Name the column that holds the text.") from error
        size = min(self.size, counts.shape[1] - 1, counts.shape[0] - 1)
        if size < 1:
            raise BadInput(f"{len(texts)} texts with {counts.shape[1]} different words are too few to learn from. Add texts.")
        self.axes = TruncatedSVD(size, random_state=0).fit(counts).components_.astype(np.float32)
        self.shape = (size,)
        return self

    def transform(self, x: object) -> npt.NDArray[np.float32]:
        """Shape (n, size); every row has the length that makes its numbers of unit size on average."""
        rows = np.asarray(self.words.transform(_texts(x)) @ self.axes.T, dtype=np.float32)
        length = np.linalg.norm(rows, axis=1, keepdims=True)
        return np.asarray(rows / np.maximum(length, 1e-6) * np.float32(np.sqrt(rows.shape[1])), dtype=np.float32)

    def state(self) -> tuple[Json, Arrays]:
        """Words in their order, their weights, and the axes."""
        terms = sorted(self.words.vocabulary_, key=self.words.vocabulary_.get)
        return {"words": terms, "unit": "char" if self.words.analyzer == "char" else "word"}, {
            "idf": self.words.idf_,
            "axes": self.axes,
        }

    def restore(self, plain: Json, arrays: Arrays) -> None:
        """Words, weights and axes."""
        self.words = vectorizer(plain.get("unit", "word"), vocabulary=plain["words"], max_features=None)
        self.words.idf_ = arrays["idf"]
        self.axes = arrays["axes"]
        self.shape = (len(self.axes),)


class FrameEncoder(Encoder):
    """Frames with columns of any kind.

    Numbers and dates are standardised and far values bent, ``u / sqrt(1 + (u / 4) ** 2)``; a missing one is the mean, marked in
    a column of its own. Text with up to 40 values, and booleans, become codes, 0 for missing or unknown ones; text with more is
    hashed by skrub's `MinHashEncoder`.
    """

    kind = "frame"

    def fit(self, x: object) -> Encoder:
        """Kinds of columns, scales and categories."""
        frame = as_frame(x)
        self.columns = frame.columns
        self.categories: dict[str, list[str]] = {}
        self.hashed: list[str] = []
        self.dates = frame.select(cs.temporal()).columns
        self.numbers = frame.select(cs.numeric()).columns
        for name in frame.select(cs.exclude(self.numbers + self.dates)).columns:
            values = frame[name].cast(pl.String).drop_nulls().unique().sort().to_list()
            if len(values) <= MOST_CATEGORIES:
                self.categories[name] = values
            else:
                self.hashed.append(name)
        numbers = self._numbers(frame)
        self.mean = np.nan_to_num(np.nanmean(np.c_[numbers, np.zeros((len(numbers), 1))], axis=0)[:-1])
        scale = np.nan_to_num(np.nanstd(np.c_[numbers, np.zeros((len(numbers), 1))], axis=0)[:-1])
        self.scale = np.where(scale > 0, scale, 1.0)
        self.marked = np.isnan(numbers).any(axis=0)
        self._sizes()
        return self

    def transform(self, x: object) -> npt.NDArray[np.float32]:
        """Numbers, marks of missing ones and hashed text, then codes; shape (n, d)."""
        frame = as_frame(x)
        absent = [name for name in self.columns if name not in frame.columns]
        if absent:
            raise BadInput(f"Column {absent[0]!r}, which the model was trained on, is missing. x has {frame.columns}.")
        numbers = self._numbers(frame)
        bent = (numbers - self.mean) / self.scale
        missing = np.isnan(bent)
        bent = np.nan_to_num(bent / np.sqrt(1 + (bent / SOFT_LIMIT) ** 2))
        codes = [
            frame[name].cast(pl.String).replace_strict(dict(zip(values, range(1, len(values) + 1), strict=True)),
                                                       default=0, return_dtype=pl.Int64).fill_null(0).to_numpy()
            for name, values in self.categories.items()
        ]  # fmt: skip
        parts = [bent, missing[:, self.marked], *self._hashes(frame), *(code[:, None] for code in codes)]
        return np.concatenate(parts, axis=1).astype(np.float32)

    def state(self) -> tuple[Json, Arrays]:
        """Columns by kind, categories; means and scales."""
        return {name: getattr(self, name) for name in FRAME_NAMES}, {name: getattr(self, name) for name in FRAME_ARRAYS}

    def restore(self, plain: Json, arrays: Arrays) -> None:
        """Columns by kind, categories; means and scales."""
        for name in FRAME_NAMES:
            setattr(self, name, plain[name])
        for name in FRAME_ARRAYS:
            setattr(self, name, arrays[name])
        self._sizes()

    def _sizes(self) -> None:
        self.cardinalities = tuple(len(values) + 1 for values in self.categories.values())
        self.shape = (len(self.mean) + int(self.marked.sum()) + HASHED * len(self.hashed) + len(self.cardinalities),)

    def _numbers(self, frame: pl.DataFrame) -> npt.NDArray[np.float64]:
        """Columns of numbers, and four of each date, shape (n, d); NaN where missing."""
        try:
            parts = [frame[name].cast(pl.Float64) for name in self.numbers]
        except pl.exceptions.PolarsError as error:
            raise BadInput(f"A column of numbers holds something else: {error}") from error
        for name in self.dates:
            date = frame[name]
            if date.dtype in (pl.Date, pl.Datetime):
                date = date.cast(pl.Datetime("us"))
                parts += [date.dt.epoch("s"), date.dt.month(), date.dt.weekday(), date.dt.hour()]
            else:  # a time of day, or a length of time
                parts += [date.to_physical()]
        if not parts:
            return np.empty((frame.height, 0))
        values = np.stack([part.cast(pl.Float64).fill_null(np.nan).to_numpy() for part in parts], axis=1)
        bad = np.flatnonzero(np.isinf(values).any(axis=1))
        if len(bad):
            raise BadInput(f"x row {bad[0]} holds an infinite value. Fill it in or drop the row.")
        return values

    def _hashes(self, frame: pl.DataFrame) -> list[npt.NDArray[np.float64]]:
        """Hashed text, shape (n, HASHED) each, about zero."""
        if not self.hashed:
            return []
        from skrub import MinHashEncoder

        hashed = [MinHashEncoder(n_components=HASHED).fit_transform(frame[c].cast(pl.String)) for c in self.hashed]
        return [np.nan_to_num(h.to_numpy().astype(float)) / 2.0**31 + 0.5 for h in hashed]


ENCODERS: dict[str, type[Encoder]] = {
    e.kind: e for e in (RawEncoder, NumbersEncoder, PicturesEncoder, TextEncoder, FrameEncoder)
}


def kind_of(x: Any) -> str:
    """The encoder that fits: ``frame``, ``text``, ``pictures`` or ``numbers``."""
    if hasattr(x, "columns") and hasattr(x, "dtypes"):
        kinds = x.dtypes if isinstance(x, pl.DataFrame) else list(x.dtypes)
        plain = all(k.is_numeric() if isinstance(k, pl.DataType) else getattr(k, "kind", "O") in "biuf" for k in kinds)
        return "numbers" if plain and not _has_nulls(x) else "frame"
    if isinstance(x, pl.Series) or (hasattr(x, "iloc") and getattr(x, "ndim", 2) == 1):
        x = x.to_numpy()
    if _is_text(x):
        return "text"
    return "pictures" if n_dims(x) in (3, 4) else "numbers"


def n_dims(x: object) -> int:
    """Number of axes of anything that is or can become an array."""
    return int(x.ndim) if hasattr(x, "ndim") else int(np.asarray(x).ndim)


def _is_text(x: object) -> bool:
    if isinstance(x, np.ndarray) and x.ndim == 1 and x.dtype.kind in "UT":
        return True
    if (isinstance(x, np.ndarray) and x.ndim == 1 and x.dtype == object) or isinstance(x, list | tuple):
        return len(x) > 0 and all(isinstance(item, str) for item in x)
    return False


def _has_nulls(x: object) -> bool:
    return bool(as_frame(x).null_count().to_numpy().any())


def as_frame(x: Any) -> pl.DataFrame:
    """A polars or pandas frame as polars, NaN as null."""
    if isinstance(x, pl.DataFrame):
        return x.with_columns(cs.float().fill_nan(None))
    if hasattr(x, "iloc"):
        made = pl.from_pandas(x.reset_index(drop=True))
        return made.with_columns(cs.float().fill_nan(None))
    raise BadInput(f"x is a {type(x).__name__}, but the model was trained on a table with named columns. Give a frame.")


def _texts(x: Any) -> Sequence[str]:
    values = x.to_list() if isinstance(x, pl.Series) else list(x)
    bad = next((i for i, value in enumerate(values) if not isinstance(value, str)), None)
    if bad is not None:
        raise BadInput(f"x row {bad} is {values[bad]!r}, but the model reads text. Give strings.")
    return values


def _channels_first(pictures: npt.NDArray[Any]) -> npt.NDArray[Any]:
    if pictures.ndim == 3:
        return pictures[:, None]
    if pictures.ndim != 4:
        raise BadInput(f"x has shape {pictures.shape}. Give pictures (n, height, width) or (n, height, width, channels).")
    return pictures.transpose(0, 3, 1, 2)


def _same_shape(x: npt.NDArray[Any], shape: tuple[int, ...]) -> npt.NDArray[Any]:
    if x.shape[1:] != shape:
        raise BadInput(f"Items of x have shape {x.shape[1:]}, but the model was trained on {shape}. Give items of that shape.")
    return x
