"""Folders of annotations, one file per picture: copied whole, with other text in some files."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

from labelproof.errors import BadInput
from labelproof.saving.folders import atomic_folder


def copy_folder(root: Path, target: Path, changed: Mapping[Path, bytes], *, overwrite: bool) -> None:
    """Copy a folder, pictures included, with other content in some files.

    Parameters
    ----------
    root, target : Path
    changed : mapping of path to bytes
        New content by path inside of ``root``; of a file that was not there, too.
    overwrite : bool

    Raises
    ------
    BadInput
        If the target is inside the folder, or is there already and not ours.
    """
    if target.resolve().is_relative_to(root.resolve()):
        raise BadInput(
            f"--out {str(target)!r} is inside the input {str(root)!r}, which is never modified. Choose another folder."
        )
    new = {file.resolve().relative_to(root.resolve()): data for file, data in changed.items()}
    with atomic_folder(target, overwrite=overwrite) as partial:
        for file in sorted(root.rglob("*")):
            place = file.relative_to(root)
            if file.is_file() and place not in new:
                (partial / place).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(file, partial / place)
        for place, data in new.items():
            (partial / place).parent.mkdir(parents=True, exist_ok=True)
            (partial / place).write_bytes(data)


def decoded(file: Path, encoding: str | None) -> str:
    """The text of a file, with its original line ends.

    Raises
    ------
    BadInput
    """
    try:
        return file.read_bytes().decode(encoding or "utf-8-sig")
    except (OSError, UnicodeDecodeError, LookupError) as error:
        raise BadInput(f"{str(file)!r} cannot be read as text ({error}). Name its encoding with --encoding.") from error


def line_end(text: str) -> str:
    """The line ends of a text."""
    return "\r\n" if "\r\n" in text else "\n"
