"""Ranges of addresses, written "first-last", as the networks that they are made of."""

from __future__ import annotations

import ipaddress

import polars as pl

RANGE = r"^\s*\d{1,3}(?:\.\d{1,3}){3}\s*-\s*\d{1,3}(?:\.\d{1,3}){3}\s*$"


def as_networks(frame: pl.DataFrame) -> pl.DataFrame:
    """The rows with a range as their value once for each network of it; what is no range after all stays as it is."""
    if "value" not in frame.columns:
        return frame
    if not frame.select(pl.col("value").str.contains("-", literal=True).any()).item():
        return frame
    ranges = frame["value"].filter(frame["value"].str.contains(RANGE).fill_null(False)).unique()
    if not len(ranges):
        return frame
    parts = pl.DataFrame(
        {"value": ranges, "parts": [_networks(text) for text in ranges]},
        schema={"value": pl.String, "parts": pl.List(pl.String)},
    )
    frame = frame.join(parts, on="value", how="left", maintain_order="left").explode("parts")
    frame = frame.with_columns(pl.coalesce("parts", "value").alias("value"))
    if "kind" in frame.columns:
        frame = frame.with_columns(pl.when(pl.col("parts").is_null()).then("kind").alias("kind"))
    return frame.drop("parts")


def _networks(text: str) -> list[str]:
    first, _, last = text.partition("-")
    try:
        ends = ipaddress.IPv4Address(first.strip()), ipaddress.IPv4Address(last.strip())
        networks = list(ipaddress.summarize_address_range(*ends))
    except ValueError:
        return [text]
    return [str(each.network_address) if each.prefixlen == 32 else str(each) for each in networks]
