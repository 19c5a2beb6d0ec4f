"""Drawing alerts in templates."""
