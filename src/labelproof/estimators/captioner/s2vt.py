"""S2VT: two stacked LSTMs read the frames of a video, then write a caption."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from labelproof.estimators.captioner.vocabulary import BEGIN, END, PAD, UNKNOWN

FLOOR = 0.01  # of a deviation: what hardly varies is not blown up
Pair = tuple[Tensor, Tensor]  # what an LSTM remembers, each (1, b, hidden)


class Memory(NamedTuple):
    """State of both LSTMs."""

    first: Pair
    second: Pair

    def rows(self, index: Tensor) -> Memory:
        """The state for some items, in another order, or for one several times."""
        return Memory(*((h[:, index], c[:, index]) for h, c in self))


class S2VT(nn.Module):
    """Frames first, then words, through the same two LSTMs.

    The first reads embedded concepts, then zeros; the second reads the output of the first, first with zeros, then with the
    word before. Videos of different length do not affect each other: the caption of a video does not depend on the batch.

    Parameters
    ----------
    n_concepts, n_words : int
    hidden : int
        Units of each LSTM.
    concept_size, word_size : int
        Sizes of the embeddings, learned with the rest.
    dropout : float
        Dropout of embeddings and of the output, in training.

    References
    ----------
    Venugopalan et al. (2015), Sequence to sequence - video to text; Jiang et al. (2019), Learning from noisy labels with noise
    modeling network, section 3.4.
    """

    mean: Tensor
    spread: Tensor

    def __init__(
        self,
        n_concepts: int,
        n_words: int,
        *,
        hidden: int = 700,
        concept_size: int = 700,
        word_size: int = 300,
        dropout: float = 0.5,
    ) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(n_concepts))
        self.register_buffer("spread", torch.ones(n_concepts))
        self.concepts = nn.Linear(n_concepts, concept_size)
        self.words = nn.Embedding(n_words, word_size, padding_idx=PAD)
        self.first = nn.LSTM(concept_size, hidden, batch_first=True)
        self.second = nn.LSTM(hidden + word_size, hidden, batch_first=True)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(hidden, n_words)
        for lstm in (self.first, self.second):  # remember at first: late words depend on early frames
            nn.init.ones_(lstm.get_parameter("bias_ih_l0").data[hidden : 2 * hidden])

    @torch.no_grad()
    def standardise(self, frames: Tensor) -> None:
        """Read concepts relative to their mean and deviation in these frames (m, k): many are rare, and all their probabilities small."""
        self.mean.copy_(frames.mean(dim=0))
        self.spread.copy_(frames.std(dim=0, correction=0) + FLOOR)

    def read(self, frames: Tensor) -> Memory:
        """The state after reading videos (b, m, k), whose missing frames are NaN and come last."""
        there = frames.isfinite().all(dim=2)  # (b, m)
        lengths = there.sum(dim=1).cpu()
        standard = (frames - self.mean) / self.spread
        embedded = self.dropout(self.concepts(torch.where(there[:, :, None], standard, 0.0)))
        packed, first = self.first(pack_padded_sequence(embedded, lengths, batch_first=True, enforce_sorted=False))
        seen, _ = pad_packed_sequence(packed, batch_first=True)
        silent = functional.pad(seen, (0, self.words.embedding_dim))  # no word yet
        _, second = self.second(pack_padded_sequence(silent, lengths, batch_first=True, enforce_sorted=False))
        return Memory(first, second)

    def say(self, memory: Memory, words: Tensor) -> tuple[Tensor, Memory]:
        """Logits (b, l, n_words) of the word after each of ``words`` (b, l), and the state afterwards."""
        nothing = memory.first[0].new_zeros(*words.shape, self.concepts.out_features)
        thought, first = self.first(nothing, memory.first)
        heard = torch.cat([thought, self.dropout(self.words(words))], dim=2)
        said, second = self.second(heard, memory.second)
        logits = self.head(self.dropout(said))
        return logits, Memory(first, second)

    def forward(self, frames: Tensor, words: Tensor) -> Tensor:
        """Logits of every next word, shape (b, l, n_words), given the true words before it (teacher forcing)."""
        logits, _ = self.say(self.read(frames), words)
        return logits

    @torch.no_grad()
    def write(self, frames: Tensor, *, beam: int = 1, most: int = 20, length_penalty: float = 1.0) -> Tensor:
        """The most probable captions found by beam search, shape (b, most), padded after the end.

        Parameters
        ----------
        frames : Tensor, shape (b, m, k)
        beam : int
            Captions that are pursued at once for each video; 1 takes the best word each time.
        most : int
            Words of a caption.
        length_penalty : float
            Finished captions are ranked by ``log p / words ** length_penalty``; 0 prefers short ones.
        """
        b = len(frames)
        memory = self.read(frames).rows(torch.arange(b, device=frames.device).repeat_interleave(beam))
        words = torch.full((b * beam, 1), BEGIN, device=frames.device)
        score = torch.full((b, beam), -torch.inf, device=frames.device)
        score[:, 0] = 0.0  # all beams are equal at first
        done = torch.zeros(b, beam, dtype=torch.bool, device=frames.device)
        for _ in range(most):
            logits, memory = self.say(memory, words[:, -1:])
            gain = _choices(logits[:, 0]).view(b, beam, -1)
            gain[done] = -torch.inf
            gain[..., PAD][done] = 0.0
            score, best = (score[..., None] + gain).flatten(1).topk(beam, dim=1)  # (b, beam)
            parent, word = best // gain.shape[2], best % gain.shape[2]
            rows = (parent + beam * torch.arange(b, device=frames.device)[:, None]).flatten()
            words = torch.cat([words[rows], word.view(-1, 1)], dim=1)
            memory = memory.rows(rows)
            done = done.gather(1, parent) | (word == END)
            if done.all():
                break
        words = words[:, 1:]
        length = (words != PAD).sum(dim=1).clamp_min(1).view(b, beam)
        chosen = (score / length**length_penalty).argmax(dim=1) + beam * torch.arange(b, device=frames.device)
        return functional.pad(words[chosen], (0, most - words.shape[1]), value=PAD)


def _choices(logits: Tensor) -> Tensor:
    """Log-probabilities of the next word; padding, the beginning and unknown words are never written."""
    allowed = logits.clone()
    allowed[:, [PAD, BEGIN, UNKNOWN]] = -torch.inf
    return functional.log_softmax(allowed, dim=1)
