"""Sources of blocks of probabilities: arrays, files larger than memory, Parquet, sparse rows, several models.

A source yields its rows in order, in blocks; at any time one block is held, or a small piece for each thread.
"""

from labelproof.auditing.sources.array import ArraySource
from labelproof.auditing.sources.base import Piece, Source, in_order, rows_of_block
from labelproof.auditing.sources.npy import NpyFile
from labelproof.auditing.sources.opening import Ensemble, open_source
from labelproof.auditing.sources.ordered import Ordered
from labelproof.auditing.sources.parquet import ParquetFiles
from labelproof.auditing.sources.top_k import TopK

__all__ = [
    "ArraySource",
    "Ensemble",
    "NpyFile",
    "Ordered",
    "ParquetFiles",
    "Piece",
    "Source",
    "TopK",
    "in_order",
    "open_source",
    "rows_of_block",
]
