"""Run the benchmarks and print a table: ``python -m benchmarks [NAME...]``."""

from __future__ import annotations

import importlib
import os
import pkgutil
import platform
import sys

import benchmarks

THREADS = ("NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "BLIS_NUM_THREADS")


def main(names: list[str]) -> int:
    """Run the benchmarks named, or all; return 1 if a bar is missed."""
    os.environ.update(dict.fromkeys(THREADS, "1"))  # read when a benchmark imports numpy and numba
    known = sorted(module.name for module in pkgutil.iter_modules(benchmarks.__path__) if module.name[0] != "_")
    unknown = sorted(set(names) - set(known))
    if unknown:
        print(f"no benchmark named {', '.join(unknown)}; there are {', '.join(known)}", file=sys.stderr)
        return 2
    print(f"one thread, CPU time; {platform.machine()}, Python {platform.python_version()}")
    missed = 0
    for name in names or known:
        print(f"\n{name}")
        for row in importlib.import_module(f"benchmarks.{name}").measure():
            sign = ">=" if row.at_least else "<="
            verdict = "met" if row.met else "NOT MET"
            print(f"  {row.name:<58} {row.ours:>9.4g}  {sign} {row.bar:<7g} {verdict:<8} {row.detail}", flush=True)
            missed += not row.met
    print("\nall bars met" if not missed else f"\n{missed} bars not met")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
