"""MBG/NBD: customers may stop after the first purchase too.

References
----------
Batislam, Denizel & Filiztekin (2007), Int. J. of Research in Marketing 24.
"""

from __future__ import annotations

from typing import ClassVar

from clv.models.btyd.geometric import GeometricDropout


class ModifiedBetaGeo(GeometricDropout):
    """MBG/NBD, whose P(alive) tells customers who bought once apart."""

    name: ClassVar[str] = "mbg_nbd"
    flips: ClassVar[int] = 1
    prior: ClassVar[tuple[float, ...]] = (0.5, 0.2, 0.8, 1.6)
    one_time_buyers_alive: ClassVar[bool] = False
    reference: ClassVar[str] = "ModifiedBetaGeoFitter"
