"""Somebody's function: found by its name, run in a process of its own, called and differentiated in its framework."""
