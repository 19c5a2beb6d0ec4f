"""All countries' scopes at once: which rows of a chunk go into which country's share, and what is blanked there.

The scopes become tables of numbers, looked up by country and batch: a million rows cost a fraction of a second.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from tocsin.core.words import VICTIM_LIKE
from tocsin.lake.scope import HIDDEN_WITH_PEER, Batches, Scope

PACKAGE = "_package"
_VICTIMS = {role.value for role in VICTIM_LIKE}
_Flags = npt.NDArray[np.bool_]
_Numbers = npt.NDArray[np.intp]

HIDDEN_ABROAD = ("hostname", "extra", "note")
"""Blanked on a row from abroad: a host there may carry its victims' data."""


class _Side(NamedTuple):
    """Rows of a chunk for the packages of one side: where the value is, or who was aimed at."""

    rows: _Numbers
    packages: _Numbers
    hide_peer: _Flags
    abroad: _Flags


class Gate:
    """Whose scope opens which batch. Opens chunk after chunk and remembers which batches took part."""

    def __init__(self, scopes: Mapping[str, Scope], territories: Mapping[str, str]) -> None:
        """`territories`: code of a territory → the country whose package its rows join."""
        self.countries = tuple(scopes)
        self.place = {code: place for place, code in enumerate(self.countries)}
        for territory, code in territories.items():
            if code in self.place:
                self.place.setdefault(territory, self.place[code])
        empty = np.zeros(0, np.int64)
        every = np.unique(np.concatenate([empty, *(scope.batches.numbers for scope in scopes.values())]))
        self.batches = every
        # One past the end for a batch that nobody may see, as the last of this table is, and those beyond it.
        self.place_of_batch = np.full(int(every.max(initial=0)) + 2, len(every), np.intp)
        self.place_of_batch[self.batches] = np.arange(len(every))
        sets: dict[tuple[Batches, Batches], int] = {}
        self.set_of = np.array(
            [sets.setdefault((scope.batches, scope.own_batches), len(sets)) for scope in scopes.values()], np.intp
        )
        self.open_batches = np.zeros((len(sets), len(every) + 1), bool)
        self.own_batches = np.zeros((len(sets), len(every) + 1), bool)
        for (opened, own), number in sets.items():
            self.open_batches[number, np.searchsorted(self.batches, opened.numbers)] = True
            self.own_batches[number, np.searchsorted(self.batches, (own & opened).numbers)] = True
        self.desks = np.array([scope.all_victims for scope in scopes.values()], bool)
        # A package shows the victims of its own country only, however many countries the viewer may see.
        self.own_victims = np.array([code in scope.victim_countries for code, scope in scopes.items()], bool)
        self._seen = np.zeros((len(scopes), len(every) + 1), bool)

    def batches_seen(self, package: int) -> frozenset[int]:
        """The batches that have rows in this package."""
        return frozenset(self.batches[np.flatnonzero(self._seen[package, :-1])].tolist())

    def open(
        self, chunk: pl.DataFrame, countries: Sequence[str], roles: Sequence[str], peer_roles: Sequence[str]
    ) -> pl.DataFrame | None:
        """The rows of every package in this chunk, by package number in PACKAGE; None where there are none.

        Columns of countries and roles are numbered; the lists are their words.
        """
        batch = self.place_of_batch.take(chunk["batch"].to_numpy(), mode="clip")
        if (batch == len(self.batches)).all():
            return None
        package_of = np.array([self.place.get(code, -1) for code in countries] + [-1], np.intp)
        located = _numbers(chunk, "country", len(countries))
        aimed = _numbers(chunk, "target_country", len(countries))
        victim = _victim_flags(roles, empty=True)[_numbers(chunk, "role", len(roles))]
        # A side without a stated role may be anybody's machine.
        peer_victim = _victim_flags(peer_roles, empty=True)[_numbers(chunk, "peer_role", len(peer_roles))]
        peer_victim &= chunk["peer"].is_not_null().to_numpy()
        peer_package = package_of[_numbers(chunk, "peer_country", len(countries))]
        home = package_of[located]
        target = np.where(package_of[aimed] == home, -1, package_of[aimed])
        sides = [
            self._side(packages, is_home, batch, victim, peer_victim, peer_package)
            for packages, is_home in ((home, True), (target, False))
        ]
        rows, packages, hide_peer, abroad = (np.concatenate(each) for each in zip(*sides, strict=True))
        if not len(rows):
            return None
        order = np.argsort(packages.astype(np.uint16), kind="stable")
        rows, packages = rows[order], packages[order]
        self._seen[packages, batch[rows]] = True
        return _blanked(chunk[rows.astype(np.uint32)], hide_peer[order], abroad[order]).with_columns(
            pl.Series(PACKAGE, packages.astype(np.int32))
        )

    def _side(
        self,
        packages: _Numbers,
        is_home: bool,
        batch: _Numbers,
        victim: _Flags,
        peer_victim: _Flags,
        peer_package: _Numbers,
    ) -> _Side:
        rows = np.flatnonzero(packages >= 0)
        package, place = packages[rows], batch[rows]
        number = self.set_of[package]
        free = self.own_batches[number, place] | self.desks[package]
        keep = self.open_batches[number, place] & (~victim[rows] | free)
        if is_home:
            keep |= self.open_batches[number, place] & self.own_victims[package]
        rows, package, free = rows[keep], package[keep], free[keep]
        hide_peer = peer_victim[rows] & ~((peer_package[rows] == package) & self.own_victims[package]) & ~free
        abroad = np.zeros(len(rows), bool) if is_home else ~free
        return _Side(rows, package, hide_peer, abroad)


def _numbers(chunk: pl.DataFrame, name: str, empty: int) -> _Numbers:
    return chunk[name].to_physical().cast(pl.UInt32).fill_null(empty).to_numpy()


def _victim_flags(words: Sequence[str], *, empty: bool) -> _Flags:
    return np.array([word in _VICTIMS for word in words] + [empty], bool)


def _blanked(frame: pl.DataFrame, hide_peer: _Flags, abroad: _Flags) -> pl.DataFrame:
    flags = {name: pl.Series(~hide_peer) for name in HIDDEN_WITH_PEER}
    for name in HIDDEN_ABROAD:
        flags[name] = pl.Series(~(abroad | hide_peer if name in HIDDEN_WITH_PEER else abroad))
    return frame.with_columns(
        pl.when(pl.lit(flag)).then(pl.col(name)).alias(name)
        for name, flag in flags.items()
        if name in frame.columns and frame[name].null_count() < frame.height and not flag.all()
    )
