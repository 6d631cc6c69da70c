"""Candidates for errors of a mask: given regions that may be of another class, and parts that look like another class."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from labelproof.auditing.masks.scene import NEVER, Gain, Looks, Scene
from labelproof.labels.run_length import Runs
from labelproof.noise.masks.regions import Regions, Slices, grown, regions_of, ring
from labelproof.validation import BoolArray, IntArray

FEWEST = 12  # pixels that a region needs to be judged
UNUSUAL = 2.0  # standard deviations above which the class that pixels seem to share in is tried too
BIG = 4_000  # pixels from which on borders hardly matter
NEAR = 2  # pixels around a region that define its surroundings
COVERED = 0.8  # of a given region: a part is then the region itself

Matrix = npt.NDArray[np.float64]


class Candidate(NamedTuple):
    """A change of a mask that would explain the predictions better."""

    region: int  #: the given region that it is, or that contains most of it
    whole: bool  #: whether it is that region
    given: int
    suggested: int
    area: int
    box: Slices
    runs: Runs  #: in column-major order
    gain: Gain
    around_suggested: float  #: share of what surrounds it that is given the suggested class

    @property
    def bounds(self) -> tuple[int, int, int, int]:
        """``x1 y1 x2 y2``, the last ones excluded."""
        rows, columns = self.box
        return columns.start, rows.start, columns.stop, rows.stop

    @property
    def kind(self) -> str:
        """The kind of error that it would be."""
        if self.whole:
            return "extra" if self.around_suggested > 0.5 else "class"
        return "border" if self.around_suggested > 0 else "missing"


class Seen(NamedTuple):
    """Candidate changes in a picture: those that the predictions support, and all that were tried."""

    found: list[Candidate]
    contrast: list[float]  #: of each given region of some size
    apart: list[float]
    parts: int  #: number of parts that were looked at
    highest: float  #: score of a share of another class in any pixel, standard deviations


def candidates(scene: Scene, regions: Regions) -> Seen:
    """Given regions of another class, and connected pixels that look like another class.

    Parameters
    ----------
    scene : Scene
    regions : Regions
        Regions of its mask.
    """
    seen, looks, tried = Seen([], [], [], 0, 0.0), scene.look(), 0
    for number in np.flatnonzero(regions.area >= FEWEST).tolist():
        inside = regions.number[regions.boxes[number]] == number
        _look_at(scene, regions, number, inside, looks, seen)
    for codes in (looks.solid, looks.thin):
        parts = _parts(scene, codes)
        large = np.flatnonzero(parts.area >= FEWEST).tolist()
        tried += len(large)
        for number in large:
            box = parts.boxes[number]
            seen.found.extend(_part(scene, regions, box, parts.number[box] == number, int(parts.value[number])))
    return seen._replace(parts=tried, highest=float(looks.shares.max()))


def _look_at(scene: Scene, regions: Regions, number: int, inside: BoolArray, looks: Looks, seen: Seen) -> None:
    """A given region, with the class that its pixels support most."""
    box, given, area = regions.boxes[number], int(regions.value[number]), int(regions.area[number])
    of_class, of_share = (_means(scene, box, inside, values) for values in (looks.gains, looks.shares))
    of_class[given] = of_share[given] = -np.inf
    code = int(of_class.argmax())
    if of_class[code] <= NEVER / 2:  # there is no other known class
        return
    if area < BIG:
        tried = {code, int(of_share.argmax())} if of_share.max() > UNUSUAL else {code}
        gain, code = max((scene.gain(box, inside, one), one) for one in tried)
        seen.contrast.append(gain.contrast)
        seen.apart.append(gain.apart)
    else:
        total = float(of_class[code]) * area / scene.response.step**2
        gain = Gain(total, total, abs(2 * total))
    if gain.contrast > 0:
        seen.found.append(_made(scene, box, inside, number, True, given, code, gain))


def _part(scene: Scene, regions: Regions, box: Slices, inside: BoolArray, code: int) -> Iterator[Candidate]:
    """Connected pixels that look like another class; empty if they are a given region as a whole."""
    own = np.bincount(regions.number[box][inside])
    region = int(own.argmax())
    if own[region] >= COVERED * regions.area[region] and own[region] >= COVERED * inside.sum():
        return
    gain = scene.gain(box, inside, code)
    if gain.contrast > 0:
        given = int(np.bincount(scene.mask[box][inside]).argmax())
        yield _made(scene, box, inside, region, False, given, code, gain)


def _means(scene: Scene, box: Slices, inside: BoolArray, values: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Mean of values of each class inside, shape (k,)."""
    place, weight = scene.weights(box, inside)
    weight = (weight * scene.seen[place]).ravel()
    return np.asarray(values[(slice(None), *place)].reshape(len(values), -1) @ weight / max(float(weight.sum()), 0.1))


def _parts(scene: Scene, unlike: IntArray) -> Regions:
    """Connected pixels that look like one class that is not given."""
    step, (height, width) = scene.response.step, scene.mask.shape
    best = unlike.repeat(step, axis=0).repeat(step, axis=1)[:height, :width]
    return regions_of(np.where((best == scene.mask) | (scene.mask < 0), -1, best))


def _made(
    scene: Scene,
    box: Slices,
    inside: BoolArray,
    region: int,
    whole: bool,
    given: int,
    code: int,
    gain: Gain,
) -> Candidate:
    height, width = scene.mask.shape
    wider = grown(box, NEAR, (height, width))
    own = np.zeros((wider[0].stop - wider[0].start, wider[1].stop - wider[1].start), bool)
    down, right = box[0].start - wider[0].start, box[1].start - wider[1].start
    own[down : down + inside.shape[0], right : right + inside.shape[1]] = inside
    around = scene.mask[wider][ring(own, NEAR)]
    around = around[around >= 0]
    x, y = np.nonzero(inside.T)
    runs = Runs.of_places((x + box[1].start) * height + y + box[0].start, height * width)
    share = float(np.mean(around == code)) if len(around) else 0.0
    return Candidate(region, whole, given, code, int(inside.sum()), box, runs, gain, share)
