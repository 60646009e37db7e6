"""A link preview: fetches the page that a visitor names and answers its title and beginning.

It fetches whatever it is asked to: a server-side request forgery (CWE-918). Beside that it does what
such applications do: a library keeps its role's credential fresh, and templates are read from a bucket.
"""

import json
import os
import re
import threading
import time
import urllib.parse
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import aws

SERVICE = "http://169.254.169.254/latest"
REFRESH_SECONDS = float(os.environ.get("REFRESH_SECONDS", "5"))


def fetch(url, method="GET", fields=None):
    request = urllib.request.Request(url, method=method, headers=fields or {})
    with urllib.request.urlopen(request, timeout=3) as answer:
        return answer.read(65536)


def fresh_credential():
    """As libraries of AWS ask for it: a token first, by version 2."""
    token = fetch(f"{SERVICE}/api/token", "PUT", {"X-aws-ec2-metadata-token-ttl-seconds": "21600"}).decode()
    fields = {"X-aws-ec2-metadata-token": token, "User-Agent": "Boto3/1.35.10 md/Botocore#1.35.10"}
    roles = f"{SERVICE}/meta-data/iam/security-credentials/"
    role = fetch(roles, fields=fields).decode().strip()
    return json.loads(fetch(roles + role, fields=fields))


def keep_reading():
    number = 0
    while True:
        try:
            client = aws.Client.of_metadata(fresh_credential())
            client.send("s3", "GET", f"/shop-previews/previews/{number % 8:02}.json")
            number += 1
        except OSError as error:
            print(f"preview: {error}", flush=True)
        time.sleep(REFRESH_SECONDS)


class Application(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        address = urllib.parse.urlsplit(self.path)
        if address.path == "/health":
            return self.say(200, b"ok\n")
        if address.path != "/preview":
            return self.say(404, b"no\n")
        url = urllib.parse.parse_qs(address.query).get("url", [""])[0]
        try:
            page = fetch(url).decode(errors="replace")
        except (OSError, ValueError) as error:
            return self.say(502, f"{error}\n".encode())
        title = re.search(r"<title>(.*?)</title>", page)
        told = {"url": url, "title": title[1] if title else "", "text": page[:4096]}
        return self.say(200, json.dumps(told).encode(), "application/json")

    def say(self, status, body, kind="text/plain"):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        """Says nothing."""


if __name__ == "__main__":
    threading.Thread(target=keep_reading, daemon=True).start()
    ThreadingHTTPServer(("0.0.0.0", 8080), Application).serve_forever()
