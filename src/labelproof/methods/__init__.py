"""Ways to train on noisy labels."""

from labelproof.methods.rank_pruning import RankPruning

__all__ = ["RankPruning"]
