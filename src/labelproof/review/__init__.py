"""A person re-checks."""

from labelproof.noise.votes import Consensus, cohen_kappa, dawid_skene, fleiss_kappa
from labelproof.review.plan.estimate import MeasurementPlan, estimate_error_rate, plan_measurement
from labelproof.review.plan.forecast import forecast

__all__ = [
    "Consensus",
    "MeasurementPlan",
    "cohen_kappa",
    "dawid_skene",
    "estimate_error_rate",
    "fleiss_kappa",
    "forecast",
    "plan_measurement",
]
