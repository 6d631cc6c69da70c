"""The same folds and fits on a Ray cluster."""

from labelproof.distributed.cluster import audit_on_ray, connect, ray_map

__all__ = ["audit_on_ray", "connect", "ray_map"]
