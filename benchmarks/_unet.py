"""A small U-Net for the benchmark of masks, trained out of fold on masks as they are given."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

WIDTHS = (32, 64, 96)
POOLED = 4  # pixels on either side that go into one
EPOCHS = {"cpu": 20, "cuda": 60}
BATCH = 8
MULTIPLE = POOLED * 2 ** (len(WIDTHS) - 1)  # of the sides of what the network takes


class Block(nn.Sequential):
    """Two convolutions."""

    def __init__(self, before: int, after: int) -> None:
        def one(channels: int) -> list[nn.Module]:
            return [nn.Conv2d(channels, after, 3, padding=1, bias=False), nn.BatchNorm2d(after), nn.ReLU(inplace=True)]

        super().__init__(*one(before), *one(after))


class UNet(nn.Module):
    """Works at a quarter of the resolution; the logits are enlarged."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.down = nn.ModuleList(Block(a, b) for a, b in zip((3 * POOLED**2, *WIDTHS[:-1]), WIDTHS, strict=True))
        pairs = list(zip(WIDTHS[:0:-1], WIDTHS[-2::-1], strict=True))
        self.up = nn.ModuleList(Block(a + b, b) for a, b in pairs)
        self.head = nn.Conv2d(WIDTHS[0], classes, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:  # (b, 3, h, w)
        size = x.shape[-2:]
        x, skipped = F.pixel_unshuffle(x, POOLED), []
        for block in self.down:
            x = block(x if not skipped else F.max_pool2d(x, 2))
            skipped.append(x)
        for block, skip in zip(self.up, skipped[-2::-1], strict=True):
            x = block(torch.cat([F.interpolate(x, scale_factor=2), skip], 1))
        return F.interpolate(self.head(x), size=size, mode="bilinear", align_corners=False)  # (b, k, h, w)


def out_of_fold(pictures: np.ndarray, given: np.ndarray, fold: np.ndarray, k: int, void: int, seed: int) -> np.ndarray:
    """Probabilities of pictures by networks that did not see their fold, in 255ths.

    Parameters
    ----------
    pictures : ndarray of uint8, shape (n, h, w, 3)
    given : ndarray of int, shape (n, h, w)
    fold : ndarray of int, shape (n,)

    Returns
    -------
    ndarray of uint8, shape (n, k, h, w)
    """
    found = np.zeros((len(pictures), k, *given.shape[1:]), np.uint8)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    x, height, width = _padded(pictures), *given.shape[1:]
    for number in np.unique(fold).tolist():
        rows, others = np.flatnonzero(fold == number), np.flatnonzero(fold != number)
        model = _trained(x[others], torch.from_numpy(given[others].astype(np.int64)), k, void, device, seed)
        with torch.inference_mode():
            for part in np.array_split(rows, max(1, len(rows) // BATCH)):
                logits = model(x[part].to(device))[..., :height, :width]
                found[part] = (255 * logits.softmax(1)).round().to(torch.uint8).cpu().numpy()
    return found


def _padded(pictures: np.ndarray) -> torch.Tensor:
    x = torch.from_numpy(pictures).permute(0, 3, 1, 2).float()
    x = (x - x.mean((0, 2, 3), keepdim=True)) / x.std((0, 2, 3), keepdim=True)
    bottom, right = (-side % MULTIPLE for side in x.shape[-2:])
    return F.pad(x, (0, right, 0, bottom), mode="replicate")


def _trained(x: torch.Tensor, y: torch.Tensor, k: int, void: int, device: str, seed: int) -> nn.Module:
    torch.manual_seed(seed)
    model = UNet(k).to(device)
    y = F.pad(y, (0, x.shape[-1] - y.shape[-1], 0, x.shape[-2] - y.shape[-2]), value=void)
    epochs, batches = EPOCHS[device], len(x) // BATCH
    best = torch.optim.AdamW(model.parameters(), 5e-3, weight_decay=1e-2)
    plan = torch.optim.lr_scheduler.OneCycleLR(best, 5e-3, total_steps=epochs * batches)
    for _ in range(epochs):
        order = torch.randperm(len(x))
        for part in order[: batches * BATCH].split(BATCH):
            some, wanted = x[part].to(device), y[part].to(device)
            some = some * (1 + 0.2 * torch.randn(len(part), 1, 1, 1, device=device)) + 0.2 * torch.randn(
                len(part), 3, 1, 1, device=device
            )
            if torch.rand(1) < 0.5:
                some, wanted = some.flip(-1), wanted.flip(-1)
            loss = F.cross_entropy(model(some), wanted, ignore_index=void)
            best.zero_grad()
            loss.backward()
            best.step()
            plan.step()
    return model.eval()
