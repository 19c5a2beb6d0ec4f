"""To whom a circular goes. Pure: choices and bureaus in, an audience out."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from tocsin.core.errors import InputError

ALL_MEMBERS = "all-members"


@dataclass(frozen=True, slots=True)
class Addressees:
    """What the sender chose."""

    is_everybody: bool = False
    countries: tuple[str, ...] = ()
    regions: tuple[str, ...] = ()
    """M49: whoever lies there at the moment of sending."""
    except_countries: tuple[str, ...] = ()


def audience_of(
    chosen: Addressees, bureaus: Mapping[str, Collection[str]], own: str, lies_in: Callable[[str, str], bool]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The audience and the exclusions. `bureaus`: country → slugs of its bureaus; `own`: the sender's country.

    A country stands for its bureau: it decides who of its units gets it. Raises InputError where nobody is chosen, a
    country has no bureau, or somebody is both chosen and left out.
    """
    left_out = set(chosen.except_countries)
    if own in left_out or left_out & set(chosen.countries):
        raise InputError("invalid-object", field="except_countries", excerpt=", ".join(sorted(left_out)))
    missing = sorted(code for code in (*chosen.countries, *left_out) if code not in bureaus)
    if missing:
        raise InputError("not-a-country", field="countries", excerpt=", ".join(missing))
    excluded = tuple(sorted(f"country:{code}" for code in left_out))
    if chosen.is_everybody:
        if not set(bureaus) - left_out - {own}:
            raise InputError("missing-field", field="countries")
        return (ALL_MEMBERS,), excluded
    countries = set(chosen.countries)
    countries |= {code for code in bureaus for region in chosen.regions if lies_in(code, region)}
    slugs = {slug for code in countries - left_out - {own} for slug in bureaus[code]}
    if not slugs:
        raise InputError("missing-field", field="countries")
    return tuple(sorted(slugs)), excluded
