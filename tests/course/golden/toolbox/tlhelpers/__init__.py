"""A package of the tests: it is read, and never imported."""
