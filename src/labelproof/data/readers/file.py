"""Any source that has a path or a URL, by one function."""

from __future__ import annotations

from collections.abc import Sequence

from labelproof.data.dataset import Dataset
from labelproof.data.raw_table import Path_
from labelproof.data.readers import open_reader
from labelproof.data.readers.base import ReadOptions


def read_file(
    path: Path_,
    *,
    label: str | None = None,
    text: str | None = None,
    image: str | None = None,
    id: str | None = None,
    images: str | None = None,
    sheet: str | None = None,
    query: str | None = None,
    missing: Sequence[object] | None = None,
    encoding: str | None = None,
) -> Dataset:
    """Read any source that ``labelproof audit`` reads: a table, pictures, cells, an export of a tool, or the rows of a query.

    Parameters
    ----------
    path : path, or URL of a database
    label, text, image : str, optional
        Columns of labels, of text to learn from, of pictures. Exports, saved data sets and tars have fixed ones.
    id : str, optional
        A column of unique names. By default row numbers, or the paths of pictures.
    images : str, optional
        The folder of the pictures that a table or an export names, if they are not next to it.
    sheet : str, optional
        Sheet of a workbook.
    query : str, optional
        For a database: a SELECT with ORDER BY.
    missing : sequence, optional
        Labels that mean unlabelled; see `labelproof.validation.check_labels`.
    encoding : str, optional
        Of a text file that is not UTF-8.

    Returns
    -------
    Dataset

    Raises
    ------
    BadInput
        If a needed option is missing, an option belongs to another format, or the source cannot be read.
    MissingDependency
        For a workbook without fastexcel, cells without anndata, a database without its driver.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "reviews.jsonl"
    >>> _ = path.write_text('{"body": "fine", "meta": {"mood": "glad"}}\\n{"body": "poor", "meta": {"mood": "sad"}}\\n')
    >>> read_file(path, label="meta.mood", text="body").given_names.tolist()
    ['glad', 'sad']
    """
    options = ReadOptions(
        label=label, text=text, image=image, id=id, images=images, sheet=sheet, query=query, missing=missing, encoding=encoding
    )
    return open_reader(path, options).read()
