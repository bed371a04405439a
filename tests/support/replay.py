#!/usr/bin/python3
"""Repeats answers: stands in for an HTTP service whose exact words are known.

$REPLAY is PORT, and $ANSWERS a file {"/path": [status, {header: value}, body], "*": …}, which is read
anew for each request, so that a test changes the service by replacing it. Body: text, or JSON of any
shape; in it @NOW@ and @AGO:seconds@ become times. Status 0: never an answer. With $TLS, the name of a
directory, it speaks TLS alone, with cert.pem and key.pem from there.

Arguments are ignored, so that a container's command line can be the one that the real service has.
Each request is a line on stdout: METHOD PATH STATUS HOST.
"""
import datetime
import json
import os
import re
import signal
import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


def ago(seconds):
    now = datetime.datetime.now(datetime.timezone.utc)
    return (now - datetime.timedelta(seconds=seconds)).isoformat()


def text(body):
    if not isinstance(body, str):
        body = json.dumps(body)
    body = body.replace("@NOW@", ago(1))
    return re.sub(r"@AGO:(\d+)@", lambda m: ago(int(m[1])), body).encode()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        path = self.path.partition("?")[0]
        with open(os.environ["ANSWERS"], encoding="utf-8") as f:
            answers = json.load(f)
        status, headers, body = answers.get(path) or answers.get("*") or [404, {}, "not found"]
        print(self.command, path, status, self.headers.get("Host"), flush=True)
        if status == 0:
            threading.Event().wait()
        body = text(body)
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_HEAD = do_POST = do_GET

    def log_message(self, *_):
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, *_):
        """Who goes away in the middle is no news."""


def main():
    # the first process of a container has no default for it
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    server = Server(("", int(os.environ["REPLAY"])), Handler)
    if "TLS" in os.environ:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(os.environ["TLS"] + "/cert.pem", os.environ["TLS"] + "/key.pem")
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    server.serve_forever()


if __name__ == "__main__":
    main()
