"""Every night in Airflow: score, then ask whether the model is still right."""

from datetime import UTC, datetime, timedelta

from airflow import DAG
from airflow.operators.bash import BashOperator

with DAG(
    "clv",
    schedule="30 3 * * *",
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    default_args={"retries": 2, "retry_delay": timedelta(minutes=15)},
) as dag:
    score = BashOperator(
        task_id="score",
        bash_command="clv score --config /etc/clv/company.yaml",
    )
    monitor = BashOperator(
        task_id="monitor",
        bash_command="clv monitor --config /etc/clv/company.yaml",
        # Exit code 5 is an answer, not a failure that goes away by trying again.
        retries=0,
    )
    score >> monitor
