"""Writes the reference pages from the code: commands from click, file formats from the models."""
