"""The contract for NumPy: what a user gives as arrays, checked and brought to the rows that kernels take."""
