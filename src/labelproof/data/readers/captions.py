"""Captions of pictures and videos, from the JSON files of COCO and MSR-VTT."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from labelproof.data.raw_table import Path_
from labelproof.errors import BadInput
from labelproof.saving.files import damaged, existing, first_line
from labelproof.validation import Json, RandomState, accepts_seed, check_rate, rng_from


@dataclass(frozen=True)
class Captions:
    """Items and their captions by people.

    Attributes
    ----------
    ids : tuple of length n
        Image numbers of COCO, names of MSR-VTT's videos.
    captions : tuple of length n
        Tuples of str, one or more each.
    files : tuple of length n
        File names; empty strings if the file does not name any.
    splits : tuple of length n
        ``"train"``, ``"validate"`` …; empty strings if the file has no splits.
    skipped : list of (id, reason)
        Items without a caption, or without their picture.
    """

    ids: tuple[object, ...]
    captions: tuple[tuple[str, ...], ...]
    files: tuple[str, ...]
    splits: tuple[str, ...]
    skipped: list[tuple[str, str]] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.ids)

    def split(self, name: str) -> Captions:
        """The items of one split.

        Raises
        ------
        BadInput
            If there is no such split.
        """
        rows = [i for i, own in enumerate(self.splits) if own == name]
        if not rows:
            known = sorted({own for own in self.splits if own})
            raise BadInput(f"There is no split {name!r}. The file has {', '.join(known) or 'none'}.")
        return self.take(rows)

    def take(self, rows: Sequence[int]) -> Captions:
        """Some items, by number."""
        ids, captions = tuple(self.ids[i] for i in rows), tuple(self.captions[i] for i in rows)
        files, splits = tuple(self.files[i] for i in rows), tuple(self.splits[i] for i in rows)
        return Captions(ids, captions, files, splits, self.skipped)

    @accepts_seed
    def with_replaced(self, rate: float, *, random_state: RandomState = None) -> Captions:
        """Replace some captions of each item by captions of other items: the paper's incorrect labels.

        Parameters
        ----------
        rate : float in [0, 1]
            Share of each item's captions, rounded to whole captions: 0.2 is one of five.
        random_state : int, RandomState, Generator or None, default=None

        References
        ----------
        Jiang et al. (2019), Learning from noisy labels with noise modeling network, section 3.2.
        """
        rng, n = rng_from(random_state), len(self)
        check_rate(rate)
        if n < 2:
            raise BadInput(f"There are {n} items. Give two or more, because captions are replaced by those of other items.")
        mixed = []
        for i, own in enumerate(self.captions):
            now = list(own)
            for place in rng.choice(len(own), round(rate * len(own)), replace=False):
                other = self.captions[(i + int(rng.integers(1, n))) % n]
                now[place] = other[int(rng.integers(len(other)))]
            mixed.append(tuple(now))
        return replace(self, captions=tuple(mixed))


def read_captions(path: Path_, *, folder: Path_ | None = None) -> Captions:
    """Read captions of images (COCO: ``images``, ``annotations``) or of videos (MSR-VTT: ``videos``, ``sentences``).

    Parameters
    ----------
    path : path of a .json file
    folder : path, optional
        Folder of the pictures; absent ones are skipped. For videos: a folder of frames, or a file, for each.

    Returns
    -------
    Captions
        Items in the order of the file.

    Raises
    ------
    BadInput
        For a file that is no JSON (naming line and column), of another format, or with a caption of an item that is not listed.
    """
    file = existing(path, "caption file")
    content = _json(file)
    with damaged(file, "caption file"):
        return _captions_of(content, file, folder)


def _captions_of(content: object, file: Path, folder: Path_ | None) -> Captions:
    if isinstance(content, dict) and {"images", "annotations"} <= content.keys():
        items, sentences, id_, of = content["images"], content["annotations"], "id", "image_id"
    elif isinstance(content, dict) and {"videos", "sentences"} <= content.keys():
        items, sentences, id_, of = content["videos"], content["sentences"], "video_id", "video_id"
    else:
        found = ", ".join(map(str, list(content)[:6])) if isinstance(content, dict) else type(content).__name__
        raise BadInput(
            f"{str(file)!r} has {found}. Give a caption file of COCO (images, annotations) or MSR-VTT (videos, sentences)."
        )
    said: dict[Any, list[str]] = {_of(item, id_, file, "item", i): [] for i, item in enumerate(items)}
    for i, sentence in enumerate(sentences):
        owner, text = _of(sentence, of, file, "caption", i), _of(sentence, "caption", file, "caption", i)
        if owner not in said:
            raise BadInput(f"caption {i} of {str(file)!r} belongs to {owner!r}, which the file does not list. Remove it.")
        if not isinstance(text, str):
            raise BadInput(f"caption {i} of {str(file)!r} is {text!r}. Give text.")
        if text.strip():
            said[owner].append(text.strip())
    return _whole(items, said, id_, None if folder is None else Path(folder))


def _whole(items: list[Json], said: dict[Any, list[str]], id_: str, folder: Path | None) -> Captions:
    """Items with a caption, and with their picture if they must have one."""
    rows: list[tuple[Any, tuple[str, ...], str, str]] = []
    skipped: list[tuple[str, str]] = []
    for item in items:
        name = str(item.get("file_name", item[id_] if folder is not None else ""))
        if not said[item[id_]]:
            skipped.append((str(item[id_]), "no caption"))
        elif folder is not None and not (folder / name).exists():
            skipped.append((str(item[id_]), f"{name} not found"))
        else:
            rows.append((item[id_], tuple(said[item[id_]]), name, str(item.get("split", ""))))
    if not rows:
        raise BadInput(f"None of the {len(items)} items can be used. The first: {skipped[0] if skipped else 'none'}.")
    ids, captions, files, splits = zip(*rows, strict=True)
    return Captions(ids, captions, files, splits, skipped)


def _json(file: Path) -> Any:
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise BadInput(
            f"{str(file)!r} is not JSON: {error.msg} in line {error.lineno}, column {error.colno}. Check that the download is complete."
        ) from error
    except UnicodeDecodeError as error:
        raise BadInput(
            f"{str(file)!r} is not JSON: byte {error.start} is not UTF-8. Check that the download is complete."
        ) from error
    except (OSError, RecursionError) as error:
        raise BadInput(f"{str(file)!r} cannot be read ({first_line(error)}).") from error


def _of(entry: object, name: str, file: Path, what: str, number: int) -> Any:
    if not isinstance(entry, dict) or name not in entry:
        raise BadInput(f"{what} {number} of {str(file)!r} has no {name!r}. Give the file as published.")
    return entry[name]
