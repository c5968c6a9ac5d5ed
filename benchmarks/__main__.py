"""Run every benchmark, one after the other: `python -m benchmarks`."""

from benchmarks import adapter, proxy, storefront, traffic

if __name__ == "__main__":
    adapter.main()
    proxy.main()
    storefront.main()
    traffic.main()
