"""Where analysers are measured and fitted on research data. An installation that only works never comes here."""
