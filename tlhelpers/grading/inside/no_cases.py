"""What stands in the box in place of `tlhelpers.lab_cases`: the answers to the lab's functions are not in there."""

CASES: dict = {}


def make_cases(*args, **kwargs):
    """There are no cases in the box."""
    raise LookupError("cases and their answers are not in the box")


reference = make_cases
