"""Observations: normalised by one kernel, kept in Parquet, asked by named questions on any engine."""
