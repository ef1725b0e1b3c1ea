"""HTTP and WebSocket: thin, one file a resource or a carrier."""
