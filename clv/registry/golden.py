"""Verify a model in a process of its own, held to limits of time and memory.

A model that loads in the process that fitted it may not load anywhere else: what a method
is called, which package it needs, which file was forgotten shows only in a fresh one. And a
model from elsewhere is loaded there first: what ends that process does not end this one.
Run as ``python -m clv.registry.golden load MODEL`` or ``score MODEL ROWS PREDICTIONS``.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from clv.errors import ClvError, ModelError, RegistryError, listing
from clv.storage import TemporaryFolder

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

TIMEOUT_SECONDS = 300
MEMORY_BYTES = 2**33
"""Of addresses; what LightGBM, pandas and MLflow ask for without a model is a third of it."""
FILE_BYTES = 2**28
RELATIVE_TOLERANCE = 1e-9
SWITCHES = {
    "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false",
    "MLFLOW_DISABLE_SCHEMA_DETAILS": "true",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "OMP_WAIT_POLICY": "PASSIVE",
}
"""What the fresh process sets before it imports anything heavy."""


def first_load(parts: Path, where: str) -> None:
    """Load a model's data in a process of its own and let it score made-up rows.

    Parameters
    ----------
    parts : pathlib.Path
        Its text and JSON.
    where : str
        Where it comes from, for the message.

    Raises
    ------
    ModelError
        When it does not load, does not come to an end, or gives values that are no numbers.
    """
    try:
        done = _fresh("load", str(parts))
    except subprocess.TimeoutExpired as error:
        raise ModelError(
            f"{where}: its model did not load and score within {TIMEOUT_SECONDS} s. Nothing was "
            "registered. Train again, or ask its sender for another."
        ) from error
    if done.returncode:
        raise ModelError(f"{where}: its model is refused: {_reason(done)} Nothing was registered.")


def check(directory: Path, rows: pd.DataFrame, expected: pd.DataFrame, where: str) -> None:
    """Score golden rows in a fresh process and compare with what is expected.

    Parameters
    ----------
    directory : pathlib.Path
        The pyfunc's files, which this process wrote: what MLflow finds there it runs.
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
        try:
            done = _fresh("score", str(directory), str(given), str(scored))
        except subprocess.TimeoutExpired as error:
            raise RegistryError(
                f"{where}: did not load and score {len(rows)} rows within {TIMEOUT_SECONDS} s in "
                "a fresh process; it gets no alias. Try again on a machine with less load."
            ) from error
        if done.returncode:
            raise RegistryError(
                f"{where}: does not load in a fresh process: {_reason(done)} It gets no alias. "
                "Install clv and its locked requirements in this environment, and train again."
            )
        compare(pd.read_parquet(scored), expected, where)


def _fresh(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 (our own module, our own paths)
        [sys.executable, "-m", __name__, *arguments],
        capture_output=True,
        text=True,
        errors="replace",
        timeout=TIMEOUT_SECONDS,
        check=False,
    )


def _reason(done: subprocess.CompletedProcess[str]) -> str:
    if done.returncode < 0:
        return f"its process was ended by signal {-done.returncode}."
    return (done.stderr.strip().splitlines() or ["no message."])[-1]


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


def limited() -> None:
    """Hold this process to limits, and leave no dump of its memory behind."""
    limits = {
        resource.RLIMIT_AS: MEMORY_BYTES,
        resource.RLIMIT_CPU: TIMEOUT_SECONDS,
        resource.RLIMIT_FSIZE: FILE_BYTES,
        resource.RLIMIT_CORE: 0,
    }
    for kind, limit in limits.items():
        hard = resource.getrlimit(kind)[1]
        limit = limit if hard == resource.RLIM_INFINITY else min(limit, hard)  # noqa: PLW2901
        resource.setrlimit(kind, (limit, limit))


def load(model: str) -> None:
    """Load a model's data and score made-up rows.

    Raises
    ------
    ModelError
        When it is not a model of clv, or a score is no number.
    """
    from clv.models.lifetime_value import LifetimeModel
    from clv.registry.example import golden_rows

    fitted = LifetimeModel.load(Path(model))
    info = fitted.info
    with np.errstate(all="ignore"):
        rows = golden_rows(info.features, info.categories, info.training_cutoff)
        numbers = fitted.predict(rows).select_dtypes("number")
    strange = [name for name in numbers if np.isinf(numbers[name]).any()]
    # Whoever has not bought may have no value; all others have one.
    bought = numbers[rows["frequency"].notna()]
    strange += [name for name in ("clv", "typical_clv") if bought[name].isna().any()]
    if strange:
        raise ModelError(f"model: {listing(strange)} of made-up customers is no number.")


def score(model: str, rows: str, predictions: str) -> None:
    """Score a file of rows with a saved pyfunc into another file."""
    from clv.registry.tracking import predict_pyfunc

    scored = predict_pyfunc(Path(model), pd.read_parquet(rows))
    scored.to_parquet(predictions, index=False)


TASKS: Mapping[str, Callable[..., None]] = {"load": load, "score": score}


def main(task: str, *arguments: str) -> int:
    """Run one task within limits; an error of clv's own is one line."""
    limited()
    os.environ.update(SWITCHES)
    try:
        TASKS[task](*arguments)
    except ClvError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    except MemoryError:
        sys.stderr.write(f"it needs more than {MEMORY_BYTES:,} bytes of memory.\n")
        return ModelError.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
