"""Compiled twins of the proof system's hot loops: same names, same contracts, same results as the plain
functions.

Compiled once per machine by numba and cached beside the source; kernels.py puts plain and compiled side by
side.
"""
