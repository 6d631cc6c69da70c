"""`ConceptCaptioner`: captions of videos and pictures, from the output of a tag classifier for each frame."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Self, cast

import numpy as np
import numpy.typing as npt
import torch
from sklearn.base import BaseEstimator
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted
from torch import Tensor
from torch.nn import functional

from labelproof.data.bags import Bags
from labelproof.data.readers.captions import Captions
from labelproof.errors import BadInput
from labelproof.estimators.captioner.s2vt import S2VT
from labelproof.estimators.captioner.vocabulary import PAD, Vocabulary
from labelproof.saving.saveable import Saveable, params_of, plain_params
from labelproof.saving.state import State
from labelproof.training.checkpoint import arrays_of, tensors_of
from labelproof.training.loop import fit
from labelproof.training.options import Options
from labelproof.training.trainable import Batch, Step, Trainable, TrainingData
from labelproof.validation import AnyArray, ArrayLike, RandomState, accepts_seed, seed_from

BLOCK = 128  # videos that are captioned at a time


@accepts_seed
class ConceptCaptioner(Saveable, BaseEstimator):  # type: ignore[misc]
    """A captioner: S2VT turns the concept probabilities of each frame into a sentence.

    Parameters
    ----------
    hidden, concept_size, word_size : int, default=700, 700, 300
        Units of both LSTMs, and sizes of the embeddings.
    min_count : int, default=2
        Words in fewer captions are unknown.
    max_words : int, default=20
        Longer captions are cut.
    dropout : float, default=0.5
    epochs, batch_size : int, default=30, 64
        An epoch has every caption once, with its video.
    learning_rate : float, default=0.002
    random_state : int, RandomState instance or None, default=0
        The same number gives the same model on the same kind of machine.
    accelerator, precision : default="auto", "32-true"
        As Lightning Fabric names them.
    checkpoints : path, default=None
        A folder. A killed `fit` with the same data and options resumes from it.

    Attributes
    ----------
    vocabulary_ : Vocabulary
    n_concepts_ : int
    concepts_ : tuple of str
        Names of the concepts; empty if `fit` was not given any.
    network_ : S2VT

    See Also
    --------
    NoisyTagClassifier : Finds the concepts in each frame.
    caption_scores : How good captions are.

    References
    ----------
    Venugopalan et al. (2015), Sequence to sequence - video to text; Jiang et al. (2019), Learning from noisy labels with noise
    modeling network, section 3.4.

    Examples
    --------
    >>> import numpy as np, labelproof as lp
    >>> concepts = np.eye(3)[[[0, 1], [1, 2], [2, 0]]]               # three videos of two frames, three concepts
    >>> captions = [["a dog then a cat"], ["a cat then a bird"], ["a bird then a dog"]]
    >>> sizes = {"hidden": 32, "concept_size": 16, "word_size": 16}
    >>> captioner = lp.ConceptCaptioner(**sizes, min_count=1, dropout=0, learning_rate=0.02, epochs=150)
    >>> captioner.fit(concepts, captions).caption(concepts)
    ['a dog then a cat', 'a cat then a bird', 'a bird then a dog']
    """

    kind, made_by = "concept-captioner", "labelproof caption --captions"

    def __init__(
        self,
        *,
        hidden: int = 700,
        concept_size: int = 700,
        word_size: int = 300,
        min_count: int = 2,
        max_words: int = 20,
        dropout: float = 0.5,
        epochs: int = 30,
        batch_size: int = 64,
        learning_rate: float = 2e-3,
        random_state: RandomState = 0,
        accelerator: str = "auto",
        precision: str | int = "32-true",
        checkpoints: str | os.PathLike[str] | None = None,
    ) -> None:
        self.hidden = hidden
        self.concept_size = concept_size
        self.word_size = word_size
        self.min_count = min_count
        self.max_words = max_words
        self.dropout = dropout
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.random_state = random_state
        self.accelerator = accelerator
        self.precision = precision
        self.checkpoints = checkpoints

    def fit(
        self, concepts: ArrayLike, captions: Captions | Sequence[Sequence[str]], *, names: Sequence[str] | None = None
    ) -> ConceptCaptioner:
        """Train on videos and their captions.

        Parameters
        ----------
        concepts : array (n, frames, k), sequence of arrays (frames_i, k), or Bags
            Concept probabilities of each frame; a picture is a video of one frame.
        captions : Captions, or sequence of length n of sequences of str
            One or more for each video.
        names : sequence of length k, optional
            Names of the concepts; kept, so that inputs with other concepts are recognised.

        Returns
        -------
        ConceptCaptioner

        Raises
        ------
        BadInput
            For a video without frames or without a caption, or with unknown words only; the message names it.
        """
        frames, (videos, said) = self._frames(concepts), _named(captions)
        if len(frames) != len(said):
            raise BadInput(f"There are {len(frames)} videos but captions of {len(said)}. Give each video its captions.")
        for name, own in zip(videos, said, strict=True):
            if isinstance(own, str) or not any(text.strip() for text in own):
                raise BadInput(f"video {name!r} has no caption: {own!r}. Give a list of one or more, or remove the video.")
        self.n_concepts_ = int(frames.shape[2])
        self.concepts_ = tuple(map(str, names or ()))
        if self.concepts_ and len(self.concepts_) != self.n_concepts_:
            raise BadInput(
                f"There are {len(self.concepts_)} names but a frame has {self.n_concepts_} concepts. Give one name per concept."
            )
        self.vocabulary_ = Vocabulary.of((text for own in said for text in own), min_count=self.min_count)
        video = np.repeat(np.arange(len(said)), [len(own) for own in said])
        words = self.vocabulary_.encoded([text for own in said for text in own], self.max_words)
        known = (words != PAD).any(axis=1)
        unknown = np.setdiff1d(np.arange(len(said)), video[known])
        if len(unknown):
            raise BadInput(
                f"The captions of video {videos[unknown[0]]!r} have only unknown words ({len(unknown)} such videos): {said[unknown[0]]!r}. "
                f"Lower min_count, now {self.min_count}, or remove these videos."
            )
        seed = seed_from(self.random_state)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.network_ = self._network()
        flat = frames.reshape(-1, self.n_concepts_)
        self.network_.standardise(torch.from_numpy(flat[~np.isnan(flat).any(axis=1)]))
        data = TrainingData(cast(Tensor, _OfVideos(frames, video[known])), torch.from_numpy(words[known]))
        options = Options(
            epochs=self.epochs, batch_size=min(self.batch_size, len(data)), learning_rate=self.learning_rate, weight_decay=0.0,
            schedule="cosine", clip_norm=5.0, seed=seed, accelerator=self.accelerator, precision=self.precision,
        )  # fmt: skip
        folder = None if self.checkpoints is None else Path(self.checkpoints)
        elsewhere = ("checkpoints", "accelerator", "precision", "random_state")  # whose seed is among the options
        sizes = {name: value for name, value in self.get_params().items() if name not in elsewhere}
        identity = {"model": "concept-captioner", **sizes, "words": len(self.vocabulary_)}
        fit(_Captioning(self.network_), data, options, folder=folder, identity=identity)
        return self

    def _network(self) -> S2VT:
        return S2VT(
            self.n_concepts_, len(self.vocabulary_),
            hidden=self.hidden, concept_size=self.concept_size, word_size=self.word_size, dropout=self.dropout,
        )  # fmt: skip

    def _frames(self, concepts: ArrayLike) -> npt.NDArray[np.float32]:
        """Padded with NaN, shape (n, frames, k)."""
        bags = concepts if isinstance(concepts, Bags) else Bags.of(cast(Sequence[AnyArray], concepts))
        if bags.instances.ndim != 2:
            raise BadInput(f"A frame has shape {bags.instances.shape[1:]}. Give one vector of concept probabilities per frame.")
        return bags.padded()

    def caption(self, concepts: ArrayLike, *, beam: int = 5, length_penalty: float = 1.0) -> list[str]:
        """A caption of each video.

        Parameters
        ----------
        concepts : array (n, frames, k), sequence of arrays (frames_i, k), or Bags
        beam : int
            Number of captions pursued at once; 1 takes the best word each time.
        length_penalty : float
            Captions are ranked by ``log p / words ** length_penalty``.

        Returns
        -------
        list of str, length n
        """
        check_is_fitted(self, "network_")
        if beam < 1:
            raise BadInput(f"beam is {beam!r}. Give 1 or more.")
        frames = self._frames(concepts)
        if frames.shape[2] != self.n_concepts_:
            raise BadInput(
                f"A frame has {frames.shape[2]} concepts, but the captioner was trained with {self.n_concepts_}. Give the same concepts."
            )
        network, found = self.network_.eval(), []
        for start in range(0, len(frames), BLOCK):
            part = torch.from_numpy(frames[start : start + BLOCK])
            written = network.write(
                part, beam=min(beam, len(self.vocabulary_)), most=self.max_words, length_penalty=length_penalty
            )
            found += [self.vocabulary_.text(row) for row in written.tolist()]
        return found

    def to_state(self) -> State:
        """The fitted state, as JSON and arrays."""
        meta = {
            "params": plain_params(self, checkpoints=None),
            "words": list(self.vocabulary_.words),
            "n_concepts": self.n_concepts_,
            "concepts": list(self.concepts_),
        }
        return State(self.kind, meta, arrays_of(self.network_))

    @classmethod
    def from_state(cls, state: State) -> Self:
        """The same estimator again."""
        model = cls(**params_of(state))
        model.vocabulary_, model.n_concepts_ = Vocabulary(tuple(state.get("words", list))), state.get("n_concepts", int)
        model.concepts_ = tuple(state.get("concepts", list))
        model.network_ = model._network().eval()
        model.network_.load_state_dict(tensors_of(state.arrays))
        return model

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array, tags.input_tags.three_d_array = False, True  # videos, each of several frames
        tags.target_tags.required = True
        return tags


class _Captioning(Trainable):
    """Cross-entropy of every next word, an average over words."""

    def __init__(self, network: S2VT) -> None:
        super().__init__()
        self.network = network

    def loss(self, batch: Batch) -> Step:
        """``-log p(word | frames, words before)``."""
        words = batch.given[:, : int((batch.given != PAD).sum(dim=1).max())]
        logits = self.network(batch.x, words[:, :-1])
        cost = functional.cross_entropy(logits.flatten(0, 1), words[:, 1:].flatten(), ignore_index=PAD)
        return Step(cost, logits[:, 0])


class _OfVideos:
    """Frames of the video that each caption is of: rows of a tensor, without a copy for every caption."""

    dtype = torch.float32

    def __init__(self, frames: npt.NDArray[np.float32], video: npt.NDArray[np.int64]) -> None:
        self.frames, self.video = torch.from_numpy(frames), torch.from_numpy(video)
        self.shape = torch.Size((len(video), *frames.shape[1:]))

    def __len__(self) -> int:
        return len(self.video)

    def __getitem__(self, rows: Tensor | slice) -> Tensor:
        return self.frames[self.video[rows]]


def _named(captions: Captions | Sequence[Sequence[str]]) -> tuple[list[object], list[Sequence[str]]]:
    """Names of the videos, and their captions."""
    if isinstance(captions, Captions):
        return list(captions.ids), list(captions.captions)
    return list(range(len(captions))), list(captions)
