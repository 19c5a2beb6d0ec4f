"""Deliveries: received, read, normalised, committed; their receipts, rejections and feeds."""
