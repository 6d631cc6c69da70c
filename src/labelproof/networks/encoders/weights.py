"""The weights of encoders: the packages that read them, what identifies them, and what can be wrong with them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from labelproof.errors import BadInput, LabelproofError
from labelproof.saving.files import existing

UNKNOWN = "unknown"  # revision of a model that cannot be identified, so its features are not cached
DECIDING = ("*.safetensors", "*.onnx", "*.onnx_data", "*.json", "*.txt", "*.model")  # files that decide the features


def checksum(files: Iterable[Path]) -> str:
    """A digest of the contents of files, in the order of their names."""
    found = hashlib.blake2b(digest_size=16)
    for file in sorted(files):
        with file.open("rb") as opened:
            found.update(hashlib.file_digest(opened, lambda: hashlib.blake2b(digest_size=16)).digest())
    return found.hexdigest()


def checksum_of_folder(folder: Path) -> str:
    """A digest of all files that determine the output of a model in a folder."""
    return checksum({file for pattern in DECIDING for file in folder.rglob(pattern)})


def revision_of(place: str, loaded_commit: Callable[[], object]) -> str:
    """The checksum of a folder, or the commit of a model of the hub."""
    return checksum_of_folder(Path(place)) if Path(place).is_dir() else str(loaded_commit() or UNKNOWN)


def check_place(place: str, what: str) -> None:
    """Refuse what can only be a folder, and is not there: a library would take it for a name and search the hub.

    Raises
    ------
    BadInput
    """
    if Path(place).is_file():
        raise BadInput(f"{what} is a file. Give the folder that holds the model.")
    if place.startswith(("/", ".", "~")) or place.count("/") > 1:
        existing(place, f"the folder of {what},")


def load(what: str, loading: Callable[[], Any]) -> Any:
    """A model that a library loads; errors become one line.

    Raises
    ------
    BadInput
    """
    try:
        with _quiet():
            return loading()
    except LabelproofError:
        raise
    except Exception as error:  # every library has its own error for a damaged file, and some raise plain ones
        reason = next(iter(str(error).strip().splitlines()), type(error).__name__)[:300]
        raise BadInput(f"{what} cannot be loaded: {reason} Give the folder of a saved model, or check the name.") from error


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the progress bar that transformers shows while it reads a file; that of a download stays."""
    library = import_module("transformers.utils.logging") if find_spec("transformers") else None
    shown = library is not None and library.is_progress_bar_enabled()
    if library is not None:
        library.disable_progress_bar()
    try:
        yield
    finally:
        if library is not None and shown:
            library.enable_progress_bar()


def folder_of(package: str) -> Path | None:
    """The folder of an installed package, which is not imported."""
    spec = find_spec(package)
    return Path(next(iter(spec.submodule_search_locations))) if spec and spec.submodule_search_locations else None
