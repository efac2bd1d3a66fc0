"""Settings: one YAML file, one frozen object; a key that is no setting is an error.

Every setting can also be given as an environment variable: ``CLV__SECTION__KEY``. The
environment wins over the file, a flag of the command line over both. Passwords belong in
the environment only, such as ``CLV__SOURCES__DATABASE``.
"""

from __future__ import annotations

import datetime as dt
import difflib
import re
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)
from pydantic_settings import (
    SettingsError as SourceOfSettingsError,
)

from clv.errors import NAMED_CHARACTERS, SettingsError
from clv.masking import kind_of
from pipelines.documents import MAX_VALUES, finite
from pipelines.secrets import SECRETS, SECTIONS


class Section(BaseModel):
    """A section of the settings: frozen, and closed to unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Terms(Section):
    """How the company's tables are to be read."""

    currency: str | None = Field(None, description="unit of all money; else the currency column's")
    margin_rate: float | None = Field(
        None, gt=0, le=1, description="contribution per unit of revenue, without a margin column"
    )
    fcr_days: int = Field(7, ge=1, description="days without a further contact: resolved at first")
    language: str = Field("en", description="of interactions that name none (BCP 47)")
    agent_cost_per_hour: float | None = Field(
        None, ge=0, description="of agents that name none; without it no net figures"
    )
    attributes: tuple[str, ...] = Field(
        ("segment", "region", "acquisition_channel"),
        description="columns of customers that may become features",
    )
    protected: tuple[str, ...] = Field((), description="attributes never used, nor given as reason")
    stray_share: float = Field(
        0.01, ge=0, lt=0.5, description="of orders, far off all others: they set no first, last day"
    )


class Quality(Section):
    """When bad rows stop the run."""

    quarantine_limit_share: float = Field(
        0.05, ge=0, le=1, description="share of a table's rows that may be quarantined"
    )
    least_match: float = Field(
        0.5, ge=0, le=1, description="share of a table's ids of people that others must know"
    )


class Engine(Section):
    """What executes everything that scales with events."""

    kind: Literal["duckdb", "spark"] = Field(
        "duckdb", description="duckdb, or spark: docs/spark.md"
    )
    threads: int | None = Field(None, ge=1, description="worker threads; none: all cores")
    memory_limit: str | None = Field("4GB", description="what does not fit is spilled to disk")
    temp_directory: str | None = Field(
        None, description="where to spill; none: the system's; on a cluster, shared storage"
    )
    master: str | None = Field(
        None, description="Spark's; none: that of spark-submit, else this machine"
    )


class Training(Section):
    """How models are fitted."""

    horizon_days: int | None = Field(
        None,
        ge=1,
        description="days a value covers; none: the largest that fits",
    )
    discount_rate_annual: float = Field(0.10, ge=0, description="of later money, per year")
    cutoffs: int = Field(8, ge=1, description="training cutoffs at most, 30 days apart or more")
    rows: int = Field(60_000, ge=1, description="rows at most; above, whole customers are sampled")
    panel_rows: int = Field(
        400_000, ge=1, description="rows in memory at most; above, whole customers are sampled"
    )
    model: Literal["blend", "btyd", "lightgbm"] = Field(
        "blend", description="blend lets the folds weigh purchases alone against trees"
    )
    purchase_model: Literal["auto", "bg_nbd", "mbg_nbd", "pareto_nbd"] = Field(
        "auto", description="auto: what forecast best at the last cutoff that is over"
    )
    reporting_delay_days: int = Field(0, ge=0, description="days until an order is in the data")
    folds: int = Field(3, ge=1, description="backtest folds at most")
    interval_level: float = Field(0.90, gt=0, lt=1, description="of clv_low and clv_high")
    leaves: int = Field(7, ge=2, description="leaves per tree; depth is what contributions cost")
    trees: int = Field(150, ge=1, description="trees per model")
    learning_rate: float = Field(0.05, gt=0, le=1, description="of the trees")
    tune_trials: int = Field(
        0, ge=0, description="sizes of trees to try on past cutoffs first (extra clv[tune])"
    )
    threads: int = Field(1, ge=1, description="LightGBM's threads")
    time_unit: Literal["days", "weeks"] = Field(
        "days", description="unit in which purchase models' parameters are logged"
    )
    allow_leaks: tuple[str, ...] = Field(
        (), description="features that predict the label too well, and may do so"
    )


class Registry(Section):
    """Where models are kept."""

    tracking_uri: str | None = Field(
        None, description="MLflow's store; none: MLFLOW_TRACKING_URI, else SQLite in the workspace"
    )
    artifact_root: str | None = Field(
        None, description="where a new store keeps files: an absolute path or URL; none: its own"
    )
    name: str = Field(
        "clv",
        pattern=r"^\w[\w.-]{0,99}$",
        description="the registered model's name: letters, digits, '.', '_' and '-'",
    )
    trusted_keys: Path | None = Field(
        None, description="public Ed25519 keys; `clv models import` then takes signed bundles only"
    )


