"""Triton's interpreter, which runs kernels on the CPU, with what it lacks: to be imported before Liger's and Apple's.

Scalars become float32, as on a GPU; tanh and log1p are NumPy's; products of bfloat16, of which it would multiply the
bits as integers, are refused.
"""

import os

os.environ["TRITON_INTERPRET"] = "1"

import numpy as np
import triton.language as tl
from triton.language.extra import libdevice
from triton.runtime import interpreter

__all__ = []

Handle, Builder = interpreter.TensorHandle, interpreter.InterpreterBuilder
converted, product = interpreter._implicit_cvt, Builder.create_dot


def elementwise(function):
    """A function of NumPy as one of the interpreter's tensors."""
    return lambda x: tl.tensor(Handle(function(x.handle.data), x.handle.dtype), x.type)


def with_floats(argument):
    """What a kernel is given: floats as scalars of float32."""
    if isinstance(argument, float):
        return tl.tensor(Handle(np.array([argument], np.float32), tl.float32), tl.float32)
    return converted(argument)


def without_bfloat16(self, a, b, *others):
    """A product of matrices that are no integers in disguise."""
    if tl.bfloat16 in (a.dtype.scalar, b.dtype.scalar):
        raise NotImplementedError("the interpreter has no products of bfloat16")
    return product(self, a, b, *others)


libdevice.tanh, libdevice.log1p = elementwise(np.tanh), elementwise(np.log1p)
interpreter._implicit_cvt, Builder.create_dot = with_floats, without_bfloat16
