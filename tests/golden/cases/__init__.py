"""The golden cases, by name: each takes an empty working directory and uses labelproof as its users do."""

from cases import applying, auditing, commands, generating, python, reviewing, training
from cases.case import CASES

__all__ = ["CASES", "applying", "auditing", "commands", "generating", "python", "reviewing", "training"]
