"""Who took what away: written by organisation, day and channel, so that it does not grow with what is taken."""
