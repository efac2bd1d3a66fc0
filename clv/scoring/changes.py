"""What moved between two score tables."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq

if TYPE_CHECKING:
    import pandas as pd

_COLUMNS = ["customer_id", "clv", "value_decile"]


@dataclass(frozen=True)
class Changes:
    """Two score tables, compared.

    Attributes
    ----------
    before, after : int
        Customers in each.
    entered, left : int
        Customers only in the later, only in the earlier.
    decile_up, decile_down : int
        Customers who moved between value deciles.
    clv_changed : int
        Customers whose clv is another number.
    total_before, total_after : float
        Sums of clv, in currency.
    """

    before: int
    after: int
    entered: int
    left: int
    decile_up: int
    decile_down: int
    clv_changed: int
    total_before: float
    total_after: float

    def as_dict(self) -> dict[str, Any]:
        """Return the comparison as JSON-able values."""
        return asdict(self)


def compare(earlier: str | Path, later: str | Path) -> Changes:
    """Compare two score files by customer.

    Parameters
    ----------
    earlier, later : str or pathlib.Path
        Two published score tables, in Parquet.
    """
    earlier, later = Path(earlier), Path(later)
    old, new = _read(earlier), _read(later)
    both = old.join(new, how="inner", lsuffix="_old", rsuffix="_new")
    # who has not bought may have no value: none before and none now is no change
    same = (both["clv_new"] == both["clv_old"]) | (both["clv_new"].isna() & both["clv_old"].isna())
    step = both["value_decile_new"] - both["value_decile_old"]
    return Changes(
        before=len(old),
        after=len(new),
        entered=len(new) - len(both),
        left=len(old) - len(both),
        decile_up=int((step > 0).sum()),
        decile_down=int((step < 0).sum()),
        clv_changed=int((~same).sum()),
        total_before=round(float(old["clv"].sum()), 4),
        total_after=round(float(new["clv"].sum()), 4),
    )


def _read(path: Path) -> pd.DataFrame:
    return pq.read_table(path, columns=_COLUMNS).to_pandas().set_index("customer_id")
