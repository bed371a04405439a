#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Services that lie, stall, babble and break off, and what the prober must make of each.

usage: hostile.py PROBE-TOOL     probes every row over real sockets; exit status 1 if any differs
       hostile.py --serve NAME   only serves one row, and prints its port

Each row: name, kind, extra options, what the server does with a connection, verdict, part of the
reason. A server is a function of the connected socket; what it returns is sent, then it closes.
"""
import concurrent.futures
import socket
import ssl
import struct
import subprocess
import sys
import threading
import time

GOOD_AIRFLOW = (b'{"metadatabase":{"status":"healthy"},"scheduler":{"status":"healthy",'
                b'"latest_scheduler_heartbeat":"%s"}}')


def http(body=b"", status=b"200 OK", headers=b"", length=None):
    n = len(body) if length is None else length
    return b"HTTP/1.1 %s\r\n%sContent-Length: %d\r\nConnection: close\r\n\r\n%s" % (
        status, headers, n, body)


def answer(data):
    """Reads the request first, as a server does, then answers."""
    def run(c):
        c.recv(4096)
        return data
    return run


def at_once(data):
    return lambda c: data


def stall(data=b"", forever=3.0):
    def run(c):
        c.recv(4096)
        c.sendall(data)
        time.sleep(forever)
        return b""
    return run


def drip(data, pause=0.05):
    def run(c):
        c.recv(4096)
        for i in range(len(data)):
            c.sendall(data[i:i + 1])
            time.sleep(pause)
        return b""
    return run


def endless(head, block):
    def run(c):
        c.recv(4096)
        c.sendall(head)
        end = time.monotonic() + 5
        while time.monotonic() < end:
            c.sendall(block)
        return b""
    return run


def reset(data=b""):
    def run(c):
        c.recv(4096)
        c.sendall(data)
        c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        return b""
    return run


def tls(c):
    """A real server on OpenSSL: it closes on plain text without a word."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.wrap_socket(c.dup(), server_side=True)
    except (ssl.SSLError, OSError):
        pass
    return b""


def no_accept(c):
    time.sleep(3)
    return b""


def pg_error(state, text):
    body = b"SFATAL\0VFATAL\0C" + state + b"\0M" + text + b"\0\0"
    return b"E" + struct.pack(">I", len(body) + 4) + body


NOW = time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime()).encode()
TLS_ALERT = b"\x15\x03\x01\x00\x02\x02\x46"  # fatal, protocol_version; GnuTLS, Go, rustls, Java
DEEP = b"[" * 100000
JSON = ["--expect", "json:/status=ok"]

