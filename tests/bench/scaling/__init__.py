"""What ten million documents and a million connections would take, computed from what was measured."""
