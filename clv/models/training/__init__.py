"""What models are fitted to: panels, folds, samples, guards."""
