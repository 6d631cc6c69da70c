"""The commands: thin; parse, call, print. Heavy imports stand inside them, so that ``labelproof --help`` answers at once."""

from labelproof.cli import audit, reproduce, small, training
from labelproof.cli.app import app, main

__all__ = ["app", "audit", "main", "reproduce", "small", "training"]
