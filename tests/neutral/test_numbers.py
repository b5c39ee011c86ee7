"""Numbers are written in one way in both languages, and a decimal comma is understood."""

import pytest

from tlhelpers.numbers import percent, read_answer, thousands


def test_a_percentage_has_a_point_and_a_space():
    assert percent(0.9531) == "95.3 %"
    assert percent(0.5, digits=0) == "50 %"


def test_thousands_are_parted_by_thin_spaces():
    assert thousands(999) == "999"
    assert thousands(1226914) == "1\u202f226\u202f914"


@pytest.mark.parametrize(("language", "says"), [("en", "with a point: 64.5, not 64,5"), ("es", "con punto: 64.5")])
def test_a_decimal_comma_is_read_and_told(language, says, capsys):
    assert read_answer((64, 5), language) == 64.5
    assert says in capsys.readouterr().out


def test_what_is_no_number_is_refused_and_nothing_yet_is_none():
    assert read_answer(...) is read_answer(None) is None
    assert read_answer(3) == 3.0
    with pytest.raises(TypeError, match="expected a number such as"):
        read_answer("64,5")
