"""Where a mask may be wrong: given regions that may be of another class, and parts that look like another class."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from labelproof.auditing.masks.scene import Gain, Scene
from labelproof.labels.run_length import Runs
from labelproof.noise.masks.regions import Regions, Slices, grown, regions_of, ring
from labelproof.noise.masks.response import Response
from labelproof.validation import BoolArray

FEWEST = 12  # pixels of a region about which anything can be said
BIG = 4_000  # pixels from which on borders hardly matter
NEAR = 2  # pixels around a region that say what surrounds it
COVERED = 0.8  # of a given region: a part is then the region itself

Matrix = npt.NDArray[np.float64]


class Candidate(NamedTuple):
    """A change of a mask that would explain the predictions better."""

    region: int  #: the given region that it is, or in which most of it lies
    whole: bool  #: whether it is that region
    given: int
    suggested: int
    area: int
    box: Slices
    runs: Runs  #: in column-major order
    gain: Gain
    mean_gain: float  #: of pixels, as inside of the suggested class
    around_suggested: float  #: share of what surrounds it that is given the suggested class
    around_given: float  #: and the class that it is given itself
    edge: int  #: number of pixels around it

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

    def evidence(self, response: Response) -> float:
        """The log likelihood ratio, pixels that say the same counted as one witness."""
        pixels = self.area / response.step**2
        return self.gain.contrast * min(1.0, (1 + pixels / response.together) / pixels)

    def features(self, together: float) -> list[float]:
        """What a model of errors sees."""
        pixels = max(self.gain.apart, 1e-6)
        witnesses = 1 + self.area / together
        return [
            self.gain.contrast / np.sqrt(pixels),
            self.gain.ratio / np.sqrt(pixels),
            self.gain.contrast / pixels,
            self.gain.ratio / pixels,
            np.log(pixels),
            np.log(self.area),
            float(np.arcsinh(self.gain.contrast * witnesses / self.area)),
            self.mean_gain,
            self.around_suggested,
            self.around_given,
            np.log(self.edge + 1) - 0.5 * np.log(self.area),
            float(self.whole),
        ]


def candidates(scene: Scene, regions: Regions, where: BoolArray | None = None) -> Iterator[Candidate]:
    """Those that the predictions speak for, one by one.

    Parameters
    ----------
    scene : Scene
    regions : Regions
        Of its mask.
    where : ndarray of bool, shape (h, w), optional
        Only what has pixels in there.
    """
    gains = scene.pixel_gains()
    for number in np.flatnonzero(regions.area >= FEWEST).tolist():
        box = regions.boxes[number]
        inside = regions.number[box] == number
        if where is None or where[box][inside].any():
            yield from _whole(scene, regions, number, inside, gains)
    parts = _parts(scene, gains)
    for number in np.flatnonzero(parts.area >= FEWEST).tolist():
        box = parts.boxes[number]
        inside = parts.number[box] == number
        if where is None or where[box][inside].any():
            yield from _part(scene, regions, box, inside, int(parts.value[number]), gains)


def _whole(
    scene: Scene, regions: Regions, number: int, inside: BoolArray, gains: npt.NDArray[np.float32]
) -> Iterator[Candidate]:
    """A given region, as the class that its pixels speak for most."""
    box, given, area = regions.boxes[number], int(regions.value[number]), int(regions.area[number])
    of_class = _mean_gains(scene, box, inside, gains)
    of_class[given] = -np.inf
    code = int(of_class.argmax())
    if area < BIG:
        gain = scene.gain(box, inside, code)
    else:
        total = float(of_class[code]) * area / scene.response.step**2
        gain = Gain(total, total, abs(2 * total))
    if max(gain.ratio, gain.contrast) > 0:
        yield _made(scene, box, inside, number, True, given, code, gain, float(of_class[code]))


def _part(
    scene: Scene, regions: Regions, box: Slices, inside: BoolArray, code: int, gains: npt.NDArray[np.float32]
) -> Iterator[Candidate]:
    """Connected pixels that look like another class; nothing where they are a given region as a whole."""
    own = np.bincount(regions.number[box][inside])
    region = int(own.argmax())
    if own[region] >= COVERED * regions.area[region] and own[region] >= COVERED * inside.sum():
        return
    gain = scene.gain(box, inside, code)
    if max(gain.ratio, gain.contrast) > 0:
        given = int(np.bincount(scene.mask[box][inside]).argmax())
        mean = float(_mean_gains(scene, box, inside, gains)[code])
        yield _made(scene, box, inside, region, False, given, code, gain, mean)


def _mean_gains(scene: Scene, box: Slices, inside: BoolArray, gains: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Mean gain of each class inside, shape (k,)."""
    place, weight = scene.weights(box, inside)
    weight = (weight * scene.seen[place]).ravel()
    return np.asarray(gains[(slice(None), *place)].reshape(len(gains), -1) @ weight / max(float(weight.sum()), 0.1))


def _parts(scene: Scene, gains: npt.NDArray[np.float32]) -> Regions:
    """Connected pixels whose best class is not the given one."""
    step, (height, width) = scene.response.step, scene.mask.shape
    best = np.where(gains.max(axis=0) > 0, gains.argmax(axis=0), -1)
    if step > 1:
        best = best.repeat(step, axis=0).repeat(step, axis=1)[:height, :width]
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
    mean_gain: float,
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
    shares = [float(np.mean(around == one)) if len(around) else 0.0 for one in (code, given)]
    return Candidate(
        region, whole, given, code, int(inside.sum()), box, runs, gain, mean_gain, shares[0], shares[1], len(around)
    )
