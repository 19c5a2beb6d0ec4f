"""Data shipped with the product, and its read-only loaders; NOTICE.md says where each file comes from."""
