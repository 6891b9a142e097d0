"""Inputs that functions are tried on: probes that tell mistakes apart, and cases that break implementations."""
