"""What a country is handed: packages and their parts, composed from a share and checked anywhere.

Pure but for files: paths, moments, identifiers and the signature come as arguments.
"""
