"""What one bureau sends straight to others: the Centre carries it, and does not read it (DOMAIN 2.1, 2.2)."""
