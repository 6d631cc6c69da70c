"""Decisions of reviewers, and the data that they are about."""
