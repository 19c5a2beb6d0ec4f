"""Commands of Django that the portal does in its own way."""
