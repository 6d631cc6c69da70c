"""
Spans: entities that are missing, cut short, or of another type
===============================================================

Sentences with people and places, in which some entities are annotated wrongly.
"""

import matplotlib.pyplot as plt
import numpy as np
import polars as pl

import labelproof as lp

rng = np.random.default_rng(0)
people, places = ["Ann Lee", "Bo Lind", "Cem Kaya", "Dee Fox"], ["Rome", "New York", "Oslo", "Cape Town"]
tokens, right = [], []
for _ in range(400):
    person, place = rng.choice(people).split(), rng.choice(places).split()
    tokens.append([*person, "flew", "to", *place, "yesterday"])
    entity = [["B-" + kind] + ["I-" + kind] * (len(own) - 1) for kind, own in (("PER", person), ("LOC", place))]
    right.append([*entity[0], "O", "O", *entity[1], "O"])

# %%
# We make some annotations wrong, and assume the probabilities of a good tagger.

noisy = lp.simulate.spans(right, 0.08, tokens=tokens, random_state=0)
names = sorted({tag for own in right for tag in own})
probs = [np.array([[0.93 if tag == name else 0.07 / (len(names) - 1) for name in names] for tag in own]) for own in right]
audit = lp.audit(lp.Spans(tokens, noisy.labels), probs)
found = audit.issues.filter(pl.col("error_probability") > 0.5)
for row in found.head(6).iter_rows(named=True):
    words = tokens[row["index"]]
    given = " ".join(words[row["start"] : row["end"]]) if row["given_label"] else "-"
    meant = " ".join(words[row["suggested_start"] : row["suggested_end"]]) if row["suggested_label"] else "-"
    print(f"{row['kind']:9} {given} ({row['given_label']}) -> {meant} ({row['suggested_label']})")

# %%
# What kinds of error there are.

counts = found["kind"].value_counts().sort("count")
figure, axis = plt.subplots(figsize=(6.5, 2.8))
axis.barh(counts["kind"].to_list(), counts["count"].to_list())
axis.set(xlabel="findings", title=f"{found.height} wrong spans in {len(tokens)} sentences")
figure.tight_layout()
