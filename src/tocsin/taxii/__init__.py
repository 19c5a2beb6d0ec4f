"""The machine door for partners that speak TAXII 2.1 (OASIS, 10 June 2021)."""
