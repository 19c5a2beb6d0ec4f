"""What the installation knows of the time, so that a machine's clock that goes wrong opens and ends nothing."""
