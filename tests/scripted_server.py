"""A server in a thread that does with each connection what a test says, by TCP or TLS."""

import socket
import ssl
import struct
import threading
from contextlib import contextmanager

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def _treat(behave, connection, number, tls):
    try:
        with connection if tls is None else tls.wrap_socket(connection, server_side=True) as opened:
            behave(opened, number)
    except OSError:
        connection.close()


@contextmanager
def server(behave, *, tls: ssl.SSLContext | None = None, family=socket.AF_INET):
    """Let `behave(connection, number)` treat each connection; yield the server's URL."""
    host = "127.0.0.1" if family == socket.AF_INET else "::1"
    listener = socket.create_server((host, 0), family=family)
    threads = []

    def accept():
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            thread = threading.Thread(target=_treat, args=(behave, connection, len(threads), tls))
            threads.append(thread)
            thread.start()

    acceptor = threading.Thread(target=accept)
    acceptor.start()
    named = host if family == socket.AF_INET else f"[{host}]"
    try:
        yield f"{'https' if tls else 'http'}://{named}:{listener.getsockname()[1]}"
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        acceptor.join()
        for thread in threads:
            thread.join()


def answering(*parts, then=None):
    def behave(connection, _number):
        connection.recv(65536)
        for part in parts:
            connection.sendall(part)
        if then:
            then(connection)

    return behave


def reset(connection):
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def linger(connection):
    """Keep the connection open, silently, until the client ends it."""
    connection.settimeout(5)
    connection.recv(1)


def keep_answering(raw, times=100):
    def behave(connection, _number):
        for _ in range(times):
            if not connection.recv(65536):
                return
            connection.sendall(raw)

    return behave
