"""Units of amplitude: everything behind a reader is in volts."""

from __future__ import annotations

VOLTS_PER_UNIT = {"v": 1.0, "mv": 1e-3, "uv": 1e-6, "µv": 1e-6, "μv": 1e-6, "nv": 1e-9}


def volts_per_unit(unit: str | float) -> float:
    """The factor from a unit to volts; case does not matter (some WFDB headers say `mv`).

    Args:
        unit: V, mV, uV, nV, or the number of volts that 1 in the file stands for (an ADC code's worth).

    Raises:
        ValueError: another name, or a number that is not positive.

    >>> volts_per_unit("mV")
    0.001
    """
    if isinstance(unit, str):
        factor = VOLTS_PER_UNIT.get(unit.strip().lower())
        if factor is None:
            raise ValueError(f"unit '{unit}' is not V, mV, uV, nV or a number of volts")
        return factor
    if not unit > 0:
        raise ValueError(f"unit {unit} is not a positive number of volts")
    return float(unit)
