"""Explore the runs of studies: a widget for notebooks, and the page that `xmlwb app` serves."""

from __future__ import annotations

from xmlwb.explorer.run_explorer import RunExplorer, explore

__all__ = ["RunExplorer", "explore"]
