"""Gates, a file each: what must hold before an estimate is claimed at all."""
