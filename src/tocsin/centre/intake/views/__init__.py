"""Pages of deliveries, uploads, feeds and organisations."""
