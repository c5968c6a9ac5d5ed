"""TLS as a pure codec between a request's bytes and a socket's: it reads and writes nothing."""

import ssl

from scenarios.endpoint import Endpoint

_PLAIN_BYTES = 65_536


class TlsCodec:
    """One connection's TLS: names and certificates are verified as the endpoint's context says.

    `ended` is set once the other side has said that it will say no more.
    """

    def __init__(self, endpoint: Endpoint) -> None:
        self.ended = False
        assert endpoint.tls is not None
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._tls = endpoint.tls.wrap_bio(
            self._incoming, self._outgoing, server_hostname=endpoint.hostname
        )

    def shake_hands(self, received: bytes) -> tuple[bool, bytes]:
        """Go on with the handshake; return whether it is over, and what has to be sent."""
        if received:
            self._incoming.write(received)
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            return False, self._outgoing.read()
        return True, self._outgoing.read()

    def encrypt(self, plain: bytes) -> bytes:
        """Return what has to be sent for `plain`."""
        self._tls.write(plain)
        return self._outgoing.read()

    def decrypt(self, received: bytes) -> bytes:
        """Return what the peer said by `received`: nothing while a record is incomplete."""
        self._incoming.write(received)
        parts = []
        while True:
            try:
                part = self._tls.read(_PLAIN_BYTES)
            except ssl.SSLWantReadError:
                break
            except ssl.SSLZeroReturnError:
                part = b""
            if not part:
                self.ended = True
                break
            parts.append(part)
        return b"".join(parts)
