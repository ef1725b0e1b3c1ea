"""`coscribe bench`: measures what this program does on this machine, with a server of its own."""
