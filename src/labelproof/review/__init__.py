"""A person re-checks."""

from labelproof.review.consensus import Consensus, cohen_kappa, dawid_skene, fleiss_kappa

__all__ = ["Consensus", "cohen_kappa", "dawid_skene", "fleiss_kappa"]
