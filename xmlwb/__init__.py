"""Extreme multi-label classification: a workbench to teach and study it."""

__version__ = "0.1.0"
