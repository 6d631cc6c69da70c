"""Add noise to clean labels: one file per kind of label, exported here.

Each function takes clean labels and a random state, and returns the new labels and the mask of what changed.
"""

from labelproof.noise.simulate.base import Noisy as Noisy
from labelproof.noise.simulate.boxes import BoxError as BoxError
from labelproof.noise.simulate.boxes import NoisyBoxes as NoisyBoxes
from labelproof.noise.simulate.boxes import boxes as boxes
from labelproof.noise.simulate.classes import binary_purity as binary_purity
from labelproof.noise.simulate.classes import by_transition as by_transition
from labelproof.noise.simulate.classes import class_conditional as class_conditional
from labelproof.noise.simulate.classes import instance_dependent as instance_dependent
from labelproof.noise.simulate.classes import open_set as open_set
from labelproof.noise.simulate.classes import pair as pair
from labelproof.noise.simulate.classes import symmetric as symmetric
from labelproof.noise.simulate.masks import MaskError as MaskError
from labelproof.noise.simulate.masks import NoisyMasks as NoisyMasks
from labelproof.noise.simulate.masks import masks as masks
from labelproof.noise.simulate.numbers import numbers as numbers
from labelproof.noise.simulate.spans import NoisySpans as NoisySpans
from labelproof.noise.simulate.spans import SpanError as SpanError
from labelproof.noise.simulate.spans import spans as spans
from labelproof.noise.simulate.tags import caption_replacement as caption_replacement
from labelproof.noise.simulate.tags import incorrect_tags as incorrect_tags
from labelproof.noise.simulate.tags import missing_tags as missing_tags
