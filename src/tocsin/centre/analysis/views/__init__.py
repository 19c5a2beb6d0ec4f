"""Pages of analysis: the look-up, standing queries, the review queue."""
