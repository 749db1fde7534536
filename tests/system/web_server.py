# SPDX-License-Identifier: MIT
"""Serve 512 KiB of known bytes by HTTP: web_server.py ADDRESS PORT. Port 0 is any free one.

The first line of the output is the port. Each answer has the checksum that lwip-http-client checks.
"""

import http.server
import socket
import sys

DATA = bytes(range(256)) * 2048
checksum = 0xcbf29ce484222325  # FNV-1a, as examples/lwip-http.h has it
for byte in DATA:
    checksum = (checksum ^ byte) * 0x100000001b3 % 2**64


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", str(len(DATA)))
        self.send_header("X-FNV-1a-64", f"{checksum:016x}")
        self.end_headers()
        self.wfile.write(DATA)

    def log_message(self, *arguments):
        pass


class Server(http.server.ThreadingHTTPServer):
    address_family = socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET


server = Server((sys.argv[1], int(sys.argv[2])), Handler)
print(server.server_port, flush=True)
server.serve_forever()
