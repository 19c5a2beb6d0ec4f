"""Who took what away, and who answered what: written by organisation and in sets, so that it does not grow with what is
taken times who takes it."""
