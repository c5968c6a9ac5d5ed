"""Whose certificates are trusted, by whoever speaks to the shop: shoppers, marker, probe, books."""

import ssl

from doorbuster.errors import PlanError


def trusting(ca_file: str | None) -> ssl.SSLContext:
    """Return what verifies servers by the certificates in a file, or the system's.

    The system's give way to those in the environment's `SSL_CERT_FILE`, which httpx alone would
    not heed.
    """
    try:
        return ssl.create_default_context(cafile=ca_file)
    except OSError as error:
        raise PlanError(
            f"traffic.ca_file {ca_file!r}: {error}; expected certificates in PEM"
        ) from error
