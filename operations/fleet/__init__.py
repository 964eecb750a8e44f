"""Hundreds of homes: many stacks of about twenty, listed in one file and driven in parallel."""
