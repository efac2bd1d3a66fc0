"""MLflow: the one module that imports it.

It is imported inside the functions, since importing it takes a second and sets filters.
Everything goes through a client with explicit addresses, since MLflow's fluent calls keep
the address, the active run and the experiment in the process. A model is written by
"models from code": a three-line entry and data files, nothing pickled.
"""

from __future__ import annotations

import itertools
import json
import time
import warnings
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from clv.errors import ClvError, RegistryError, storing
from clv.foreign import raised_outside, reason
from clv.registry.address import locked, reach, shown, sqlite_path, unreachable
from clv.registry.digests import ENTRY, ENVELOPE, PARTS, check_types
from clv.registry.example import HISTORY, golden_rows
from clv.registry.version import number_of
from clv.registry.wheel import wheel_name, write_wheel
from clv.storage import TemporaryFolder, partial, remove_file, whole

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from mlflow import MlflowClient
    from mlflow.models import ModelSignature

    from clv.models.lifetime_value import LifetimeModel
    from clv.models.model_info import ModelInfo
    from clv.registry.version import RunFacts, Version

PACKAGES = ("lightgbm", "numpy", "pandas", "pyarrow", "scipy", "scikit-learn")
"""What a process needs to score, besides clv and MLflow."""

_ARTIFACT = PARTS.rpartition("/")[2]
_MODEL_FOLDER = "model"
_PICTURE_FOLDER = "pictures"
_DIGEST_CHARACTERS = 36
"""What MLflow's store keeps of a dataset's digest."""
_METRICS_PER_CALL = 1000
_OTHERS_PER_CALL = 100
_PARAMETER_CHARACTERS = 6000


def offer() -> None:
    """Tell MLflow what the entry file is about: a feature table in, the score columns out."""
    from mlflow.models import set_model
    from mlflow.pyfunc import PythonModel

    from clv.models.lifetime_value import LifetimeModel
    from clv.registry.serving import served

    class Scorer(PythonModel):
        """Scores a feature table for one as_of; MLflow finds the methods by their names."""

        def load_context(self, context: Any) -> None:
            self.model = LifetimeModel.load(Path(context.artifacts[_ARTIFACT]))

        def predict(self, context: Any, model_input: pd.DataFrame, params: Any = None) -> Any:  # noqa: ARG002
            return served(self.model, model_input)

    set_model(Scorer())


@contextmanager
def refusals(uri: str) -> Iterator[None]:
    """Turn what MLflow and the database raise into one line that names the store."""
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    place = shown(uri)
    try:
        with storing(place):
            yield
    except MlflowException as error:
        text = reason(error)
        advice = (
            "Back the database up, then run `mlflow db upgrade`."
            if "out-of-date database schema" in text
            else "Check the tracking address and that the store is up."
        )
        raise RegistryError(f"registry {place}: {text} {advice}") from error
    except SQLAlchemyError as error:
        raise unreachable(place, error) from error
    except (ClvError, OSError, MemoryError):
        raise
    except Exception as error:
        # A server or a database that answers with something else than MLflow expects.
        if not raised_outside(error):
            raise
        raise RegistryError(
            f"registry {place}: its answer cannot be used: {type(error).__name__}. Check the "
            "tracking address and what runs there."
        ) from error


def connect(uri: str) -> MlflowClient:
    """Open a store, creating an SQLite one if it is not there yet.

    Raises
    ------
    RegistryError
        When nobody answers, or the address is not a store.
    LockError
        When another process does not finish creating it.
    """
    from mlflow import MlflowClient

    reach(uri)
    with locked(uri), refusals(uri):
        if (path := sqlite_path(uri)) is not None and not path.exists():
            _create(path)
        client = MlflowClient(tracking_uri=uri, registry_uri=uri)
        client.search_experiments(max_results=1)
        return client


