"""A toolbox of the tests."""
