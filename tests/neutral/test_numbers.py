"""Numbers are written in one way in both languages."""

from tlhelpers.numbers import percent, thousands


def test_a_percentage_has_a_point_and_a_space():
    assert percent(0.9531) == "95.3 %"
    assert percent(0.5, digits=0) == "50 %"


def test_thousands_are_parted_by_thin_spaces():
    assert thousands(999) == "999"
    assert thousands(1226914) == "1\u202f226\u202f914"
