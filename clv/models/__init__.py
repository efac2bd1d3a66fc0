"""Purchase, churn and value models, and what they used."""
