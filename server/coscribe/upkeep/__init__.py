"""What an operator does with a database beside a running server: verify it, back it up, restore from a backup."""
