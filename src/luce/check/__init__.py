"""Checking: the multi-precision oracle of the contract, and inputs that break implementations of it."""
