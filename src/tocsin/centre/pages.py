"""Lists that are read page by page, each from where the last one ended."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

Row = TypeVar("Row")


@dataclass(frozen=True, slots=True)
class Page(Generic[Row]):
    """A keyset page: `first` when it is not the first one, `next` the cursor of the following one."""

    rows: list[Row]
    first: bool = False
    next: str = ""
