"""Compiled twins of the proof system's hot loops: same names, same contracts, same results as the plain
functions.

numba compiles each on its first call on a machine and caches it beside the source; kernels.py puts plain
and compiled side by side. Whoever waits for the compiler is told so, once.
"""

import logging

from numba.core import event

_log = logging.getLogger(__name__)


class _Announce(event.Listener):
    """One log line when numba starts to compile (not: load from its cache) a function of this package."""

    def on_start(self, event):
        if event.data["dispatcher"].py_func.__module__.startswith(__name__):
            _log.warning("compiling the proof kernels: about 20 s, once on this machine, cached afterwards")
            _unregister()

    def on_end(self, event):
        """Nothing to say."""


def _unregister() -> None:
    event.unregister("numba:compile", _announce)


_announce = _Announce()
event.register("numba:compile", _announce)
