"""Options that several commands share."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, get_origin, get_type_hints

import typer

Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace a result that is already there.")]
Seed = Annotated[int, typer.Option(min=0, max=2**32 - 1, help="Random seed: the same seed gives the same result.")]
Data = Annotated[
    Path | None,
    typer.Argument(help="Table (.csv .jsonl .parquet .xlsx …), folder of class folders, export of a tool, or cells (.h5ad)."),
]
Label = Annotated[str | None, typer.Option(help="Column of given labels.")]
Text = Annotated[str | None, typer.Option(help="Column of text to learn from.")]
Image = Annotated[str | None, typer.Option(help="Column of picture paths (a manifest).")]
Images = Annotated[str | None, typer.Option(help="Folder of the pictures that a table or an export names, if not beside it.")]
Sheet = Annotated[str | None, typer.Option(help="Of a workbook (.xlsx .ods): the sheet that is the table.")]
Sql = Annotated[
    str | None, typer.Option(help="Instead of a file, a database by its URL: sqlite:///FILE, postgresql://user@host/name.")
]
Query = Annotated[str | None, typer.Option(help="With --sql: the SELECT whose rows are the items, with ORDER BY.")]
Id = Annotated[str | None, typer.Option("--id", help="Column of unique names; row numbers otherwise.")]
Item = Annotated[str | None, typer.Option(help="Of votes, a row for each: column of the items that were voted on.")]
Annotator = Annotated[str | None, typer.Option(help="Of votes: column of who voted.")]
Labels = Annotated[Path | None, typer.Option(help="Given labels as .npy.")]
Features = Annotated[Path | None, typer.Option(help="Features (n, d) or pictures (n, h, w) as .npy, or FILE.npz:NAME.")]
Embeddings = Annotated[Path | None, typer.Option(help="Embeddings of the pictures (n, d), in order of their paths.")]

Missing = Annotated[
    str | None,
    typer.Option(help="Labels that mean no label, comma-separated, instead of NaN, NA, N/A, null, None; '' for none of these."),
]
Encoding = Annotated[str | None, typer.Option(help="Encoding of a text file that is not UTF-8, e.g. latin-1 or cp1252.")]
Encoder = Annotated[
    str,
    typer.Option(
        help="What makes features of texts or pictures: auto (what is installed), none, st:NAME, hf:NAME, onnx:FOLDER, minilm, "
        "efficientnet-lite2."
    ),
]
Kind = Annotated[
    str | None,
    typer.Option(
        "--kind",
        help="What the labels are, where the file leaves it open: classes (the default), numbers (a quantity), spans (of sentences), boxes "
        "or masks (of pictures).",
    ),
]
Void = Annotated[
    str | None, typer.Option("--void", help="Of masks: values of pixels without a label, comma-separated, e.g. 255.")
]
Group = Annotated[
    str | None, typer.Option(help="Column, such as a document or a patient, whose rows of one value stay in one fold.")
]
Blocked = Annotated[
    bool,
    typer.Option(
        "--blocked", help="Folds of rows that follow one another: for time series, whose neighbouring rows are alike."
    ),
]
Ignore = Annotated[list[str] | None, typer.Option(help="Column not to learn from; may be repeated.")]
Keep = Annotated[list[str] | None, typer.Option(help="Column to learn from although it gives the label away; may be repeated.")]


def with_options_of(other: Callable[..., Any]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Gives a command, in place of its ``**options``, the options of a function, before its own.

    Parameters
    ----------
    other : callable
        Whose parameters are options as Typer reads them; one that is no `typer.Option` is for the command to give.
    """

    def decorated(command: Callable[..., None]) -> Callable[..., None]:
        parameters = {}
        for function in (other, command):
            hints = get_type_hints(function, include_extras=True)
            for name, parameter in inspect.signature(function).parameters.items():
                if parameter.kind is not inspect.Parameter.VAR_KEYWORD and get_origin(hints[name]) is Annotated:
                    parameters[name] = parameter.replace(annotation=hints[name], kind=inspect.Parameter.KEYWORD_ONLY)
        command.__signature__ = inspect.Signature(list(parameters.values()))  # type: ignore[attr-defined]
        command.__annotations__ = {name: parameter.annotation for name, parameter in parameters.items()}
        return command

    return decorated
