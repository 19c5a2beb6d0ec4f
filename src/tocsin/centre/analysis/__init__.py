"""What people look at and decide: look-ups, proposals, country conflicts, standing queries, the home page."""
