"""Run every benchmark, one after the other: `python -m benchmarks`."""

from benchmarks import proxy

if __name__ == "__main__":
    proxy.main()
