"""The attacker's server: gives away the files of `tools` on port 8000, throws away what it is sent,
and takes part in the talk of miners on port 3333."""

import http.server
import socketserver
import threading


class Tools(http.server.SimpleHTTPRequestHandler):
    def __init__(self, *arguments):
        super().__init__(*arguments, directory="/srv/cloud/tools")

    def do_POST(self):
        self.rfile.read(int(self.headers.get("Content-Length", "0")))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        """Says nothing."""


class Pool(socketserver.StreamRequestHandler):
    def handle(self):
        self.rfile.readline()
        self.wfile.write(b'{"id":1,"jsonrpc":"2.0","error":null,"result":{"id":"1","status":"OK"}}\n')


threading.Thread(target=socketserver.ThreadingTCPServer(("0.0.0.0", 3333), Pool).serve_forever, daemon=True).start()
http.server.ThreadingHTTPServer(("0.0.0.0", 8000), Tools).serve_forever()
