"""A Toxiproxy-compatible server in a process of its own: `python -m chaos.proxy -port 8474`.

It speaks the API of Toxiproxy 2.12 to the byte, so any Toxiproxy client drives it, and has all of
its toxics. Where it differs it does so on purpose; docs/proxy.md has the table of that, and the
conformance tests hold the server to it.
"""
