"""How servers ring each other's bells (the port Bus)."""
