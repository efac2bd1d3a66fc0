"""What executes Ibis expressions: DuckDB, Spark, and the forms that both are given."""
