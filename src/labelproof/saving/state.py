"""`State`: fitted state as JSON and arrays, and the one writer and reader of folders that hold one. No pickle."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from labelproof.errors import BadInput, CorruptArtifact
from labelproof.saving.files import atomic_write, existing
from labelproof.saving.folders import SUMMARY
from labelproof.saving.version import VERSION

Array = npt.NDArray[Any]
FORMAT = "labelproof 1"  # of a file of tensors
WEIGHTS = "weights.safetensors"
T = TypeVar("T")


@dataclass(frozen=True)
class State:
    """Fitted state.

    Attributes
    ----------
    kind : str
        The kind of object, e.g. ``"classifier"``.
    meta : mapping of str
        What JSON holds.
    arrays : mapping of str to ndarray
        Arrays of numbers, by name; ``owner/name`` if they belong to several objects.
    """

    kind: str
    meta: Mapping[str, object]
    arrays: Mapping[str, Array] = field(default_factory=dict)

    def get(self, name: str, kind: type[T]) -> T:
        """An entry of ``meta``, or `CorruptArtifact` if it is absent or of another type."""
        found = self.meta.get(name)
        if not isinstance(found, kind):
            raise CorruptArtifact(f"{name} of a {self.kind} is {found!r}, not a {kind.__name__}. Save it again.")
        return found

    def of(self, owner: str) -> dict[str, Array]:
        """The arrays named ``owner/name``, by name."""
        return {name.removeprefix(f"{owner}/"): array for name, array in self.arrays.items() if name.startswith(f"{owner}/")}

    def inside(self, owner: str) -> dict[str, Array]:
        """The arrays under the names that they have inside a larger state."""
        return {f"{owner}/{name}": array for name, array in self.arrays.items()}


def write_state(folder: Path, state: State) -> None:
    """Write ``summary.json`` and ``weights.safetensors`` into a folder that exists; see `labelproof.saving.folders.atomic_folder`.

    Raises
    ------
    BadInput
        If ``meta`` has something that JSON cannot hold.
    """
    summary = {"labelproof": VERSION, "kind": state.kind, **state.meta}
    summary["sha256"] = write_tensors(folder / WEIGHTS, state.arrays, summary)
    (folder / SUMMARY).write_text(json.dumps(summary, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def read_state(folder: str | os.PathLike[str], kind: str, anew: str = "Save it again.") -> State:
    """Read what `write_state` wrote, or a version before it.

    Parameters
    ----------
    folder : path
    kind : str
        The kind that the folder must hold.
    anew : str
        A sentence that explains how to make it again.

    Raises
    ------
    BadInput
        If the folder holds something else, or a later version of labelproof wrote it.
    CorruptArtifact
        If a file is missing, damaged, or not of the same state as the other.
    """
    summary = read_summary(folder, kind, anew)
    arrays, meta, digest = _read(Path(folder) / WEIGHTS, anew)
    if "sha256" not in summary:  # by version 0.1, which kept each entry in one place only
        meta = {**meta, **summary}
    elif json.dumps({**meta, "sha256": digest}, sort_keys=True) != json.dumps(summary, sort_keys=True):
        raise CorruptArtifact(f"{SUMMARY} and {WEIGHTS} in {str(folder)!r} do not belong to the same {kind}. {anew}")
    return State(kind, {name: value for name, value in meta.items() if name not in ("labelproof", "kind")}, arrays)


def read_summary(folder: str | os.PathLike[str], kind: str, anew: str = "Save it again.") -> dict[str, object]:
    """The content of ``summary.json`` in a folder of this kind; refuses folders of later versions, like `read_state`."""
    existing(folder, f"{kind} folder")
    try:
        summary: dict[str, object] = json.loads((Path(folder) / SUMMARY).read_text(encoding="utf-8"))
        found = (
            f"an audit of {summary.get('kind')}"
            if "verdicts" in summary
            else f"a {summary.get('kind', 'folder without a model')}"
        )
        version = str(summary.get("labelproof", "0.1.0"))
        later = _numbers(version)[:2] > _numbers(VERSION)[:2]
    except (OSError, ValueError, AttributeError) as error:
        raise CorruptArtifact(f"{str(folder)!r} is not a complete {kind} ({error}). {anew}") from error
    if summary.get("kind") != kind:
        raise BadInput(f"{str(folder)!r} is {found}, not a {kind}. Name the folder of a {kind}. Or: {anew}")
    if later:
        raise BadInput(
            f"{str(folder)!r} was written by labelproof {version}, and this is {VERSION}. "
            f"Run: pip install --upgrade labelproof. Or: {anew}"
        )
    return summary


def write_tensors(path: Path, arrays: Mapping[str, Array], meta: Mapping[str, object]) -> str:
    """Write arrays by name, and anything that JSON holds, into one file, completely or not at all; the checksum of both."""
    try:
        text = json.dumps(meta)
    except TypeError as error:
        raise BadInput(f"{path.name} cannot be written: {error}. Give numbers, text, lists and arrays.") from error
    # memory is written directly
    whole = {name: np.asarray(array, array.dtype.newbyteorder("="), order="C") for name, array in arrays.items()}
    digest = _digest(whole, text)
    atomic_write(path, save(whole, metadata={"format": FORMAT, "meta": text, "sha256": digest}))
    return digest


def read_tensors(path: str | os.PathLike[str], anew: str = "Run again.") -> tuple[dict[str, Array], dict[str, object]]:
    """Read what `write_tensors` wrote.

    Raises
    ------
    CorruptArtifact
        If the file is truncated, altered, or of another kind; nothing of it is used then.
    """
    return _read(path, anew)[:2]


def _read(path: str | os.PathLike[str], anew: str) -> tuple[dict[str, Array], dict[str, object], str]:
    """Arrays, JSON and checksum."""
    try:
        with safe_open(os.fspath(path), framework="np") as file:
            header = file.metadata() or {}
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  # it is no mapping
        if header.get("format") != FORMAT:
            raise CorruptArtifact(f"{str(path)!r} has the format {header.get('format')!r}, not {FORMAT!r}. {anew}")
        if header["sha256"] != _digest(arrays, header["meta"]):
            raise CorruptArtifact(f"{str(path)!r} is damaged: its checksum differs. Delete it. {anew}")
        meta: dict[str, object] = json.loads(header["meta"])
    except (SafetensorError, OSError, KeyError, TypeError, ValueError) as error:
        raise CorruptArtifact(f"{str(path)!r} is not a complete file of tensors ({error}). Delete it. {anew}") from error
    return arrays, meta, header["sha256"]


def _digest(arrays: Mapping[str, Array], meta: str) -> str:
    found = hashlib.sha256(meta.encode())
    for name in sorted(arrays):
        array = arrays[name]
        found.update(
            f"{name} {array.shape} torch.{array.dtype}".encode()
        )  # the types by torch's names, as version 0.1 had them
        found.update(array.data if array.size else b"")
    return found.hexdigest()


def _numbers(version: str) -> list[int]:
    return [int(part) for part in version.split(".")[:2]]
