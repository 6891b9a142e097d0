"""The derivatives of the losses, each rule once: for autograd's functions and for the operators that compilers see."""
