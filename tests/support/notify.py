#!/usr/bin/env python3
"""notify.py SOCKET: listens where systemd's NOTIFY_SOCKET would be, and prints what is sent, one
assignment a line, in the order in which it came."""
import os
import socket
import sys

with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
    try:
        os.unlink(sys.argv[1])
    except FileNotFoundError:
        pass
    s.bind(sys.argv[1])
    while True:
        print(s.recv(65536).decode(errors="replace"), flush=True)
