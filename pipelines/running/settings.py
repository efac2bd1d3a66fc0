"""Settings: one YAML file, one frozen object; a key that is no setting is an error.

Every setting can also be given as an environment variable: ``CLV__SECTION__KEY``. The
environment wins over the file, a flag of the command line over both. Passwords belong in
the environment only, such as ``CLV__SOURCES__DATABASE``.
"""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic_settings import (
    BaseSettings,
    SettingsConfigDict,
)


class Section(BaseModel):
    """A section of the settings: frozen, and closed to unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class DataOptions(Section):
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
    rates: dict[str, float | dict[dt.date, float]] = Field(
        default_factory=dict,
        description="what one unit of another currency is in this; a number, or one from a day on",
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


class Guards(Section):
    """How far scores may lie from the last published ones; else nothing is published, exit 5."""

    rows_lost: float = Field(
        0.1, ge=0, le=1, description="share of a table's known rows that may be gone"
    )
    rows_added: float = Field(
        0.25, ge=0, description="share by which a table may have grown on days known before"
    )
    recent_rows: float = Field(
        0.5, ge=0, le=1, description="share that the latest days may lack of the year's leanest"
    )
    customers_lost: float = Field(
        0.05, ge=0, le=1, description="share of the customers scored before who may be gone"
    )
    total_change: float = Field(
        0.25, ge=0, description="share by which the total may differ, for each 30 days"
    )


class Push(Section):
    """CRMs that `clv push` writes to, each with its own settings; credentials are no settings."""

    salesforce: dict[str, Any] = Field({}, description="address, external_id, object, fields …")
    hubspot: dict[str, Any] = Field({}, description="id_property, fields …")
    zendesk: dict[str, Any] = Field({}, description="subdomain, fields …")
    rest: dict[str, Any] = Field({}, description="address with {customer_id}, method, fields …")


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
    prior_nothing: float = Field(
        0.25, ge=0, lt=1, description="chance before any data that a behaviour has nothing to gain"
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
    terms: DataOptions = DataOptions()
    quality: Quality = Quality()
    engine: Engine = Engine()
    training: Training = Training()
    registry: Registry = Registry()
    gate: Gate = Gate()
    scoring: Scoring = Scoring()
    guards: Guards = Guards()
    push: Push = Push()
    attribution: Attribution = Attribution()
    decisions: Decisions = Decisions()
    monitoring: Monitoring = Monitoring()
    markers: Markers = Markers()
    report: Report = Report()
