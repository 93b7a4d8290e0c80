#!/bin/bash
# What the daemon fetches itself: `docker import` and `docker build` from an address, ADD of one, and addresses that are wrong.
. "$(dirname "$0")/docker-lib.sh"
start_daemon
busybox_image
export DOCKER_BUILDKIT=0
cd "$W"
mkdir -p site context/inner root/etc
echo "from afar" >root/etc/motd
tar -C root -czf site/root.tar.gz .
printf 'FROM busybox\nCOPY inner/word /word\nCMD ["cat", "/word"]\n' >context/Dockerfile
echo "in the context" >context/inner/word
for pack in gz:z bz2:j xz:J; do tar -C context "-c${pack#*:}f" "site/context.tar.${pack%:*}" .; done
tar -C context -cf site/context.tar .
printf 'FROM busybox\nLABEL alone=yes\n' >site/Dockerfile.alone
head -c 100000 /dev/urandom >site/noise
head -c 2000 site/context.tar.gz | head -c 100 >site/torn.tar.gz
P=$(free_port)
/usr/bin/python3 - "$P" "$W/site" >served 2>&1 <<'PY' &
import functools, http.server, sys

class Site(http.server.SimpleHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/moved":
            self.send_response(302)
            self.send_header("Location", "/root.tar.gz")
            self.end_headers()
        elif self.path == "/for-ever":
            self.send_response(302)
            self.send_header("Location", "/for-ever")
            self.end_headers()
        elif self.path == "/short":
            self.send_response(200)
            self.send_header("Content-Length", "100000")
            self.end_headers()
            self.wfile.write(b"only this")
        else:
            super().do_GET()

http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), functools.partial(Site, directory=sys.argv[2])).serve_forever()
PY
SERVERS=" $!"
U=http://127.0.0.1:$P
in_time "the server" 5 curl -fsS -o /dev/null "$U/root.tar.gz"

say "docker import"
quietly docker import -c 'CMD ["cat", "/etc/motd"]' -m "afar" "$U/root.tar.gz" far:1
quietly docker create --name far far:1
expect "its files" "$(docker cp far:/etc/motd - | tar -xO)" "from afar"
expect "its changes" "$(field far:1 '{{json .Config.Cmd}} {{.Comment}}')" '["cat","/etc/motd"] afar'
expect "an address without http://" "$(raw POST "/v1.51/images/create?fromSrc=127.0.0.1:$P/root.tar.gz&repo=far&tag=2" | tail -n 1)" 200
quietly docker import "$U/moved" far:3
expect "the same layer each time" "$(docker image inspect far:1 far:2 far:3 -f '{{index .RootFS.Layers 0}}' | sort -u | wc -l)" 1
quietly docker rm far

say "docker build"
# The client fetches addresses itself; others (SDKs) leave it to the daemon.
remote() { raw POST "/v1.51/build?t=$1&remote=$2"; }
for pack in tar tar.gz tar.bz2 tar.xz; do
    quietly docker build -q -t "client:$pack" "$U/context.$pack"
    expect "$pack, by the client" "$(docker run --rm "client:$pack")" "in the context"
    quietly remote "daemon:$pack" "$U/context.$pack"
    expect "$pack, by the daemon" "$(docker run --rm "daemon:$pack")" "in the context"
done
quietly remote alone "$U/Dockerfile.alone"
expect "a Dockerfile alone" "$(field alone '{{.Config.Labels.alone}}')" yes
printf 'FROM busybox\nADD %s/root.tar.gz /fetched/\nADD --chmod=600 %s/context.tar /renamed\nRUN ls -l /fetched /renamed > /list\n' "$U" "$U" >context/Dockerfile
quietly docker build -q -t adds context
matches "ADD keeps an archive as it is" "$(docker run --rm adds cat /list | tr '\n' ' ')" '-rw------- .*/renamed .* root.tar.gz '
printf 'FROM busybox\nRUN echo over > /standard\n' | docker build -q -t standard - >/dev/null 2>&1
expect "a Dockerfile from standard input" "$(docker run --rm standard cat /standard)" over

say "what is refused"
refused "import: not there" 1 "404" docker import "$U/none.tar" bad:1
refused "import: nobody listens" 1 "127.0.0.1:1" docker import http://127.0.0.1:1/x.tar bad:1
refused "import: for ever somewhere else" 1 "redirect" docker import "$U/for-ever" bad:1
refused "import: less than was promised" 1 "" docker import "$U/short" bad:1
refused "import: no archive" 1 "" docker import "$U/noise" bad:1
refused "import: a torn one" 1 "" docker import "$U/torn.tar.gz" bad:1
contains "import: a file of the host" "$(raw POST "/v1.51/images/create?fromSrc=file:///etc/passwd&repo=bad&tag=1")" "give an http or https address"
contains "build: not there" "$(remote bad:2 "$U/none.tar")" "404"
contains "build: noise" "$(remote bad:2 "$U/noise")" "message"
contains "build: a torn archive" "$(remote bad:2 "$U/torn.tar.gz")" "message"
contains "build: a file of the host" "$(remote bad:2 "file:///etc/passwd")" "message"
printf 'FROM busybox\nADD %s/none /x\n' "$U" >context/Dockerfile
refused "ADD: not there" 1 "404" docker build -q -t bad:3 context
expect "no image of these" "$(docker images -q --filter 'reference=bad' | wc -l)" 0
expect "nothing lies about" "$(find "$W/data" -name 'remote-*' | wc -l)" 0
