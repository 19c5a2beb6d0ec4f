"""What costs memory is there when it is first used, not before: large libraries, and tables that need one.

A portal that shows pages and a worker that waits have no use for columns, yet many modules import what works on them.
Where `put_off` was called each of these gets a stand-in, which becomes the library at the first word asked of it.
"""

from __future__ import annotations

import importlib
import importlib.abc
import importlib.machinery
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import ModuleType
from typing import Any, Final, TypeVar

LARGE: Final = ("polars", "pyarrow", "typst", "PIL")
"""Libraries that a process which waits need not hold: together they are more than half of its memory."""
_LOCKS: Final = {family: threading.RLock() for family in LARGE}
_STAND_INS: Final[dict[str, _StandIn]] = {}
_TOLD_BEFORE: Final = frozenset({"__version__"})
Value = TypeVar("Value")


class Table(Mapping[str, Value]):
    """A table of names that is made when somebody first looks into it."""

    __slots__ = ("_made", "_make")

    def __init__(self, make: Callable[[], Mapping[str, Value]]) -> None:
        self._make = make
        self._made: Mapping[str, Value] | None = None

    def _table(self) -> Mapping[str, Value]:
        if self._made is None:  # Two threads may both make it: they make the same.
            self._made = self._make()
        return self._made

    def __getitem__(self, name: str) -> Value:
        return self._table()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._table())

    def __len__(self) -> int:
        return len(self._table())


class _StandIn(ModuleType):
    """In place of a library, or of a part of it, that nobody has used yet."""

    def __getattr__(self, name: str) -> Any:
        # Who looks through all modules, as `inspect` does, must not load them by it.
        if name.startswith("__") and name not in _TOLD_BEFORE and name not in self.__dict__:
            raise AttributeError(name)
        return getattr(_real(self.__name__), name)


class _PutsOff(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds a stand-in for every library that is put off and for its parts."""

    families: set[str]

    def __init__(self) -> None:
        self.families = set()

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname.partition(".")[0] not in self.families:
            return None
        return importlib.machinery.ModuleSpec(fullname, self, is_package=True)

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType:
        _STAND_INS[spec.name] = stand_in = _StandIn(spec.name)
        return stand_in

    def exec_module(self, module: ModuleType) -> None:
        """Nothing: that is the point."""


_FINDER: Final = _PutsOff()


def put_off(names: Sequence[str] = LARGE) -> None:
    """From now on these are loaded when they are used. Call it before anything imports them."""
    _FINDER.families |= {name for name in names if name not in sys.modules}
    if _FINDER not in sys.meta_path:
        sys.meta_path.insert(0, _FINDER)


def is_loaded(names: Sequence[str] = LARGE) -> bool:
    """Whether any of these is really there."""
    return any(name in sys.modules and not isinstance(sys.modules[name], _StandIn) for name in names)


def _real(name: str) -> ModuleType:
    """The library itself, for which all stand-ins of its family make room."""
    family = name.partition(".")[0]
    with _LOCKS[family]:
        if family in _FINDER.families:
            _FINDER.families.discard(family)
            put = {each: own for each, own in _STAND_INS.items() if each.partition(".")[0] == family}
            for each in put:
                sys.modules.pop(each, None)
            for each, stand_in in put.items():
                real = importlib.import_module(each)
                # What is asked for often is found at once from now on.
                stand_in.__dict__.update({key: own for key, own in vars(real).items() if not key.startswith("__")})
        return importlib.import_module(name)
