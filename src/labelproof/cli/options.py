"""Options that several commands share."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, get_origin, get_type_hints

import typer

READ, MODEL = "What to read", "Model that is cross-validated"  # sections of the help

Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace an existing result.")]
Seed = Annotated[int, typer.Option(min=0, max=2**32 - 1, help="Random seed: the same seed gives the same result.")]
Data = Annotated[
    Path | None,
    typer.Argument(help="Table (.csv .jsonl .parquet .xlsx …), folder of class folders, export of a tool, or cells (.h5ad)."),
]
Label = Annotated[str | None, typer.Option(help="Column of given labels.", rich_help_panel=READ)]
Text = Annotated[str | None, typer.Option(help="Column of text to learn from.", rich_help_panel=READ)]
Image = Annotated[str | None, typer.Option(help="Column of picture paths (a manifest).", rich_help_panel=READ)]
Images = Annotated[
    str | None,
    typer.Option(
        help="Folder of the pictures that a table or an export names. Default: the folder of the file.", rich_help_panel=READ
    ),
]
Sheet = Annotated[str | None, typer.Option(help="Sheet of a workbook (.xlsx .ods) that holds the table.", rich_help_panel=READ)]
Sql = Annotated[
    str | None,
    typer.Option(
        help="URL of a database to read instead of a file: sqlite:///FILE, postgresql://user@host/name.", rich_help_panel=READ
    ),
]
Query = Annotated[
    str | None, typer.Option(help="With --sql: a SELECT with ORDER BY; each row is an item.", rich_help_panel=READ)
]
Id = Annotated[str | None, typer.Option("--id", help="Column of unique names. Default: row numbers.", rich_help_panel=READ)]
Item = Annotated[
    str | None, typer.Option(help="For votes, one a row: column of the item that was voted on.", rich_help_panel=READ)
]
Annotator = Annotated[str | None, typer.Option(help="For votes: column of the annotator.", rich_help_panel=READ)]
Labels = Annotated[Path | None, typer.Option(help="Given labels as .npy.", rich_help_panel=READ)]
Features = Annotated[
    Path | None, typer.Option(help="Features (n, d) or pictures (n, h, w) as .npy, or FILE.npz:NAME.", rich_help_panel=READ)
]
Embeddings = Annotated[
    Path | None, typer.Option(help="Embeddings of the pictures (n, d), sorted by path.", rich_help_panel=READ)
]

Missing = Annotated[
    str | None,
    typer.Option(
        help="Values that mean no label, comma-separated. Default: NaN, NA, N/A, null, None. '' for none of these.",
        rich_help_panel=READ,
    ),
]
Encoding = Annotated[
    str | None, typer.Option(help="Encoding of a text file that is not UTF-8, e.g. latin-1 or cp1252.", rich_help_panel=READ)
]
Encoder = Annotated[
    str,
    typer.Option(
        help="Encoder of texts or pictures: auto (what is installed), none, st:NAME, hf:NAME, onnx:FOLDER, minilm, "
        "efficientnet-lite2.",
        rich_help_panel=MODEL,
    ),
]
Kind = Annotated[
    str | None,
    typer.Option(
        "--kind",
        help="Kind of label, if the file does not tell: classes (the default), numbers, spans, boxes or masks.",
        rich_help_panel=READ,
    ),
]
Void = Annotated[
    str | None,
    typer.Option(
        "--void", help="For masks: values of pixels without a label, comma-separated, e.g. 255.", rich_help_panel=READ
    ),
]
Group = Annotated[
    str | None,
    typer.Option(help="Column of a group, e.g. a patient: the rows of a group stay in one fold.", rich_help_panel=MODEL),
]
Blocked = Annotated[
    bool,
    typer.Option("--blocked", help="Make folds of consecutive rows, for time series.", rich_help_panel=MODEL),
]
Ignore = Annotated[list[str] | None, typer.Option(help="Column to ignore; may be repeated.", rich_help_panel=MODEL)]
Keep = Annotated[
    list[str] | None, typer.Option(help="Column to use although it reveals the label; may be repeated.", rich_help_panel=MODEL)
]


def with_options_of(other: Callable[..., Any]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Replace the ``**options`` of a command by the options of another function, which come first.

    Parameters
    ----------
    other : callable
        Its parameters are Typer options; the command itself passes those that are not.
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
