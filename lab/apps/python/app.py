"""A small web application with one hole of each kind; SAFE=1 serves the same pages without them.

Runtime: gunicorn, synchronous workers: one thread handles one request at a time.
"""

import os
import subprocess
import urllib.parse
import urllib.request

import psycopg2
from flask import Flask, abort, render_template_string, request

app = Flask(__name__)
SAFE = os.environ.get("SAFE") == "1"
FILES = "/srv/files"
DATABASE = os.environ.get("DATABASE", "127.0.0.1")
# Hosts that the safe form may be asked to fetch from.
KNOWN_HOSTS = {"127.0.0.1"}
# Each worker keeps one connection, as pools do.
database = None


@app.get("/health")
def health():
    return "ok\n"


@app.get("/ping")
def ping():
    host = request.args.get("host", "127.0.0.1")
    if SAFE:
        done = subprocess.run(["echo", "pinging", host], capture_output=True, check=False)
    else:
        done = subprocess.run(f"echo pinging {host}", shell=True, capture_output=True, check=False)
    return done.stdout


@app.get("/fetch")
def fetch():
    url = request.args.get("url", "http://127.0.0.1:8080/health")
    if SAFE and urllib.parse.urlsplit(url).hostname not in KNOWN_HOSTS:
        abort(400)
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:
            return answer.read(65536)
    except OSError as error:
        return f"{error}\n", 502


@app.get("/file")
def file():
    name = request.args.get("name", "hello.txt")
    path = os.path.join(FILES, os.path.basename(name) if SAFE else name)
    try:
        with open(path, "rb") as found:
            return found.read(65536)
    except OSError:
        abort(404)


@app.get("/user")
def user():
    global database
    name = request.args.get("name", "alice")
    try:
        database = database or psycopg2.connect(host=DATABASE, user="shop", dbname="shop")
        database.autocommit = True
        with database.cursor() as cursor:
            if SAFE:
                cursor.execute("SELECT name, mail FROM people WHERE name = %s", (name,))
            else:
                cursor.execute(f"SELECT name, mail FROM people WHERE name = '{name}'")
            return "".join(f"{row}\n" for row in cursor.fetchall())
    except psycopg2.Error as error:
        return f"{error}\n", 500


@app.get("/hello")
def hello():
    name = request.args.get("name", "you")
    if SAFE:
        return render_template_string("Hello {{ name }}\n", name=name)
    return render_template_string(f"Hello {name}\n")
