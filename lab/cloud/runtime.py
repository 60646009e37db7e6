"""A stand-in for a container runtime, on the socket /run/lab/docker.sock: it says yes and does nothing."""

import http.server
import json
import os
import socketserver

SOCKET = "/run/lab/docker.sock"


class Runtime(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.say(200, [])

    def do_POST(self):
        self.rfile.read(int(self.headers.get("Content-Length", "0")))
        self.say(201, {"Id": "0" * 64, "Warnings": []})

    def say(self, status, answer):
        body = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def address_string(self):
        return "-"

    def log_message(self, *_):
        """Says nothing."""


if os.path.exists(SOCKET):
    os.unlink(SOCKET)
server = socketserver.ThreadingUnixStreamServer(SOCKET, Runtime)
os.chmod(SOCKET, 0o666)
server.serve_forever()
