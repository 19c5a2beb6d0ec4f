"""How long things are kept: reviews of terms, purges with their certificates, legal holds."""
