"""Numeric kernels that several methods share."""
