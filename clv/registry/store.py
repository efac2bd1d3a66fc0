"""Registry: every training a run, every model a version, two of them with a name.

``challenger`` is the latest version that loads and scores golden rows in a fresh process;
``champion`` is the one that scores customers. Nothing else moves those names.
"""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from clv.errors import RegistryError, storing
from clv.models.lifetime_value import LifetimeModel
from clv.registry import downloads, golden, tracking
from clv.registry.address import absolute, local_address, locked
from clv.registry.bundles import claims
from clv.registry.digests import PARTS, digests_of, verify
from clv.registry.example import golden_rows
from clv.registry.history import CHAMPION, Event, before_the_champion, move, moves_of, utc
from clv.registry.logged import Logged
from clv.registry.version import (
    DIGESTS,
    VERIFIED,
    LoadedModel,
    RunFacts,
    Version,
    number_of,
)
from clv.storage import TemporaryFolder
from clv.storage import folder as made_folder

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping

    from clv.registry.gate import GateResult

CHALLENGER = "challenger"
_ADDRESS = re.compile(r"models:/(?P<name>[^/@]+)(?:@(?P<alias>[^/@]+)|/(?P<number>[0-9]{1,15}))")


class Registry:
    """The MLflow store of one company.

    Parameters
    ----------
    tracking_uri : str
        ``sqlite:////absolute/mlflow.db``, a database URL, or ``http(s)://server``.
    artifact_root : str or None
        Where a new experiment's files go: an absolute path or a URL; None leaves it to a
        server. It is fixed when the experiment is created, and a store does not move.
    name : str
        Of the experiment and of the registered model.

    Raises
    ------
    RegistryError
        When the store cannot be reached.
    """

    def __init__(
        self, tracking_uri: str, artifact_root: str | None = None, name: str = "clv"
    ) -> None:
        self.uri = tracking_uri
        self.name = name
        self._client = tracking.connect(tracking_uri)
        self._logged = Logged(self._client, tracking_uri)
        self._artifact_root = absolute(artifact_root)

    @classmethod
    def local(cls, workspace: str | Path, name: str = "clv") -> Registry:
        """Open the default store: SQLite and artefacts inside a workspace.

        Parameters
        ----------
        workspace : str or pathlib.Path
            A folder; it is made where there is none.
        name : str
            Of the registered model.
        """
        workspace = Path(workspace)
        address = local_address(workspace)
        folder = made_folder(workspace.resolve())
        return cls(address, str(folder / "artifacts"), name)

    def log_training(
        self,
        model: LifetimeModel,
        *,
        parameters: Mapping[str, object],
        metrics: Mapping[str, float],
        artifacts: Mapping[str, Mapping[str, Any]],
        tags: Mapping[str, str],
        about: RunFacts | None = None,
    ) -> Version:
        """Log a training as a run, register its model, verify it and make it challenger.

        Parameters
        ----------
        model : LifetimeModel
            What was fitted.
        parameters : mapping of str to object
            Settings of the training; no secrets.
        metrics : mapping of str to float
            ``btyd/<model>/<parameter>``, ``backtest/<model>/<metric>``, ``coverage/<level>``.
        artifacts : mapping of str to JSON-able mapping
            Documents by file name, such as ``backtest.json``.
        tags : mapping of str to str
            Data fingerprint, feature fingerprint, code version.
        about : RunFacts, optional
            What a person reads of it: its name, when it began, its data, its pictures.

        Raises
        ------
        RegistryError
            When the store refuses, or the model does not load in a fresh process; the
            version then stays without a name.
        """
        # What is no JSON is a defect of ours, and found before a run is begun.
        texts = {n: json.dumps(d, indent=1, sort_keys=True) for n, d in artifacts.items()}
        experiment = tracking.experiment_id(self._client, self.uri, self.name, self._artifact_root)
        with TemporaryFolder("clv-register-") as folder:
            directory = folder / "model"
            with storing(directory):
                tracking.save_pyfunc(model, directory)
            written = digests_of(directory)
            with tracking.refusals(self.uri):
                told = replace(about or RunFacts(), tags=tags)
                run = tracking.log_run(
                    self._client, experiment, parameters, metrics, texts, directory, told
                )
                tracking.ensure_model(self._client, self.name)
                kept = {**tags, DIGESTS: json.dumps(written)}
                made = self._client.create_model_version(
                    self.name, run.model_source, run_id=run.run_id, tags=kept
                )
                version = self.version(number_of(made.version))
        return self.verify(version, model, written)

    def verify(self, version: Version, model: LifetimeModel, written: Mapping[str, str]) -> Version:
        """Load a version in a fresh process, compare golden rows, and make it challenger.

        A version that is older than the present challenger leaves the name where it is.

        Parameters
        ----------
        version : Version
        model : LifetimeModel
        written : mapping of str to str
            SHA-256 of the files that this process wrote: MLflow runs what lies in the store,
            and so it must be that, whatever the store says of it.

        Raises
        ------
        RegistryError
            When it does not load, or predicts otherwise than ``model``; it is then marked as
            not verified, and gets no name.
        """
        info = model.info
        rows = golden_rows(info.features, info.categories, info.training_cutoff)
        self._mark(version, verified=False)
        with TemporaryFolder("clv-verify-") as folder:
            directory = self.fetch(version, folder)
            verify(directory, written)
            golden.check(directory, rows, model.predict(rows), version.uri)
        with locked(self.uri), tracking.refusals(self.uri):
            self._mark(version, verified=True)
            challenger = self._aliases().get(CHALLENGER)
            if challenger is None or challenger < version.number:
                self._client.set_registered_model_alias(self.name, CHALLENGER, str(version.number))
        return self.version(version.number)

    def load(self, uri: str | None = None) -> LoadedModel:
        """Load a model, its alias resolved to a version once, its files' hashes compared.

        Parameters
        ----------
        uri : str, optional
            ``models:/clv@champion`` or ``models:/clv/3``; by default the champion.

        Raises
        ------
        RegistryError
            When there is no such version, or a file differs from what was registered.
        """
        version = self.resolve(uri or f"models:/{self.name}@{CHAMPION}")
        with TemporaryFolder("clv-load-") as folder:
            directory = self.fetch(version, folder)
            model = LifetimeModel.load(directory / PARTS)
        return LoadedModel(model, version.name, version.number, version.uri, self.metrics(version))

    def resolve(self, uri: str) -> Version:
        """Return the version that an address names.

        Raises
        ------
        RegistryError
            When it is not an address of this model, or names nothing.
        """
        match = _ADDRESS.fullmatch(uri)
        if match is None or match["name"] != self.name:
            raise RegistryError(
                f"registry: {uri!r} is not an address of a model here; expected "
                f"models:/{self.name}@{CHAMPION} or models:/{self.name}/<version>."
            )
        if match["number"]:
            return self.version(int(match["number"]))
        found = self.alias(match["alias"])
        if found is None:
            raise RegistryError(
                f"registry: {self.name} has no {match['alias']} yet. Train one with "
                "`clv train --promote`, or name a model that did not pass the gate: "
                f"--model models:/{self.name}@{CHALLENGER}."
            )
        return found

    def alias(self, name: Literal["challenger", "champion"] | str) -> Version | None:
        """Return the version that carries a name, or None."""
        with tracking.refusals(self.uri):
            number = self._aliases().get(name)
        return None if number is None else self.version(number)

    def version(self, number: int) -> Version:
        """Return one version.

        Raises
        ------
        RegistryError
            When there is none of that number.
        """
        for version in self.versions():
            if version.number == number:
                return version
        raise RegistryError(
            f"registry: {self.name} has no version {number}; it has "
            f"{len(self.versions())}. List them with `clv check`."
        )

    def versions(self) -> tuple[Version, ...]:
        """Return every version, newest first."""
        with tracking.refusals(self.uri):
            aliases = self._aliases()
            found = tracking.search_versions(self._client, self.name)
            return tuple(Version.read(self.name, each, aliases) for each in found)

    def fetch(self, version: Version, folder: str | Path) -> Path:
        """Copy a version's files into a folder and compare them with the recorded hashes.

        Parameters
        ----------
        version : Version
            Whose files.
        folder : str or pathlib.Path
            Where ``model`` is made.

        Raises
        ------
        RegistryError
            When there are no hashes, or a file differs.
        """
        recorded = version.digests()
        directory = downloads.fetch_version(
            version.source, recorded, self.uri, Path(folder) / "model"
        )
        verify(directory, recorded)
        return directory

    def metrics(self, version: Version) -> dict[str, float]:
        """Return what a version's training logged."""
        return self._logged.metrics(version)

    def parameters(self, version: Version) -> dict[str, str]:
        """Return the settings that a version's training logged."""
        return self._logged.parameters(version)

    def documents(self, version: Version) -> dict[str, dict[str, Any]]:
        """Return all JSON documents of a version's training, by file name."""
        return self._logged.documents(version)

    def document(self, version: Version, name: str) -> dict[str, Any]:
        """Return one of the JSON documents of a version's training.

        Parameters
        ----------
        version : Version
            Whose training.
        name : str
            The document's file name.
        """
        return self._logged.document(version, name)

    def trained(self, version: Version) -> tuple[str, float]:
        """Return which model a version's training chose, and the level of its intervals.

        Raises
        ------
        RegistryError
            When its document does not say.
        """
        return claims.training_facts(self.document(version, "training.json"))

    def note_gate(self, version: Version, gate: GateResult) -> None:
        """Write on a version and its run what the gate answered, for people who look there.

        Parameters
        ----------
        version : Version
        gate : GateResult
        """
        with tracking.refusals(self.uri):
            tracking.tag(self._client, version, "gate", gate.in_words())

    def history(self) -> tuple[Event, ...]:
        """Return who moved the champion, oldest first."""
        with tracking.refusals(self.uri):
            tags = tracking.model_tags(self._client, self.name)
            return moves_of(tags, self._aliases().get(CHAMPION))

    def promote(
        self,
        version: Version,
        gate: GateResult,
        *,
        champion: Version | None,
        who: str,
        when: dt.datetime,
        why: str,
    ) -> Version:
        """Make a version the champion.

        Parameters
        ----------
        version : Version
            Verified in a fresh process.
        gate : GateResult
            What ``promotion_gate`` answered.
        champion : Version or None
            The champion it was held against; the name moves only if it still stands.
        who, when, why : str, datetime.datetime, str
            For the record; with its zone.

        Raises
        ------
        GateError
            When the gate said no.
        RegistryError
            When the version was not verified; ``ChampionMovedError`` when another process
            promoted meanwhile.
        """
        gate.require(version.uri, None if champion is None else champion.uri)
        if not version.verified:
            raise RegistryError(
                f"registry: {version.uri} was not verified in a fresh process; it gets no name. "
                "Train again."
            )
        before = None if champion is None else champion.number
        event = Event("promote", version.number, before, who, utc(when), why)
        self._move(event)
        return self.version(version.number)

    def rollback(self, *, who: str, when: dt.datetime, why: str) -> Version:
        """Make the champion's predecessor champion again.

        Parameters
        ----------
        who, when, why : str, datetime.datetime, str
            For the record; with its zone.

        Raises
        ------
        RegistryError
            When there was none before it.
        """
        champion = self.alias(CHAMPION)
        restored = before_the_champion(self.history())
        before = None if champion is None else champion.number
        self._move(Event("rollback", restored, before, who, utc(when), why))
        return self.version(restored)

    def _move(self, event: Event) -> None:
        """Move the champion's name if it stands where it was read, and record it."""
        with locked(self.uri), tracking.refusals(self.uri):
            tags = tracking.model_tags(self._client, self.name)
            move(self._client, self.name, event, self._aliases().get(CHAMPION), tags)

    def _mark(self, version: Version, *, verified: bool) -> None:
        with tracking.refusals(self.uri):
            self._client.set_model_version_tag(
                self.name, str(version.number), VERIFIED, "true" if verified else "false"
            )

    def _aliases(self) -> dict[str, int]:
        return tracking.aliases(self._client, self.name)
