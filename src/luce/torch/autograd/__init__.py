"""The passes over rows as functions of autograd: any order, forward mode and `vmap`."""
