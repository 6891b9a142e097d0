"""The faces of a derivation, one file each: all are written from its steps alone, and none computes anything."""
