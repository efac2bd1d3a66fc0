"""Verify a registered model in a process of its own.

A model that loads in the process that fitted it may not load anywhere else: what a method
is called, which package it needs, which file was forgotten shows only in a fresh one.
Run as ``python -m clv.registry.golden MODEL ROWS PREDICTIONS``.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from clv.errors import RegistryError, listing
from clv.storage import TemporaryFolder

if TYPE_CHECKING:
    from collections.abc import Sequence

TIMEOUT_SECONDS = 300
RELATIVE_TOLERANCE = 1e-9
SWITCHES = {
    "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false",
    "MLFLOW_DISABLE_SCHEMA_DETAILS": "true",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "OMP_WAIT_POLICY": "PASSIVE",
}
"""What the fresh process sets before it imports anything heavy."""


def check(directory: Path, rows: pd.DataFrame, expected: pd.DataFrame, where: str) -> None:
    """Score golden rows in a fresh process and compare with what is expected.

    Parameters
    ----------
    directory : pathlib.Path
        The pyfunc's files.
    rows : DataFrame
        What to score.
    expected : DataFrame
        What the model gave in this process.
    where : str
        The version's address, for the message.

    Raises
    ------
    RegistryError
        When it does not load, does not score, or scores otherwise.
    """
    with TemporaryFolder("clv-golden-") as folder:
        given, scored = folder / "rows.parquet", folder / "scored.parquet"
        rows.to_parquet(given, index=False)
        command = [sys.executable, "-m", __name__, str(directory), str(given), str(scored)]
        try:
            done = subprocess.run(  # noqa: S603 (our own module, our own paths)
                command, capture_output=True, text=True, timeout=TIMEOUT_SECONDS, check=False
            )
        except subprocess.TimeoutExpired as error:
            raise RegistryError(
                f"{where}: did not load and score {len(rows)} rows within {TIMEOUT_SECONDS} s in "
                "a fresh process; it gets no alias. Try again on a machine with less load."
            ) from error
        if done.returncode:
            reason = (done.stderr.strip().splitlines() or ["no message"])[-1]
            raise RegistryError(
                f"{where}: does not load in a fresh process: {reason} It gets no alias. Install "
                "clv and its locked requirements in this environment, and train again."
            )
        compare(pd.read_parquet(scored), expected, where)


def compare(found: pd.DataFrame, expected: pd.DataFrame, where: str) -> None:
    """Refuse predictions that differ: other columns, other words, or numbers beyond 1e-9.

    Raises
    ------
    RegistryError
        Naming the columns that differ.
    """
    differing: Sequence[str] = sorted(set(found.columns) ^ set(expected.columns))
    if not differing:
        differing = [
            str(name)
            for name in expected.columns
            if not _same(found[name].reset_index(drop=True), expected[name].reset_index(drop=True))
        ]
    if differing:
        raise RegistryError(
            f"{where}: column {listing(differing)} differs between the training process and a "
            "fresh one; it gets no alias. Train again with the locked requirements."
        )


def _same(found: pd.Series, expected: pd.Series) -> bool:
    if pd.api.types.is_numeric_dtype(expected) and not pd.api.types.is_bool_dtype(expected):
        a, b = found.to_numpy(float, na_value=np.nan), expected.to_numpy(float, na_value=np.nan)
        return bool(np.allclose(a, b, rtol=RELATIVE_TOLERANCE, atol=1e-9, equal_nan=True))
    return bool(((found == expected) | (found.isna() & expected.isna())).all())


def main(model: str, rows: str, predictions: str) -> None:
    """Score a file of rows with a saved pyfunc into another file."""
    os.environ.update(SWITCHES)
    from clv.registry.tracking import predict_pyfunc

    scored = predict_pyfunc(Path(model), pd.read_parquet(rows))
    scored.to_parquet(predictions, index=False)


if __name__ == "__main__":
    main(*sys.argv[1:])
