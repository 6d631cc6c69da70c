"""Readers: each makes one `Dataset` out of what users have."""

from labelproof.data.arrays import read_arrays
from labelproof.data.cells import read_cells
from labelproof.data.dataset import Dataset, Shown
from labelproof.data.images import read_images
from labelproof.data.table import read_table
from labelproof.data.text import read_text

__all__ = ["Dataset", "Shown", "read_arrays", "read_cells", "read_images", "read_table", "read_text"]
