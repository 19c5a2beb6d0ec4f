"""Makes addresses_v4.parquet, addresses_v6.parquet and addresses_names.parquet.

    python script/reference/addresses.py ASN_FOLDER REGISTRY_FOLDER GEO_FOLDER

The folders are the unpacked npm packages @ip-location-db/asn, asn-country and geo-whois-asn-country.
"""

from __future__ import annotations

import json
import re
import sys
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl

sys.path.insert(0, str(Path(__file__).parents[2] / "src"))
from tocsin.reference import addresses, ranges, special

LICENCE = "CC BY 4.0: NRO (nro.net), RouteViews (routeviews.org), DB-IP (db-ip.com), by way of ip-location-db"


def rows(folder: Path, family: str) -> pl.DataFrame:
    path = next(folder.glob(f"*-{family}-num.csv"))
    found = pl.read_csv(path, has_header=False, infer_schema=False)
    return found.rename(dict(zip(found.columns, ("first", "last", "value", "name"), strict=False)))


def layer(found: pl.DataFrame, family: str) -> ranges.Layer:
    if found["value"].str.contains(r"^\d+$").all():
        values = found["value"].cast(pl.UInt32).to_numpy()
    else:  # XK and the like are not in ISO 3166-1: no claim.
        values = np.array([addresses.COUNTRY_INDEX.get(code, 0) for code in found["value"]], dtype=np.uint32)
    if family == "ipv4":
        return ranges.layer_v4(
            found["first"].cast(pl.UInt64).to_numpy(), found["last"].cast(pl.UInt64).to_numpy(), values
        )
    return ranges.layer_v6([int(text) for text in found["first"]], [int(text) for text in found["last"]], values)


def believable(geo: ranges.Layer, registry: ranges.Layer) -> ranges.Layer:
    """The geolocation layer without stretches that swallow delegations to several countries.

    The source merges neighbours too far in IPv6: one stretch of a single country covers delegations to many.
    """
    starts, values = ranges.merged({"geo": geo, "registry": registry})
    stretch = np.searchsorted(geo.starts, starts, side="right") - 1
    claimed = values["registry"] > 0
    pairs = pl.DataFrame({"stretch": stretch[claimed], "country": values["registry"][claimed]})
    several = pairs.group_by("stretch").agg(pl.col("country").n_unique()).filter(pl.col("country") > 1)["stretch"]
    kept = geo.values.copy()
    kept[several.to_numpy()] = 0
    print(f"{len(several)} stretches of {len(kept)} dropped")
    return ranges.thinned(ranges.Layer(geo.starts, kept))


def main() -> None:
    folders = dict(zip(addresses.ATTRIBUTES, map(Path, sys.argv[1:4]), strict=True))
    read = {(name, family): rows(folder, family) for name, folder in folders.items() for family in ("ipv4", "ipv6")}
    layers = {key: layer(found, key[1]) for key, found in read.items()}
    layers["geo_country", "ipv6"] = believable(layers["geo_country", "ipv6"], layers["registry_country", "ipv6"])
    for name, family in layers:
        set_aside = special.special_v4() if family == "ipv4" else special.special_v6()
        layers[name, family] = ranges.cleared(layers[name, family], set_aside)
    names: dict[int, str] = {}
    for family in ("ipv6", "ipv4"):
        found = read["asn", family]
        names |= {int(number): name for number, name in zip(found["value"], found["name"], strict=True) if name}
    version = json.loads((folders["asn"] / "package.json").read_text("utf-8"))["version"]
    year, month, day = map(int, re.search(r"(\d{4})(\d{2})(\d{2})\d{2}$", version).groups())
    tables = addresses.AddressTables.of_layers(
        date(year, month, day),
        LICENCE,
        {name: layers[name, "ipv4"] for name in folders},
        {name: layers[name, "ipv6"] for name in folders},
        names,
    )
    tables.write(addresses.FOLDER, level=19)


if __name__ == "__main__":
    main()
