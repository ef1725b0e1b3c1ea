"""Coscribe: a collaborative text editor that people host themselves."""
