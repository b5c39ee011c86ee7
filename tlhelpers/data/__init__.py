"""Finds, fetches, audits, decodes and splits the pictures of the lessons."""
