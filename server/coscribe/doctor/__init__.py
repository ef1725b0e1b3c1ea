"""`coscribe doctor`: looks at a running server from outside, through whatever stands in front of it."""