def _create(path: Path) -> None:
    """Make an SQLite store under another name first.

    MLflow makes it in dozens of steps, and one that was killed among them is neither used
    nor mended by any later start.
    """
    from mlflow import MlflowClient

    with partial(path) as place:
        MlflowClient(tracking_uri=f"sqlite:///{place}").search_experiments(max_results=1)


def experiment_id(client: MlflowClient, uri: str, name: str, artifact_root: str | None) -> str:
    """Return the experiment, created with an explicit artefact root on first use."""
    with locked(uri), refusals(uri):
        found = client.get_experiment_by_name(name)
        if found is not None:
            return str(found.experiment_id)
        return str(client.create_experiment(name, artifact_location=artifact_root))


@dataclass(frozen=True)
class Run:
    """A finished run and where it holds the model's files."""

    run_id: str
    model_source: str


def log_run(
    client: MlflowClient,
    experiment: str,
    parameters: Mapping[str, object],
    metrics: Mapping[str, float],
    texts: Mapping[str, str],
    model: Path,
    about: RunFacts,
) -> Run:
    """Write one run: parameters, metrics, tags, documents, pictures and the model's files.

    A run that does not come to its end is marked as failed, whatever stopped it.
    """
    from mlflow.entities import Metric, Param

    info = client.create_run(
        experiment,
        start_time=about.started_ms,
        tags=about.all_tags(),
        run_name=about.name or None,
    ).info
    try:
        at_ms = int(time.time() * 1000)
        if about.dataset is not None:
            client.log_inputs(info.run_id, datasets=[_dataset(about.dataset)])
        given = [Param(key, str(text)[:_PARAMETER_CHARACTERS]) for key, text in parameters.items()]
        for batch in batched(given, _OTHERS_PER_CALL):
            client.log_batch(info.run_id, params=batch)
        numbers = [Metric(key, float(number), at_ms, 0) for key, number in metrics.items()]
        for batch in batched(numbers, _METRICS_PER_CALL):
            client.log_batch(info.run_id, metrics=batch)
        for name, text in texts.items():
            client.log_text(info.run_id, text, name)
        with TemporaryFolder("clv-pictures-") as folder:
            for name, picture in about.pictures.items():
                with whole(folder / name) as file:
                    file.write(picture)
                client.log_artifact(info.run_id, str(folder / name), _PICTURE_FOLDER)
        client.log_artifacts(info.run_id, str(model), _MODEL_FOLDER)
    except BaseException:
        client.set_terminated(info.run_id, "FAILED")
        raise
    client.set_terminated(info.run_id, "FINISHED")
    return Run(str(info.run_id), f"{info.artifact_uri}/{_MODEL_FOLDER}")


def _dataset(about: Mapping[str, Any]) -> Any:
    """Return what MLflow's pages show as the dataset of a training."""
    from mlflow.entities import Dataset, DatasetInput, InputTag

    # Where the tables lie may name people and machines: it is not told.
    told = Dataset(
        name=str(about["name"]),
        digest=str(about["digest"])[:_DIGEST_CHARACTERS],
        source_type="clv",
        source=json.dumps({"tables": sorted(about["profile"])}),
        profile=json.dumps(about["profile"], sort_keys=True),
    )
    return DatasetInput(dataset=told, tags=[InputTag("mlflow.data.context", "training")])


def tag(client: MlflowClient, version: Version, name: str, text: str) -> None:
    """Write a tag on a version, and on the run that it came of."""
    client.set_tag(version.run_id, name, text)
    client.set_model_version_tag(version.name, str(version.number), name, text)


def ensure_model(client: MlflowClient, name: str) -> None:
    """Create the registered model on first use."""
    from mlflow.exceptions import MlflowException

    try:
        client.create_registered_model(name)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise


def registered(client: MlflowClient, name: str) -> Any:
    """Return the registered model, or None before the first training."""
    from mlflow.exceptions import MlflowException

    try:
        return client.get_registered_model(name)
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        return None


def aliases(client: MlflowClient, name: str) -> dict[str, int]:
    """Return the version that each name points to."""
    found = registered(client, name)
    given = {} if found is None else found.aliases
    return {alias: number_of(number) for alias, number in given.items()}