class Gate(Section):
    """What a model must show before it may be champion."""

    gini_standard_errors: float = Field(
        1.0, ge=0, description="its Gini may lie so many below the champion's and BTYD's"
    )
    total_bias: float = Field(
        0.15, ge=0, description="largest |predicted ÷ actual − 1| of the total"
    )
    prospects_error: float = Field(
        0.05, ge=0, description="largest error of people yet to buy, as a share of the total"
    )
    calibration_error: float = Field(0.03, ge=0, description="largest, of the churn probability")
    coverage_low: float = Field(0.85, ge=0, le=1, description="least share inside the intervals")
    coverage_high: float = Field(0.95, ge=0, le=1, description="largest share inside the intervals")


class Scoring(Section):
    """How customers are scored."""

    chunk_customers: int = Field(100_000, ge=1, description="customers in memory at once")
    quarantine_limit_share: float = Field(
        0.05, ge=0, le=1, description="share of the scores that may be unfit to publish"
    )
    reasons: str = Field(
        "all",
        pattern=r"^(all|none|top:\d+)$",
        description="`all`, `none`, or `top:N` customers by value; for all, a twentieth of a run",
    )
    keep: int = Field(10, ge=1, description="published score tables to keep")
    wait_seconds: float = Field(
        300.0, ge=0, description="for another run that writes to the same folder"
    )
    keep_months: int = Field(
        13, ge=0, description="months before them of which one table is kept, for `clv monitor`"
    )
    sinks: tuple[dict[str, Any], ...] = Field(
        (), description="further destinations, each with a `kind`"
    )


class Attribution(Section):
    """How effects of service behaviours are estimated."""

    exposure_days: int | None = Field(
        None, ge=1, description="days of contacts before the cutoff; by default all"
    )
    customers: int = Field(200_000, ge=1, description="above this many, a sample of customers")
    level: float = Field(0.95, gt=0, lt=1, description="of intervals")
    behaviours: tuple[str, ...] = Field(
        (), description="markers to ask about besides empathy, handle time, FCR and waits"
    )
    experiments: tuple[Path, ...] = Field(
        (), description="read-outs, or folders of them, that enter the effects as experimental"
    )
    outcomes: tuple[str, ...] = Field(
        (), description="asked about besides value: churn, refunds, next_contacts, csat, nps …"
    )
    premium_queue: str | None = Field(None, description="a queue to compare with the others")
    minimum_gain_share: float = Field(
        0.003, ge=0, description="of the mean outcome per customer; a smaller gain moves no target"
    )


class Decisions(Section):
    """How chances are weighed into a decision."""

    loss_ratio: float = Field(
        4.0, gt=0, description="times that a loss weighs against an equal gain missed"
    )
    max_step: float = Field(
        0.1, gt=0, le=1, description="moved at once: a share of handle time, points of a share"
    )
    prior_share: float = Field(
        0.05, gt=0, description="of what follows a contact, that the edge of support may change"
    )
    benefit_years: float = Field(1.0, gt=0, description="for which a decision holds")
    max_weeks: int = Field(52, ge=4, description="a longer experiment is not proposed")
    briefing_minutes: float = Field(
        30.0, ge=0, description="of each agent who is told of an experiment"
    )
    settling_days: int = Field(
        30, ge=1, description="days at a new setting before its contacts are measured again"
    )


class Monitoring(Section):
    """When `clv monitor` says that something must be done; totals, intervals, churn: see gate."""

    stale_days: int | None = Field(
        None, ge=0, description="age of the newest order that is too old; none: not asked"
    )
    inputs_act: float = Field(
        0.5, gt=0, le=1, description="share of what the model uses that may be another population"
    )
    fail: bool = Field(default=True, description="exit with 5 when something must be done")


class Markers(Section):
    """Which behaviours are found in the words of support."""

    pack: Path | None = Field(None, description="a TOML file that extends or overrides the pack")


class Report(Section):
    """How the report reads."""

    company: str | None = Field(None, description="whose report it is")
    language: Literal["en", "de"] = Field("en", description="of the sentences")
    individual_agents: bool = Field(default=False, description="name agents; else teams only")


class Settings(BaseSettings):
    """Everything a run can be told.

    Examples
    --------
    >>> Settings(training={"horizon_days": 90}).training.horizon_days
    90
    """

    model_config = SettingsConfigDict(
        extra="forbid", frozen=True, env_prefix="CLV__", env_nested_delimiter="__"
    )

    workspace: Path = Field(Path("clv-out"), description="everything a command writes lies here")
    seed: int = Field(0, ge=0, description="of every random choice")
    as_of: dt.date | None = Field(
        None, description="score: last day known; train, attribute: a horizon lies after it"
    )
    sources: dict[str, Any] = Field(default_factory=dict, description="where the tables are")
    terms: Terms = Terms()
    quality: Quality = Quality()
    engine: Engine = Engine()
    training: Training = Training()
    registry: Registry = Registry()
    gate: Gate = Gate()
    scoring: Scoring = Scoring()
    attribution: Attribution = Attribution()
    decisions: Decisions = Decisions()
    monitoring: Monitoring = Monitoring()
    markers: Markers = Markers()
    report: Report = Report()


