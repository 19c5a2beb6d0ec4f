"""The public site: pages as bytes, made of public editions and of nothing else, when something is published."""