def model_tags(client: MlflowClient, name: str) -> dict[str, str]:
    """Return the registered model's tags."""
    found = registered(client, name)
    return {} if found is None else dict(found.tags)


def search_versions(client: MlflowClient, name: str) -> list[Any]:
    """Return every version of a model, newest first."""
    quoted = name.replace("'", "")
    found: list[Any] = []
    token: str | None = None
    before: set[str] = set()
    while True:
        page = client.search_model_versions(f"name='{quoted}'", page_token=token)
        found += page
        token = page.token
        if token and (token in before or not page):
            raise RegistryError(
                "registry: the store's list of versions has no end. Check the tracking address "
                "and what runs there."
            )
        before.add(token)
        if not token:
            return sorted(found, key=lambda version: -number_of(version.version))


def signature(info: ModelInfo) -> ModelSignature:
    """Declare the input: ids and categories are strings, every number a double.

    Who it is, when, and the purchase history are needed; other features may be unknown.
    Inferring would let a chunk of whole numbers pass and the next one fail.
    """
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, Schema

    text = {"customer_id", "as_of", *info.categories}
    needed = {"customer_id", "as_of", *HISTORY}
    columns = [
        ColSpec("string" if name in text else "double", name, required=name in needed)
        for name in ("customer_id", "as_of", *info.features)
    ]
    return ModelSignature(inputs=Schema(columns))


def save_pyfunc(model: LifetimeModel, directory: Path) -> None:
    """Write a model as the pyfunc ``clv`` into a directory that does not exist yet."""
    from mlflow.models import Model

    info = model.info
    envelope = Model(metadata={"feature_fingerprint": info.fingerprint})
    with TemporaryFolder("clv-parts-") as folder, warnings.catch_warnings():
        # MLflow warns of type hints in its own modules, and of those that it would not use.
        warnings.simplefilter("ignore", UserWarning)
        from mlflow.pyfunc import FLAVOR_NAME
        from mlflow.pyfunc import save_model as save

        model.save(folder / _ARTIFACT)
        save(
            path=str(directory),
            python_model=str(Path(__file__).with_name(ENTRY)),
            artifacts={_ARTIFACT: str(folder / _ARTIFACT)},
            signature=signature(info),
            input_example=golden_rows(info.features, info.categories, info.training_cutoff, rows=4),
            pip_requirements=requirements(),
            mlflow_model=envelope,
        )
    # MLflow writes where the entry and the parts lay on this machine, and copies a uv
    # project from the working directory; neither concerns who loads the model.
    flavour = envelope.flavors[FLAVOR_NAME]
    flavour["model_code_path"] = ENTRY
    for artifact in flavour["artifacts"].values():
        artifact["uri"] = artifact["path"]
    envelope.save(str(directory / "MLmodel"))
    for path in directory.iterdir():
        if path.is_file() and path.name not in ENVELOPE:
            remove_file(path)
    write_wheel(directory)
    check_types(directory)


def requirements() -> list[str]:
    """Pin what scoring needs to what is installed here; clv itself comes along as a wheel."""
    return [wheel_name(), *(f"{n}=={metadata.version(n)}" for n in ("mlflow", *PACKAGES))]


def predict_pyfunc(directory: Path, rows: pd.DataFrame) -> pd.DataFrame:
    """Load a saved pyfunc as MLflow's users do, and score rows."""
    from mlflow.pyfunc import load_model

    return pd.DataFrame(load_model(str(directory)).predict(rows))


def repository(address: str, uri: str) -> Any:
    """Open the place where a store keeps files, which lists and downloads them."""
    from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

    return get_artifact_repository(address, uri)


def batched(items: Sequence[Any], size: int) -> Iterator[list[Any]]:
    """Cut a sequence into lists of at most ``size``."""
    rest = iter(items)
    while part := list(itertools.islice(rest, size)):
        yield part
