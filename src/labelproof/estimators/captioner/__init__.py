"""Captions, and the concepts that they name."""
