"""What the noise layer of NNAQC does to the gradient, worked out exactly: beside cross-entropy and a linear noise layer.

Ten classes. The network calls an item class 0 with probability p, and the others alike; its label is class 0 (agrees) or 1 (does
not). W is a multiple of the identity: 2, as our training starts, or 5, when it has learned that few labels are wrong. A linear layer
has the transition ``softmax(W)``. Numbers are lengths of the gradient at the logits as shares of cross-entropy's; negative where the
logit of class 0 is drawn the other way. How diffuse the operators of the paper are, ``∂σ(t2) W ∂σ(t1)`` and ``σ(W) ∂σ(t1)``: the
effective share of their entries (exponential of the entropy of their sizes), mean over 1,000 draws of logits and of W around 2 I,
with half of the 95 % interval of the mean difference.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from _table import publish
from labelproof.experiments.record import half_interval
from labelproof.losses import cross_entropy, forward_correction, noise_aware, nonlinear_noise_aware_quasi_clustering

K, DRAWS = 10, 1_000
Loss = Callable[[Tensor, Tensor], Tensor]


def gradient(loss: Loss, p: float, label: int) -> Tensor:
    """At the logits of an item that is called class 0 with probability p, shape (K,)."""
    logits = torch.zeros(1, K, dtype=torch.float64)
    logits[0, 0] = torch.tensor(p * (K - 1) / (1 - p), dtype=torch.float64).log()
    logits.requires_grad_()
    loss(logits, torch.tensor([label])).sum().backward()
    assert logits.grad is not None
    return logits.grad[0]


def lengths() -> list[dict[str, object]]:
    rows: list[dict[str, object]] = []
    for scale in (2.0, 5.0):
        weight = scale * torch.eye(K, dtype=torch.float64)
        transition = weight.softmax(dim=1)
        losses: dict[str, Loss] = {
            "linear": lambda f, z, t=transition: forward_correction(f, z, t),
            "NNA": lambda f, z, w=weight: noise_aware(f, z, w),
            "NNAQC": lambda f, z, w=weight: nonlinear_noise_aware_quasi_clustering(f, z, w, 0.9, 0.5),
        }
        for label, what in ((1, "disagree"), (0, "agree")):
            for p in (0.5, 0.9, 0.99):
                plain = gradient(cross_entropy, p, label)
                row: dict[str, object] = {"what": f"W = {scale:g} I, {what}", "p": p, "cross-entropy": float(plain.norm())}
                for name, loss in losses.items():
                    own = gradient(loss, p, label)
                    row[name] = float(own.norm() / plain.norm() * torch.sign(own[0] * plain[0]))
                rows.append(row)
    return rows


def diffuse() -> list[dict[str, object]]:
    generator = torch.Generator().manual_seed(0)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    rows: list[dict[str, object]] = []
    for spread in (1.0, 2.0, 4.0):
        found = []
        for _ in range(DRAWS):
            weight = 2 * torch.eye(K, dtype=torch.float64) + 0.5 * normal(K, K)
            p = (spread * normal(K)).softmax(dim=0)
            linear = weight.softmax(dim=0) @ _jacobian(p)  # (given, true)
            nonlinear = _jacobian((weight @ p).softmax(dim=0)) @ weight @ _jacobian(p)
            found.append([_share(linear), _share(nonlinear)])
        shares = torch.tensor(found, dtype=torch.float64)
        mean, difference = shares.mean(dim=0), (shares[:, 1] - shares[:, 0]).numpy()
        rows.append({
            "what": f"effective share of entries, logits of spread {spread:g}", "p": None, "cross-entropy": None,
            "linear": float(mean[0]), "NNA": float(mean[1]), "NNAQC": None, "difference_half": half_interval(difference),
        })  # fmt: skip
    return rows


def _jacobian(p: Tensor) -> Tensor:
    return torch.diag(p) - torch.outer(p, p)


def _share(operator: Tensor) -> float:
    sizes = operator.abs().flatten() / operator.abs().sum()
    return float(torch.exp(-torch.xlogy(sizes, sizes).sum()) / len(sizes))


if __name__ == "__main__":
    publish("nnaqc_gradient", [*({**row, "difference_half": None} for row in lengths()), *diffuse()], __doc__ or "")
