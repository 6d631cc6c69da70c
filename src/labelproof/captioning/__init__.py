"""Captions: the concepts they name."""
