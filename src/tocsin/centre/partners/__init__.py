"""What a partner sees of its part: deliveries and where they stand, its agreement, its scorecard."""
