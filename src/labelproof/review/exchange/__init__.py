"""Decisions from elsewhere, and the repaired data set."""
