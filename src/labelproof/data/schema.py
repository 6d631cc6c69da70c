"""Types of columns: decided once, saved with the audit or model, and applied to every later file.

A file of delimited text holds text. `Schema.infer` looks at all of a column and decides; `Schema.convert` turns the same
column of any other file into values of that type, or reports which value does not fit.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field

import polars as pl

from labelproof.errors import BadInput, CorruptArtifact, LabelproofWarning, did_you_mean
from labelproof.validation import Json
from labelproof.validation.labels import MISSING_WORDS

SAMPLE = 1000
INTEGER = r"^[+-]?\d+$"
NUMBER = r"(?i)^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$|^[+-]?inf(inity)?$"
CODE = r"^[+-]?0\d"  # a leading zero that a number would lose
COMMA = r"^[+-]?(\d{1,3}(\.\d{3})+|\d+)(,\d+)?$"
DATETIMES = ("%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M")
ZONED = ("%Y-%m-%dT%H:%M:%S%.f%#z", "%Y-%m-%d %H:%M:%S%.f%#z")
Check = Callable[[pl.Series], bool]


@dataclass(frozen=True)
class Column:
    """One column.

    Attributes
    ----------
    name : str
    type : str
        ``integer``, ``number``, ``boolean``, ``date``, ``datetime``, ``time``, ``text``, or ``vector`` (lists of ``width``
        numbers, which become columns of their own); ``empty``, ``constant`` and ``other`` are not learned from.
    gaps : bool
        Whether values were missing.
    detail : str
        The format of a date and time; ``,`` for decimal commas; what an ``other`` column holds.
    width : int
        Length of a vector.
    """

    name: str
    type: str
    gaps: bool = False
    detail: str = ""
    width: int = 0

    @property
    def usable(self) -> bool:
        """Whether a model can learn from it."""
        return self.type not in ("empty", "constant", "other")


@dataclass(frozen=True)
class Schema:
    """The types of the columns that a model learns from.

    Attributes
    ----------
    columns : tuple of Column
    left_out : tuple of Column
        Columns that nothing can be learned from.
    """

    columns: tuple[Column, ...]
    left_out: tuple[Column, ...] = field(default=())

    @classmethod
    def infer(cls, frame: pl.DataFrame, separator: str | None = None) -> Schema:
        """Decide the types.

        Parameters
        ----------
        frame : polars.DataFrame
            For delimited text all columns as text; for Parquet or memory with the types there.
        separator : str, optional
            Separator of delimited text. If it is not a comma, numbers may have decimal commas. ``None``: text stays text.
        """
        found = [
            _of_text(series, separator) if separator is not None and series.dtype == pl.String else _of_type(series)
            for series in frame.get_columns()
        ]
        return cls(tuple(found))

    def for_learning(self, frame: pl.DataFrame) -> Schema:
        """Without the columns that are empty, constant or of a type that no model here reads."""
        kept: list[Column] = []
        left: list[Column] = []
        for column in self.columns:
            constant = column.usable and not column.gaps and _is_constant(frame[column.name])
            (left if constant or not column.usable else kept).append(Column(column.name, "constant") if constant else column)
        return Schema(tuple(kept), tuple(left))

    @property
    def names(self) -> list[str]:
        """Names of the columns, in order."""
        return [column.name for column in self.columns]

    def said(self) -> str:
        """The excluded columns with the reason, and the columns with decimal commas; empty if there are none."""
        why = {"empty": "empty", "constant": "the same everywhere"}
        left = [f"{c.name!r} ({why.get(c.type, c.detail)})" for c in self.left_out]
        commas = [repr(c.name) for c in self.columns if c.detail == ","]
        parts = [f"Excluded, because nothing can be learned from them: {_some(left)}."] if left else []
        return " ".join(parts + ([f"Read with decimal commas: {_some(commas)}."] if commas else []))

    def convert(self, frame: pl.DataFrame, where: str) -> pl.DataFrame:
        """The columns of another frame, converted to these types.

        A column that is absent is missing throughout if it had gaps, and an error if not; further columns are ignored. A
        value that does not fit is missing if the column had gaps, with a warning, and an error if not; an empty field is
        missing.

        Parameters
        ----------
        frame : polars.DataFrame
        where : str
            The file, for messages.

        Raises
        ------
        BadInput
            Naming row, column and value.
        """
        made: list[pl.Series] = []
        absent, filled = [], []
        for column in self.columns:
            if column.name not in frame.columns:
                if not column.gaps:
                    raise BadInput(
                        f"{column.name!r} is not a column of {where}, and it was never empty in the original data. {did_you_mean(column.name, frame.columns)}Its columns are: {', '.join(frame.columns[:30])}."
                    )
                absent.append(column.name)
                source = pl.Series(column.name, [None] * frame.height, dtype=pl.String)
            else:
                source = frame[column.name]
            parts, unfit = _converted(column, source, where)
            made += parts
            if unfit:
                filled.append(f"{unfit} in {column.name!r}")
        if absent:
            warnings.warn(f"{where} has no column {_some(absent)}, which is taken as missing.", LabelproofWarning, stacklevel=2)
        if filled:
            warnings.warn(
                f"{where}: values of another type are taken as missing: {_some(filled)}.", LabelproofWarning, stacklevel=2
            )
        return (
            pl.DataFrame({series.name: series for series in made})
            if made
            else pl.DataFrame({"": pl.Series([None] * frame.height)}).select([])
        )

    def to_json(self) -> list[Json]:
        """The schema in the form of JSON."""
        return [asdict(column) for column in self.columns]

    @classmethod
    def from_json(cls, columns: Sequence[Json]) -> Schema:
        """A schema from the result of `to_json`.

        Raises
        ------
        CorruptArtifact
            If it is not a schema.
        """
        try:
            return cls(tuple(Column(**column) for column in columns))
        except TypeError as error:
            raise CorruptArtifact(f"The saved types of the columns are damaged ({error}). Audit or train again.") from error


def _some(names: Sequence[str], most: int = 8) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def _is_constant(series: pl.Series) -> bool:
    return not series.dtype.is_nested() and series.null_count() == 0 and series.n_unique() == 1 and len(series) > 1


def missing_words(text: pl.Series) -> pl.Series:
    """Where text is missing or is a word for missing, as a boolean series."""
    return text.is_null() | text.str.strip_chars().str.to_lowercase().is_in([*MISSING_WORDS, ""])


def _of_text(series: pl.Series, separator: str | None) -> Column:
    """The type of a column of text."""
    missing = missing_words(series)
    present = series.filter(~missing).str.strip_chars()
    name, gaps = series.name, bool(missing.any())
    if len(present) == 0:
        return Column(name, "empty", True)
    if (
        _all(present, INTEGER)
        and not present.str.contains(CODE).any()
        and present.cast(pl.Int64, strict=False).null_count() == 0
    ):
        return Column(name, "integer", gaps)
    if _all(present, NUMBER) and not present.str.contains(CODE).any() and not _all(present, INTEGER):
        return Column(name, "number", gaps)
    if _all(present, COMMA) and _has_decimal_commas(present, separator):
        return Column(name, "number", gaps, ",")
    if bool(present.str.to_lowercase().is_in(["true", "false"]).all()):
        return Column(name, "boolean", gaps)
    if _all(present, r"^\d{4}-\d\d-\d\d"):
        if _parses(present, lambda s: s.str.to_date("%Y-%m-%d", strict=False)):
            return Column(name, "date", gaps)
        for form in (*DATETIMES, *ZONED):
            if _parses(present, lambda s, form=form: _datetime(s, form)):  # type: ignore[misc]
                return Column(name, "datetime", gaps, form)
    if _all(present, r"^\d\d:\d\d:\d\d") and _parses(present, lambda s: s.str.to_time("%H:%M:%S", strict=False)):
        return Column(name, "time", gaps)
    return Column(name, "text", bool(series.null_count()))


def _of_type(series: pl.Series) -> Column:
    """The type of a column that has one."""
    dtype, name = series.dtype, series.name
    if dtype.is_float():
        series = series.fill_nan(None)
    gaps = series.null_count() > 0
    if series.null_count() == len(series):
        return Column(name, "empty", True)
    if dtype == pl.Boolean:
        return Column(name, "boolean", gaps)
    if dtype.is_integer():
        return Column(
            name, "integer" if series.cast(pl.Int64, strict=False).null_count() == series.null_count() else "number", gaps
        )
    if dtype.is_numeric():
        return Column(name, "number", gaps)
    if dtype == pl.Date:
        return Column(name, "date", gaps)
    if isinstance(dtype, pl.Datetime):
        return Column(name, "datetime", gaps, ZONED[0] if dtype.time_zone else DATETIMES[1])
    if dtype in (pl.Time, pl.Duration):
        return Column(name, "time", gaps)
    if dtype in (pl.String, pl.Categorical, pl.Enum):
        return Column(name, "text", gaps)
    if isinstance(dtype, pl.List | pl.Array) and dtype.inner is not None and dtype.inner.is_numeric():
        lengths = (
            (series.cast(pl.List(dtype.inner)) if isinstance(dtype, pl.Array) else series).list.len().drop_nulls().unique()
        )
        if len(lengths) == 1 and lengths[0] > 0 and not gaps:
            return Column(name, "vector", False, "", int(lengths[0]))
        return Column(name, "other", gaps, "lists of different lengths")
    kind = "bytes" if dtype == pl.Binary else "lists" if isinstance(dtype, pl.List | pl.Array) else "structures"
    return Column(name, "other", gaps, kind)


def _all(present: pl.Series, pattern: str) -> bool:
    """Whether all values match; a few are tried first, since most columns fail there."""
    return bool(present.head(SAMPLE).str.contains(pattern).all()) and bool(present.str.contains(pattern).all())


def _parses(present: pl.Series, parse: Callable[[pl.Series], pl.Series]) -> bool:
    return parse(present.head(SAMPLE)).null_count() == 0 and parse(present).null_count() == 0


def _datetime(text: pl.Series, form: str) -> pl.Series:
    if form in ZONED:
        return text.str.to_datetime(form, strict=False, time_zone="UTC", time_unit="us")
    return text.str.to_datetime(form, strict=False, time_unit="us")


def _has_decimal_commas(present: pl.Series, separator: str | None) -> bool:
    """Whether commas are decimal ones: not only between groups of three digits."""
    with_comma = present.filter(present.str.contains(",", literal=True))
    if len(with_comma) == 0:
        return False
    return separator != "," or not bool(with_comma.str.contains(r",\d{3}$").all())


def _converted(column: Column, source: pl.Series, where: str) -> tuple[list[pl.Series], int]:
    """A column as this type, and how many values did not fit and are missing."""
    if column.type == "vector":
        return _vector(column, source, where), 0
    if source.dtype == pl.Binary or source.dtype.is_nested():
        raise BadInput(f"Column {column.name!r} of {where} holds {source.dtype}, not {_wanted(column)}. Give it as before.")
    if column.type in ("text", "empty", "constant"):
        return [source.cast(pl.String)], 0
    if source.dtype.is_float():
        source = source.fill_nan(None)
    empty = source.is_null()
    if source.dtype in (pl.String, pl.Categorical, pl.Enum):
        source = source.cast(pl.String).str.strip_chars()
        empty = missing_words(source)
    values = _parse(column, source).rename(column.name)
    unfit = (values.is_null() & ~empty).arg_true()
    if len(unfit) and not column.gaps:
        row = int(unfit[0])
        raise BadInput(
            f"{where} row {row}, column {column.name!r} is {source[row]!r}, not {_wanted(column)}, the type of that column in the original data ({len(unfit)} such values in all). Correct it, or leave it empty."
        )
    return [values], len(unfit)


def _wanted(column: Column) -> str:
    article = "an" if column.type == "integer" else "a"
    return f"{article} {'point in time' if column.type == 'datetime' else column.type}"


def _parse(column: Column, source: pl.Series) -> pl.Series:
    """Values of the column's type, null if they do not fit."""
    text = source.dtype == pl.String
    match column.type:
        case "integer":
            whole = source.cast(pl.Int64, strict=False)
            numbers = source.cast(pl.Float64, strict=False)
            return whole if whole.null_count() == numbers.null_count() and not source.dtype.is_float() else numbers
        case "number":
            if text and column.detail == ",":
                source = source.str.replace_all(".", "", literal=True).str.replace(",", ".", literal=True)
            return source.cast(pl.Float64, strict=False).fill_nan(None)
        case "boolean":
            if text:
                lower = source.str.to_lowercase()
                return lower.replace_strict({"true": True, "false": False}, default=None, return_dtype=pl.Boolean)
            return source.cast(pl.Boolean, strict=False)
        case "date":
            return source.str.to_date("%Y-%m-%d", strict=False) if text else source.cast(pl.Date, strict=False)
        case "time":
            return source.str.to_time("%H:%M:%S", strict=False) if text else source
        case _:
            if not text:
                return (
                    source.cast(pl.Datetime("us"), strict=False)
                    if source.dtype.is_temporal()
                    else pl.Series([None] * len(source), dtype=pl.Datetime("us"))
                )
            tries = [_datetime(source, form) for form in dict.fromkeys([column.detail, *DATETIMES, *ZONED])]
            return min(tries, key=lambda series: series.null_count())


def _vector(column: Column, source: pl.Series, where: str) -> list[pl.Series]:
    """The entries of lists as columns ``name[0]``, ``name[1]`` …"""
    if not isinstance(source.dtype, pl.List | pl.Array):
        raise BadInput(f"Column {column.name!r} of {where} holds {source.dtype}, not lists of {column.width} numbers.")
    lists = source.cast(pl.List(pl.Float64))
    wrong = (lists.list.len().fill_null(0) != column.width).arg_true()
    if len(wrong):
        raise BadInput(
            f"{where} row {wrong[0]}, column {column.name!r} is not a list of {column.width} numbers. Give lists of that length."
        )
    return [lists.list.get(i).rename(f"{column.name}[{i}]") for i in range(column.width)]
