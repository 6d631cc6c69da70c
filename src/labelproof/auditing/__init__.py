"""Which labels are wrong."""

from labelproof.auditing.audit import audit
from labelproof.auditing.default_models import default_model
from labelproof.auditing.findings import Audit, ErrorRate
from labelproof.auditing.out_of_sample import out_of_sample_probs

__all__ = ["Audit", "ErrorRate", "audit", "default_model", "out_of_sample_probs"]
