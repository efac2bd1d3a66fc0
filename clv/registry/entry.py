"""What MLflow runs when it loads the model: all the code there is in the artefact."""

from clv.registry import tracking

tracking.offer()
