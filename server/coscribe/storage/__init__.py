"""What lasts: the ports on SQLAlchemy Core, for SQLite and for PostgreSQL, one file a port."""