def load_settings(path: Path | None = None, **flags: Any) -> Settings:
    """Read the settings file and lay flags over it.

    Parameters
    ----------
    path : Path, optional
        A YAML file; without one the defaults hold.
    **flags
        Values from the command line, by dotted key with ``__`` for the dot
        (``training__horizon_days=90``); None means not given.

    Raises
    ------
    SettingsError
        When the file cannot be read, or says something that is no setting.
    """
    document = read_yaml(path) if path else {}
    given = _nested(flags)
    SECRETS.learn(document)
    SECRETS.learn(given)
    SECRETS.learn_environment()

    class Layered(Settings):
        """Flags over the environment over the file."""

        @classmethod
        def settings_customise_sources(
            cls,
            settings_cls: type[BaseSettings],
            init_settings: PydanticBaseSettingsSource,
            env_settings: PydanticBaseSettingsSource,
            dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 (the overridden signature)
            file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            return init_settings, env_settings, InitSettingsSource(settings_cls, document)

    try:
        return Layered(**given)
    except ValidationError as error:
        raise SettingsError(_explain(error, str(path) if path else "settings")) from None
    except SourceOfSettingsError as error:
        name = re.search(r'field "(\w+)"', str(error))
        where = f"CLV__…{name[1].upper()}" if name else "CLV__…"
        raise SettingsError(
            f"settings: the environment variable {where} is not JSON. Expected JSON where a "
            "setting has several values, such as CLV__TRAINING='{\"horizon_days\": 180}'."
        ) from None


def _why(error: Exception) -> str:
    if isinstance(error, UnicodeDecodeError):
        return "not UTF-8 text"
    if isinstance(error, OverflowError):
        return f"its aliases name more than {MAX_VALUES:,} values, or themselves"
    return "a value in it can be no number or date, or it is nested too deep"


def _nested(flags: dict[str, Any]) -> dict[str, Any]:
    """Turn ``section__key`` into sections, leaving out what was not given."""
    document: dict[str, Any] = {}
    for key, value in flags.items():
        if value is not None:
            *sections, name = key.split("__")
            target = document
            for section in sections:
                target = target.setdefault(section, {})
            target[name] = value
    return document


def read_yaml(path: Path) -> dict[str, Any]:
    """Read a YAML file of sections and keys; a mistake in it is one line that names it.

    Raises
    ------
    SettingsError
        When it cannot be read, is no YAML, or holds no sections.
    """
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
        finite(document)
    except OSError as error:
        raise SettingsError(
            f"{path}: cannot be read: {error.strerror}. Expected a YAML file of settings; "
            "see pipelines/config/example.yaml for every one of them."
        ) from None
    except (yaml.YAMLError, ValueError, RecursionError, OverflowError) as error:
        line = getattr(getattr(error, "problem_mark", None), "line", None)
        at = "" if line is None else f", line {line + 1}"
        raise SettingsError(
            f"{path}{at}: is not YAML: {getattr(error, 'problem', None) or _why(error)}. "
            "Mend the line, or compare with pipelines/config/example.yaml."
        ) from None
    if document is None:
        return {}
    if not isinstance(document, dict):
        raise SettingsError(
            f"{path}: holds a {type(document).__name__}; expected sections and keys."
        )
    return document


def _explain(error: ValidationError, where: str) -> str:
    """Say the first complaint in one line: what, where, expected, next."""
    complaint = error.errors(include_url=False)[0]
    key = ".".join(str(part) for part in complaint["loc"])
    if complaint["type"] == "extra_forbidden":
        known = _known_keys(complaint["loc"][:-1])
        near = difflib.get_close_matches(str(complaint["loc"][-1]), known, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else f" Known here: {', '.join(known)}."
        return f"{where}: {key} is not a setting.{hint}"
    message = str(complaint["msg"])
    value = complaint["input"]
    path = tuple(map(str, complaint["loc"]))
    secret = any(path[: len(section)] == section for section in SECTIONS)
    shown = kind_of(value) if secret else _cut(repr(value))
    return f"{where}: {key} is {shown}: {message[0].lower()}{message[1:]}."


def _cut(text: str) -> str:
    return text if len(text) <= NAMED_CHARACTERS else text[: NAMED_CHARACTERS - 1] + "…"


def _known_keys(sections: tuple[int | str, ...]) -> list[str]:
    model: type[BaseModel] = Settings
    for section in sections:
        kind = model.model_fields[str(section)].annotation
        if not (isinstance(kind, type) and issubclass(kind, BaseModel)):
            return []
        model = kind
    return list(model.model_fields)
