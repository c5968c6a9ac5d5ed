"""Run every benchmark, one after the other: `python -m benchmarks`."""

from benchmarks import proxy, storefront, traffic

if __name__ == "__main__":
    proxy.main()
    storefront.main()
    traffic.main()
