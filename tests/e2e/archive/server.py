"""A Debian archive on loopback that misbehaves: server.py FOLDER LOG prints its port and serves FOLDER until it is killed.

The first part of an address says how: `/whole/…` as the files are; what has `moved` in its name is not there (`drop`), is another file
(`replace`), has a byte changed (`corrupt`), ends in the middle (`half`), or never comes (`hang`). Each request is a line of LOG.
"""
import http.server
import os
import pathlib
import sys
import time
import urllib.parse

FOLDER, LOG = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        path = urllib.parse.unquote(self.path).lstrip("/")
        with LOG.open("a") as log:
            log.write(path + "\n")
        manner, _, file = path.partition("/")
        if "moved" not in os.path.basename(file):
            manner = "whole"
        file = FOLDER / file
        if manner == "drop" or not file.is_file():
            return self.send_error(404)
        data = file.read_bytes()
        if manner == "hang":
            time.sleep(3600)
        if manner == "replace":
            data = b"another version of the same name\n"
        if manner == "corrupt":
            data = data[:-1] + bytes([data[-1] ^ 1])
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data[: len(data) // 2] if manner == "half" else data)

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
server.daemon_threads = True
print(server.server_address[1], flush=True)
server.serve_forever()
