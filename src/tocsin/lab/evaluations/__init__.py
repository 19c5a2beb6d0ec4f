"""How each analyser is measured on research data. Nothing here runs in an installation but `tocsin lab`."""
