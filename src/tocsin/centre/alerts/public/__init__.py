"""The public site: pages as bytes, made of public editions and of nothing else. Rendered at publication, never when asked."""
