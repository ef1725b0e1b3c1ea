"""What is alive: rooms, their recorder and their feed, on asyncio and nothing else."""
