"""How good the models are, measured on the company's own past."""
