"""The same folds and fits on a Ray cluster."""

from labelproof.distributed.cluster import audit_on_ray, connect
from labelproof.distributed.shards import ray_map
from labelproof.distributed.writing import OnRay

__all__ = ["OnRay", "audit_on_ray", "connect", "ray_map"]
