"""Kinds of label: one file a kind."""
