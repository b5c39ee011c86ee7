"""Numbers as both languages of the course write them: 95.0 %, 1 226 914."""


def percent(fraction: float, digits: int = 1) -> str:
    """A fraction of 0 to 1 as a percentage, with a decimal point and a space: `percent(0.953)` is `95.3 %`."""
    return f"{100 * fraction:.{digits}f} %"


def thousands(count: int) -> str:
    """A whole number in groups of three, with thin spaces, as the SI writes it: `thousands(1226914)` is `1 226 914`."""
    return f"{count:,}".replace(",", "\u202f")
