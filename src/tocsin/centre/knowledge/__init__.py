"""Objects kept as they came: indicators, actors, reports, and what they say of one another."""
