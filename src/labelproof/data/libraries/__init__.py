"""Libraries whose frames and data sets are audited in memory: one file per library, one line here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from labelproof.errors import BadInput
from labelproof.labels.registry import Registry

if TYPE_CHECKING:
    from labelproof.data.libraries.base import Held

LIBRARIES: Registry[type[Held]] = Registry(
    "library",
    {
        "polars": "labelproof.data.libraries.polars_frames:PolarsTable",
        "pandas": "labelproof.data.libraries.pandas_frames:PandasTable",
        "arrow": "labelproof.data.libraries.arrow_tables:ArrowTable",
        "datasets": "labelproof.data.libraries.hugging_face:HuggingFaceTable",
        "anndata": "labelproof.data.libraries.cells:Cells",
        "torch": "labelproof.data.libraries.pairs:Pairs",
        "interchange": "labelproof.data.libraries.arrow_tables:ForeignTable",
    },
)


def library_of(given: object) -> type[Held] | None:
    """The class that holds such an object, chosen by its type only: no library is imported."""
    return next((LIBRARIES[name] for name in LIBRARIES if LIBRARIES[name].holds(given)), None)


def is_source(given: object) -> bool:
    """Whether an object, given without a column, holds items with labels and is no array of labels itself."""
    return not hasattr(given, "__array__") and library_of(given) is not None


def held(given: object, name: str = "frame") -> Held:
    """The frame or data set with its library.

    Raises
    ------
    BadInput
        If it belongs to no known library.
    """
    library = library_of(given)
    if library is None:
        raise BadInput(
            f"{name} is a {type(given).__name__}. Give a polars or pandas DataFrame, an Arrow table, a datasets.Dataset, a torch "
            "Dataset of (x, y), or an AnnData."
        )
    return library(given)
