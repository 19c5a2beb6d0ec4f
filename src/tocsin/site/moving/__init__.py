"""From one database into another: looked through, copied, proved equal, and only then used."""
