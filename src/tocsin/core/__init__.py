"""Values and words that every layer shares. Pure: no Django, no database, no network, no clock."""
