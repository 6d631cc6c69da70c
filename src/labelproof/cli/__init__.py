"""The commands: thin; parse, call, print. Heavy imports stand inside them, so that ``labelproof --help`` answers at once."""

# isort: off
# the sections of the help stand in this order
from labelproof.cli import audit
from labelproof.cli import review, pipelines
from labelproof.cli import training, captioning
from labelproof.cli import small, reproduce, cache
from labelproof.cli import shared
from labelproof.cli.shared import app, main
# isort: on

__all__ = ["app", "audit", "cache", "captioning", "main", "pipelines", "reproduce", "review", "shared", "small", "training"]
