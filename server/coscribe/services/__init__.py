"""What a person or a script may ask for, and whether they may. No framework, no SQL."""
