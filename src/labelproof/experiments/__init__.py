"""Experiments: one file each, ``run(...) -> table``."""
