"""BG/NBD: customers may stop after each repeat purchase.

References
----------
Fader, Hardie & Lee (2005), "Counting your customers" the easy way, Marketing Science 24.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np
from scipy.special import betainc, betaln, gammaln

from clv.models.btyd.geometric import PARAMETERS, GeometricDropout

if TYPE_CHECKING:
    from collections.abc import Mapping


class BetaGeo(GeometricDropout):
    """BG/NBD. Whoever never bought again is alive by construction.

    Examples
    --------
    >>> import numpy as np
    >>> cdnow = {"r": 0.243, "alpha": 4.414, "a": 0.793, "b": 2.426}  # weeks
    >>> x, t_x, t = np.array([2.0]), np.array([30.43]), np.array([38.86])
    >>> alive = BetaGeo().p_alive(cdnow, x, t_x, t)
    >>> round(float((alive * BetaGeo().purchases_if_alive(cdnow, x, t, 39.0))[0]), 3)
    1.226
    """

    name: ClassVar[str] = "bg_nbd"
    flips: ClassVar[int] = 0
    prior: ClassVar[tuple[float, ...]] = (0.5, 0.2, 0.8, 2.5)
    one_time_buyers_alive: ClassVar[bool] = True
    reference: ClassVar[str] = "BetaGeoFitter"

    def count_probability(
        self, parameters: Mapping[str, float], count: np.ndarray, elapsed: float
    ) -> np.ndarray:
        """Return P(X(t) = n), finite for any n (FHL 2005 equation 8, in logarithms).

        Parameters
        ----------
        parameters : mapping of str to float
        count : ndarray of shape (n,)
            Repeat purchases.
        elapsed : float
            t, since the first purchase.
        """
        r, alpha, a, b = (parameters[name] for name in PARAMETERS)
        n = np.asarray(count, float)
        z = elapsed / (alpha + elapsed)
        log_z = np.log(z) if z > 0 else -np.inf
        stay = betaln(a, b + n) - betaln(a, b)
        with np.errstate(invalid="ignore"):
            powers = np.where(n > 0, n * log_z, 0.0)
        exactly = gammaln(r + n) - gammaln(r) - gammaln(n + 1) + r * np.log1p(-z) + powers
        at_least = betainc(np.maximum(n, 1), r, z)
        dropped = np.exp(betaln(a + 1, np.maximum(b + n - 1, 1e-300)) - betaln(a, b)) * at_least
        return np.exp(stay + exactly) + np.where(n > 0, dropped, 0.0)