ROWS = [
    # honest ones first: a table that only fails proves nothing
    ("plain 200", "http", [], answer(http(b"hello")), "up", ""),
    ("chunked", "http", ["--expect", "body:^abcdef$"],
     answer(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n3\r\ndef\r\n0\r\n\r\n"),
     "up", ""),
    ("no length, closed", "http", ["--expect", "body:abc"], answer(b"HTTP/1.0 200 OK\r\n\r\nabc"),
     "up", ""),
    ("100 Continue first", "http", [], answer(b"HTTP/1.1 100 Continue\r\n\r\n" + http(b"x")), "up", ""),
    ("grafana", "grafana", [], answer(http(b'{"database":"ok"}')), "up", ""),
    ("airflow 3", "airflow", [], answer(http(GOOD_AIRFLOW % NOW)), "up", ""),
    ("mlflow", "mlflow", [], answer(http(b"OK")), "up", ""),
    ("prometheus", "prometheus", [], answer(http(b"Prometheus Server is Ready.\n")), "up", ""),
    # lies
    ("200, unhealthy in the body", "http", JSON, answer(http(b'{"status":"unhealthy"}')), "disputed",
     "it is unhealthy"),
    ("200, an error page", "grafana", [], answer(http(b"<html>Internal error")), "disputed", "not Grafana"),
    ("200, database failing", "grafana", [], answer(http(b'{"database":"failing"}')), "impaired", "failing"),
    ("airflow: 200, scheduler dead", "airflow", [],
     answer(http(GOOD_AIRFLOW.replace(b'scheduler":{"status":"healthy', b'scheduler":{"status":"unhealthy')
                 % b"2026-01-01T00:00:00+00:00")), "impaired", "scheduler heartbeat"),
    ("mlflow: 200, something else", "mlflow", [], answer(http(b"OK, but not really")), "disputed",
     "instead of OK"),
    ("503", "grafana", [], answer(http(b'{"database":"failing"}', b"503 Service Unavailable")), "impaired",
     "its database is failing"),
    ("prometheus replays", "prometheus", [],
     lambda c: http(b"", b"503 No") if b"ready" in c.recv(4096) else http(b"Healthy"), "starting",
     "not ready"),
    # stalls
    ("accepts, says nothing", "http", [], stall(), "silent", "no complete answer"),
    ("slow loris, head", "http", [], drip(http(b"x" * 100)), "disputed", "deadline"),
    ("slow loris, body", "http", [], stall(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab"), "disputed",
     "did not end"),
    ("redis says nothing", "redis", [], stall(), "silent", "did not answer"),
    ("redis drips", "redis", [], drip(b"+PONG\r\n" * 9, 0.2), "silent", "did not end"),
    ("postgres says nothing", "postgres", [], stall(), "silent", "did not answer"),
    ("interim answers without end", "http", [], endless(b"", b"HTTP/1.1 102 Processing\r\n\r\n"), "disputed",
     "not valid HTTP"),
    # floods
    ("endless body", "http", [], endless(b"HTTP/1.1 200 OK\r\n\r\n", b"x" * 65536), "up", ""),
    ("endless JSON", "grafana", [], endless(b"HTTP/1.1 200 OK\r\n\r\n", b"[[]," * 9999), "disputed",
     "more than 64K"),
    ("endless chunks", "mlflow", [],
     endless(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"4\r\nOKOK\r\n" * 999), "disputed",
     "instead of OK"),
    ("endless head", "http", [], endless(b"HTTP/1.1 200 OK\r\n", b"X-A: " + b"a" * 900 + b"\r\n"), "disputed",
     "not valid HTTP"),
    ("one endless header", "http", [], endless(b"HTTP/1.1 200 OK\r\nX: ", b"a" * 4096), "disputed", ""),
    ("endless line to redis", "redis", [], endless(b"+", b"P" * 4096), "disputed", "does not end"),
    ("endless message to postgres", "postgres", [], endless(b"E\0\0\x70\0", b"M" * 4096), "disputed",
     "does not end"),
    ("deep JSON", "http", JSON, answer(http(DEEP[:60000])), "disputed", "not JSON"),
    # broken protocol
    ("garbage", "http", [], answer(b"\x00\x01\x02garbage\xff\xfe" * 20), "disputed", "not HTTP"),
    ("NULs", "http", [], answer(b"\0" * 500), "disputed", "not HTTP"),
    ("NULs in the body", "mlflow", [], answer(http(b"\0\0OK\0")), "disputed", "\\x00"),
    ("length too large", "http", [], answer(http(b"abc", length=99)), "disputed", "in the middle"),
    ("length too small", "mlflow", [], answer(http(b"OK but unhealthy", length=2)), "up", ""),
    ("length negative", "http", [], answer(b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\nabc"), "disputed", ""),
    ("length of 20 digits is no length", "http", [],
     answer(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\nabc"), "up", ""),
    ("two lengths", "http", [],
     answer(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 30\r\n\r\nabc"), "disputed", ""),
    ("chunks of garbage", "http", [],
     answer(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nabc\r\n"), "disputed",
     "not valid HTTP"),
    ("chunk of 2^64", "http", [],
     answer(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\nabc\r\n"), "disputed",
     ""),
    ("closes at once", "http", [], at_once(b""), "silent", "closed"),
    ("resets", "http", [], reset(), "silent", "closed"),
    ("resets in the body", "http", [], reset(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nab"), "disputed",
     "closed in the middle"),
    ("redirects to itself", "http", ["--path", "/a"],
     answer(http(b"", b"302 Found", b"Location: /a\r\n")), "disputed", "redirects to itself"),
    ("redirects to a proxy's file", "http", [],
     answer(http(b"", b"302 Found", b"Location: file:///etc/passwd\r\n")), "disputed", "leads to file:///etc/passwd"),
    ("status 99", "http", [], answer(b"HTTP/1.1 99 Low\r\nContent-Length: 0\r\n\r\n"), "disputed", ""),
    ("status of letters", "http", [], answer(b"HTTP/1.1 abc OK\r\n\r\n"), "disputed", ""),
    ("HTTP/3.7", "http", [], answer(b"HTTP/3.7 200 OK\r\nContent-Length: 0\r\n\r\n"), "disputed", ""),
    ("TLS port, http", "http", [], answer(TLS_ALERT), "disputed", "TLS"),
    ("TLS port, redis", "redis", [], answer(TLS_ALERT), "disputed", "TLS"),
    ("TLS port, postgres", "postgres", [], answer(TLS_ALERT), "disputed", "TLS"),
    ("TLS port of OpenSSL, http", "http", [], tls, "disputed", "TLS"),
    ("TLS port of OpenSSL, redis", "redis", [], tls, "disputed", "TLS"),
    ("a status line without end", "http", [], endless(b"HTTP/1.1 200 ", b"O" * 4096), "disputed", ""),
    ("gzip nobody asked for", "http", JSON,
     answer(http(b"\x1f\x8b\x08" + b"\0" * 40, headers=b"Content-Encoding: gzip\r\n")), "disputed", "not JSON"),
    ("a switch of protocols", "http", [],
     answer(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n"), "disputed", ""),
    ("SSH behind http", "http", [], at_once(b"SSH-2.0-OpenSSH_9.2p1\r\n"), "disputed", ""),
    ("HTTP behind redis", "redis", [], answer(http(b"x", b"400 Bad Request")), "disputed", "not a Redis"),
    ("HTTP behind postgres", "postgres", [], answer(http(b"x", b"400 Bad Request")), "disputed",
     "not a Postgres"),
    ("redis behind postgres", "postgres", [], answer(b"-ERR Protocol error\r\n"), "disputed", "not a Postgres"),
    ("postgres behind redis", "redis", [], answer(pg_error(b"0A000", b"unsupported")), "disputed",
     "not a Redis"),
    ("terminal escapes", "postgres", [], answer(pg_error(b"57P03", b"\x1b[2J\x1b]0;x\x07")), "starting",
     "\\x1b[2J"),
    ("terminal escapes in JSON", "http", JSON, answer(http(b'{"status":"\\u001b[2J\\u202e"}')), "disputed",
     "\\x1b[2J"),
]


class Server:
    def __init__(self, behaviour):
        self.behaviour = behaviour
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            try:
                c, _ = self.socket.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(c,), daemon=True).start()

    def serve(self, c):
        try:
            data = self.behaviour(c)
            if data:
                c.sendall(data)
            c.close()
        except OSError:
            pass


def check(tool, row):
    name, kind, options, behaviour, verdict, reason = row
    server = Server(behaviour)
    begin = time.monotonic()
    try:
        p = subprocess.run([tool, "--timeout", "1", *options, kind, f"127.0.0.1:{server.port}"],
                           stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=20,
                           env={"http_proxy": "http://127.0.0.1:1", "HTTP_PROXY": "http://127.0.0.1:1",
                                "ALL_PROXY": "socks5://127.0.0.1:1"})
        out = p.stdout.decode(errors="replace").strip()
    except subprocess.TimeoutExpired:
        out = "(no verdict within 20 s)"
    took = time.monotonic() - begin
    server.socket.close()
    ok = out.split(" ")[0] == verdict and reason in out and out.isprintable() and took < 4
    return ok, f"{'ok' if ok else 'NOT OK'} - {name}: {out} [{took:.2f} s]" + (
        "" if ok else f"  (expected {verdict} … {reason})")


def main():
    if len(sys.argv) == 3 and sys.argv[1] == "--serve":
        server = Server(next(r[3] for r in ROWS if r[0] == sys.argv[2]))
        print(server.port, flush=True)
        threading.Event().wait()
    tool = sys.argv[1]
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        results = list(pool.map(lambda row: check(tool, row), ROWS))
    for _, line in results:
        print(line)
    bad = sum(not ok for ok, _ in results)
    print(f"{len(results)} rows, {bad} differ")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
