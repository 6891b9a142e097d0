"""Luce beside its peers, measured in one process: ``python -m benchmarks`` runs all and writes ``results/``."""
