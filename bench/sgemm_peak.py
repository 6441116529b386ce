#!/usr/bin/env python3
"""The machine's single-precision limit: OpenBLAS sgemm, GFLOP/s at 1 and 2 threads.

    sgemm_peak.py [--size 2048] [--seconds 2] [--threads 1 2]

Prints one JSON line per thread count. Needs libopenblas only. The best of the calls that fit into
--seconds is taken: a limit, not a mean.
"""
import argparse
import ctypes
import ctypes.util
import json
import time

ROW_MAJOR, NO_TRANS = 101, 111


def sgemm_peak(size, seconds, threads):
    """(best GFLOP/s, number of calls) of C = A B with square matrices of `size`."""
    name = ctypes.util.find_library("openblas")
    if name is None:
        raise SystemExit("libopenblas is not installed")
    blas = ctypes.CDLL(name)
    blas.openblas_set_num_threads(threads)
    a, b, c = ((ctypes.c_float * (size * size))() for _ in range(3))
    for i in range(size * size):
        a[i] = b[i] = (i % 17) / 17
    one, zero, n = ctypes.c_float(1), ctypes.c_float(0), ctypes.c_int(size)
    best, calls, end = 0.0, 0, time.perf_counter() + seconds
    while calls < 3 or time.perf_counter() < end:
        start = time.perf_counter()
        blas.cblas_sgemm(ROW_MAJOR, NO_TRANS, NO_TRANS, n, n, n, one, a, n, b, n, zero, c, n)
        best = max(best, 2 * size**3 / (time.perf_counter() - start) / 1e9)
        calls += 1
    return best, calls


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, default=2048)
    parser.add_argument("--seconds", type=float, default=2)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    args = parser.parse_args()
    for threads in args.threads:
        gflops, calls = sgemm_peak(args.size, args.seconds, threads)
        print(json.dumps({"bench": "sgemm_peak", "threads": threads, "size": args.size,
                          "calls": calls, "gflops": round(gflops, 1)}))


if __name__ == "__main__":
    main()
