"""upstream.py PORT TARGET_PORT DIRECTORY

A registry's front that can be made to fail: passes requests on to the registry at TARGET_PORT of this machine and writes
each into DIRECTORY/requests ("GET /v2/..."). DIRECTORY/mode says what is wrong with it: a status to answer with, "lie"
(blobs have other bytes), "slow" (blobs come at 2 MB/s), or nothing.
"""
import http.client
import http.server
import os
import sys
import time

PORT, TARGET, DIRECTORY = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
PIECE = 200_000


def mode():
    try:
        with open(os.path.join(DIRECTORY, "mode")) as file:
            return file.read().strip()
    except FileNotFoundError:
        return ""


class Front(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def refuse(self, status):
        body = b'{"errors":[{"code":"TOOMANYREQUESTS","message":"made to fail"}]}'
        self.send_response(status)
        if status == 429:
            self.send_header("Retry-After", "120")
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def do_GET(self):
        with open(os.path.join(DIRECTORY, "requests"), "a") as file:
            asked = [self.command, self.path, self.headers.get("Range", "")]
            file.write(" ".join(filter(None, asked)) + "\n")
        now = mode()
        if now.isdigit():
            return self.refuse(int(now))
        target = http.client.HTTPConnection("127.0.0.1", TARGET)
        kept = ("accept", "range", "authorization")
        target.request(self.command, self.path, headers={k: v for k, v in self.headers.items() if k.lower() in kept})
        answer = target.getresponse()
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in ("date", "server", "connection"):
                self.send_header(name, value)
        self.end_headers()
        blob = "/blobs/" in self.path and self.command == "GET"
        while piece := answer.read(PIECE):
            if blob and now == "lie":
                piece = bytes(b ^ 1 for b in piece)
            if blob and now == "slow":
                time.sleep(0.1)
            self.wfile.write(piece)
        target.close()

    do_HEAD = do_GET


http.server.ThreadingHTTPServer(("127.0.0.1", PORT), Front).serve_forever()
