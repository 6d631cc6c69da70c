"""labelproof proof-reads the labels of a data set.

Names are loaded on first use (PEP 562), so that ``import labelproof`` costs nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from labelproof.extras import handed_on
from labelproof.saving.version import VERSION

__version__ = VERSION

_HOME = {
    "Audit": "labelproof.auditing.findings",
    "BootstrapEnsemble": "labelproof.estimators.bootstrap",
    "History": "labelproof.training.history",
    "NoisyLabelClassifier": "labelproof.estimators.noisy_label_classifier.noisy_label_classifier",
    "RankPruning": "labelproof.estimators.rank_pruning",
    "Bags": "labelproof.data.bags",
    "Captions": "labelproof.data.readers.captions",
    "ConceptCaptioner": "labelproof.estimators.captioner.concept_captioner",
    "Concepts": "labelproof.estimators.captioner.concepts",
    "NoisyTagClassifier": "labelproof.estimators.tagger.noisy_tag_classifier",
    "audit": "labelproof.auditing.audit",
    "audit_dynamics": "labelproof.auditing.dynamics",
    "audit_posterior": "labelproof.auditing.from_posterior",
    "audit_on_ray": "labelproof.distributed.cluster",
    "audit_tags": "labelproof.auditing.audit",
    "BadInput": "labelproof.errors",
    "CorruptArtifact": "labelproof.errors",
    "Dataset": "labelproof.data.dataset",
    "Doubt": "labelproof.auditing.doubts.base",
    "DoubtWarning": "labelproof.auditing.doubts.base",
    "LabelproofError": "labelproof.errors",
    "LabelproofWarning": "labelproof.errors",
    "GenerativeCleaner": "labelproof.estimators.nl_gan.generative_cleaner",
    "M1M2": "labelproof.estimators.mislabeled_vae.m1m2",
    "MislabeledVAE": "labelproof.estimators.mislabeled_vae.mislabeled_vae",
    "MissingDependency": "labelproof.errors",
    "NLGAN": "labelproof.estimators.nl_gan.nl_gan",
    "NotFitted": "labelproof.errors",
    "TopK": "labelproof.auditing.sources",
    "TransitionMatrix": "labelproof.noise.transition",
    "Unavailable": "labelproof.errors",
    "Tags": "labelproof.labels.tags",
    "Votes": "labelproof.labels.votes",
    "Numbers": "labelproof.labels.numbers",
    "NumberNoise": "labelproof.noise.numbers.noise",
    "Boxes": "labelproof.labels.boxes",
    "Spans": "labelproof.labels.spans",
    "SpanNoise": "labelproof.noise.spans",
    "BoxNoise": "labelproof.noise.boxes",
    "MaskNoise": "labelproof.noise.masks.noise",
    "Masks": "labelproof.labels.masks",
    "TagRates": "labelproof.noise.tag_rates",
    "Classes": "labelproof.labels.classes",
    "Check": "labelproof.auditing.check",
    "caption_scores": "labelproof.estimators.captioner.scores",
    "check": "labelproof.auditing.check",
    "Comparison": "labelproof.auditing.compare",
    "compare": "labelproof.auditing.compare",
    "default_model": "labelproof.auditing.default_models",
    "out_of_sample_probs": "labelproof.auditing.out_of_sample",
    "read_arrays": "labelproof.data.readers.arrays",
    "read_captions": "labelproof.data.readers.captions",
    "read_cells": "labelproof.data.readers.cells",
    "read_file": "labelproof.data.readers.file",
    "read_frame": "labelproof.data.readers.frame",
    "read_images": "labelproof.data.readers.picture_folder",
    "read_boxes": "labelproof.data.readers.boxes",
    "read_masks": "labelproof.data.readers.masks",
    "read_spans": "labelproof.data.readers.spans",
    "read_table": "labelproof.data.readers.table",
    "read_tagged": "labelproof.data.readers.tagged",
    "read_text": "labelproof.data.readers.text",
    "read_votes": "labelproof.data.readers.votes",
    "short_html": "labelproof.report.html",
    "simulate": "labelproof.noise",
    "tag_precision": "labelproof.estimators.tagger.precision",
    "write_report": "labelproof.report.html",
}

if TYPE_CHECKING:
    from labelproof.auditing.audit import audit as audit
    from labelproof.auditing.audit import audit_tags as audit_tags
    from labelproof.auditing.check import Check as Check
    from labelproof.auditing.check import check as check
    from labelproof.auditing.compare import Comparison as Comparison
    from labelproof.auditing.compare import compare as compare
    from labelproof.auditing.default_models import default_model as default_model
    from labelproof.auditing.doubts.base import Doubt as Doubt
    from labelproof.auditing.doubts.base import DoubtWarning as DoubtWarning
    from labelproof.auditing.dynamics import audit_dynamics as audit_dynamics
    from labelproof.auditing.findings import Audit as Audit
    from labelproof.auditing.from_posterior import audit_posterior as audit_posterior
    from labelproof.auditing.out_of_sample import out_of_sample_probs as out_of_sample_probs
    from labelproof.auditing.sources import TopK as TopK
    from labelproof.data.bags import Bags as Bags
    from labelproof.data.dataset import Dataset as Dataset
    from labelproof.data.readers.arrays import read_arrays as read_arrays
    from labelproof.data.readers.boxes import read_boxes as read_boxes
    from labelproof.data.readers.captions import Captions as Captions
    from labelproof.data.readers.captions import read_captions as read_captions
    from labelproof.data.readers.cells import read_cells as read_cells
    from labelproof.data.readers.file import read_file as read_file
    from labelproof.data.readers.frame import read_frame as read_frame
    from labelproof.data.readers.masks import read_masks as read_masks
    from labelproof.data.readers.picture_folder import read_images as read_images
    from labelproof.data.readers.spans import read_spans as read_spans
    from labelproof.data.readers.table import read_table as read_table
    from labelproof.data.readers.tagged import read_tagged as read_tagged
    from labelproof.data.readers.text import read_text as read_text
    from labelproof.data.readers.votes import read_votes as read_votes
    from labelproof.distributed.cluster import audit_on_ray as audit_on_ray
    from labelproof.errors import BadInput as BadInput
    from labelproof.errors import CorruptArtifact as CorruptArtifact
    from labelproof.errors import LabelproofError as LabelproofError
    from labelproof.errors import LabelproofWarning as LabelproofWarning
    from labelproof.errors import MissingDependency as MissingDependency
    from labelproof.errors import NotFitted as NotFitted
    from labelproof.errors import Unavailable as Unavailable
    from labelproof.estimators.bootstrap import BootstrapEnsemble as BootstrapEnsemble
    from labelproof.estimators.captioner.concept_captioner import ConceptCaptioner as ConceptCaptioner
    from labelproof.estimators.captioner.concepts import Concepts as Concepts
    from labelproof.estimators.captioner.scores import caption_scores as caption_scores
    from labelproof.estimators.mislabeled_vae.m1m2 import M1M2 as M1M2
    from labelproof.estimators.mislabeled_vae.mislabeled_vae import MislabeledVAE as MislabeledVAE
    from labelproof.estimators.nl_gan.generative_cleaner import GenerativeCleaner as GenerativeCleaner
    from labelproof.estimators.nl_gan.nl_gan import NLGAN as NLGAN
    from labelproof.estimators.noisy_label_classifier.noisy_label_classifier import NoisyLabelClassifier as NoisyLabelClassifier
    from labelproof.estimators.rank_pruning import RankPruning as RankPruning
    from labelproof.estimators.tagger.noisy_tag_classifier import NoisyTagClassifier as NoisyTagClassifier
    from labelproof.estimators.tagger.precision import tag_precision as tag_precision
    from labelproof.labels.boxes import Boxes as Boxes
    from labelproof.labels.classes import Classes as Classes
    from labelproof.labels.masks import Masks as Masks
    from labelproof.labels.numbers import Numbers as Numbers
    from labelproof.labels.spans import Spans as Spans
    from labelproof.labels.tags import Tags as Tags
    from labelproof.labels.votes import Votes as Votes
    from labelproof.noise import simulate as simulate
    from labelproof.noise.boxes import BoxNoise as BoxNoise
    from labelproof.noise.masks.noise import MaskNoise as MaskNoise
    from labelproof.noise.numbers.noise import NumberNoise as NumberNoise
    from labelproof.noise.spans import SpanNoise as SpanNoise
    from labelproof.noise.tag_rates import TagRates as TagRates
    from labelproof.noise.transition import TransitionMatrix as TransitionMatrix
    from labelproof.report.html import short_html as short_html
    from labelproof.report.html import write_report as write_report
    from labelproof.training.history import History as History


_SUBPACKAGES = {name: f"labelproof.{name}" for name in ("labels", "losses", "methods", "networks", "noise")}


def __getattr__(name: str) -> Any:
    value = handed_on(__name__, _HOME | _SUBPACKAGES, name)
    if name in _HOME:
        globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOME, *_SUBPACKAGES])
