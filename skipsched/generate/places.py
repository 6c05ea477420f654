"""Real towns, and how long light takes between them."""

from __future__ import annotations

import math
from typing import NamedTuple


class Place(NamedTuple):
    """A town and its coordinates in degrees, north and east."""

    name: str
    latitude: float
    longitude: float


#: Where volunteers live.
TOWNS = (
    Place("Porto", 41.15, -8.61),
    Place("Seville", 37.39, -5.98),
    Place("Lyon", 45.76, 4.84),
    Place("Turin", 45.07, 7.69),
    Place("Graz", 47.07, 15.44),
    Place("Leipzig", 51.34, 12.37),
    Place("Leeds", 53.80, -1.55),
    Place("Utrecht", 52.09, 5.12),
    Place("Aarhus", 56.16, 10.20),
    Place("Gothenburg", 57.71, 11.97),
    Place("Tampere", 61.50, 23.76),
    Place("Krakow", 50.06, 19.94),
    Place("Brno", 49.20, 16.61),
    Place("Boise", 43.62, -116.20),
    Place("Austin", 30.27, -97.74),
    Place("Denver", 39.74, -104.99),
    Place("Pittsburgh", 40.44, -80.00),
    Place("Atlanta", 33.75, -84.39),
    Place("Halifax", 44.65, -63.57),
    Place("Curitiba", -25.43, -49.27),
    Place("Cordoba", -31.42, -64.18),
    Place("Osaka", 34.69, 135.50),
    Place("Busan", 35.18, 129.08),
    Place("Adelaide", -34.93, 138.60),
)
#: Where data centres stand.
DATA_CENTRES = (
    Place("Ashburn", 39.04, -77.49),
    Place("Dallas", 32.78, -96.80),
    Place("Hillsboro", 45.52, -122.99),
    Place("Montreal", 45.50, -73.57),
    Place("Dublin", 53.35, -6.26),
    Place("Frankfurt", 50.11, 8.68),
    Place("Paris", 48.86, 2.35),
    Place("Stockholm", 59.33, 18.07),
    Place("Tokyo", 35.68, 139.69),
    Place("Singapore", 1.35, 103.82),
)

_EARTH_RADIUS = 6371.0
#: Kilometres a second in glass, and how much longer cables are than the way of a bird.
_IN_GLASS = 200_000.0
_DETOUR = 1.6
#: What the comment of a topology says of it.
LIGHT = (
    f"light in cables {_DETOUR:g} times as long as the great circle between the towns, at "
    f"{_IN_GLASS / 1000:.0f} km a millisecond"
)


def latency(here: Place, there: Place) -> float:
    """Seconds, one way, that light takes from one place to another."""
    return _DETOUR * _distance(here, there) / _IN_GLASS


def _distance(here: Place, there: Place) -> float:
    """Kilometres along the great circle: the haversine formula."""
    a, b = math.radians(here.latitude), math.radians(there.latitude)
    turn = math.radians(there.longitude - here.longitude)
    half = math.sin((b - a) / 2) ** 2 + math.cos(a) * math.cos(b) * math.sin(turn / 2) ** 2
    return 2 * _EARTH_RADIUS * math.asin(math.sqrt(half))
