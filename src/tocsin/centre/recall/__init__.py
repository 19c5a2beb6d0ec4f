"""Taking back what was handed out (SM-10): hidden at once, everybody who had it told, each answer kept."""
