"""
Votes: which annotators are reliable
====================================

Five annotators vote on 600 items, three on each. One of them guesses. No true label is known.
"""

import matplotlib.pyplot as plt
import numpy as np

import labelproof as lp

rng = np.random.default_rng(0)
classes = np.array(["ant", "bee", "cat"])
true = classes[rng.integers(0, 3, 600)]
right = {"Ann": 0.95, "Bo": 0.85, "Cem": 0.75, "Dee": 0.6, "Eve": 1 / 3}
rows = [(i, name) for i in range(600) for name in rng.choice(list(right), 3, replace=False)]
label = [true[i] if rng.random() < right[name] else rng.choice(classes) for i, name in rows]
item, annotator = zip(*rows, strict=True)

# %%
# The audit finds the consensus of each item, and how reliable each annotator is.

votes = lp.Votes.from_long(item, annotator, label)
audit = lp.audit(votes)
found = audit.noise.quality.sort("quality")
print(found)
print("consensus right:", f"{(audit.items.sort('index')['consensus'].to_numpy() == true).mean():.1%}")

# %%
# Estimated reliability with its interval; crosses are the truth.

figure, axis = plt.subplots(figsize=(7, 3.4))
place = np.arange(found.height)
quality, low, high = (found[name].to_numpy() for name in ("quality", "low", "high"))
axis.errorbar(quality, place, xerr=[quality - low, high - quality], fmt="o", capsize=4, label="estimated, with interval")
truth = [right[name] + (1 - right[name]) / 3 for name in found["annotator"]]
axis.plot(truth, place, "x", color="tab:red", markersize=9, label="true")
axis.axvline(1 / 3, color="grey", linestyle=":", label="chance")
axis.set_yticks(place, found["annotator"].to_list())
axis.set(xlabel="share of an annotator's votes that are right", title="Eve guesses")
axis.legend(loc="lower right")
figure.tight_layout()
