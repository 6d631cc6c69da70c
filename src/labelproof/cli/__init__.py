"""The commands: thin; parse, call, print. Heavy imports stand inside them, so that ``labelproof --help`` answers at once."""

from labelproof.cli import audit, cache, captioning, pipelines, reproduce, review, shared, small, training
from labelproof.cli.shared import app, main

__all__ = ["app", "audit", "cache", "captioning", "main", "pipelines", "reproduce", "review", "shared", "small", "training"]
