"""What leaves the centre: country packages."""
