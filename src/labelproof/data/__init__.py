"""Readers: each makes one `Dataset` out of what users have."""

from labelproof.data.dataset import Dataset, Shown
from labelproof.data.readers.arrays import read_arrays
from labelproof.data.readers.cells import read_cells
from labelproof.data.readers.frame import read_frame
from labelproof.data.readers.picture_folder import read_images
from labelproof.data.readers.table import read_table
from labelproof.data.readers.text import read_text

__all__ = ["Dataset", "Shown", "read_arrays", "read_cells", "read_frame", "read_images", "read_table", "read_text"]
