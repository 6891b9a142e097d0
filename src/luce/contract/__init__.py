"""The contract of the loss: every option, every kind of target and every error in words, for all front ends alike.

Nothing here knows NumPy, PyTorch or the compiled core: functions take shapes, kinds of dtype and plain numbers.
"""
