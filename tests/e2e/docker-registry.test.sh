#!/bin/bash
# The `docker` client and registries: login, push, pull, tags, digests, what a registry says without a pull, search.
. "$(dirname "$0")/docker-lib.sh"
. "$(dirname "$0")/registry-lib.sh"
command -v htpasswd >/dev/null || fail "htpasswd is not installed (packaging/packages.test)"
start_daemon
busybox_image
cd "$W"
open=127.0.0.1:$(free_port)
serve open "${open#*:}"
mkdir closed
htpasswd -Bbc closed/htpasswd somebody secret 2>/dev/null
closed=127.0.0.1:$(free_port)
serve closed "${closed#*:}"

say "push and pull"
since=$(date +%s.%N)
quietly docker tag busybox "$open/team/app:1"
quietly docker tag busybox "$open/team/app:2"
pushed=$(docker push "$open/team/app:1" 2>&1)
contains "push: where to" "$pushed" "The push refers to repository [$open/team/app]"
matches "push: the last line" "$(echo "$pushed" | tail -n 1)" '1: digest: sha256:[0-9a-f]{64} size: [0-9]+'
digest=$(echo "$pushed" | sed -n 's/.*digest: \(sha256:[0-9a-f]*\).*/\1/p')
contains "push again" "$(docker push "$open/team/app:1" 2>&1)" "Layer already exists"
quietly docker push -a "$open/team/app"
id=$(docker image inspect -f '{{.Id}}' busybox)
quietly docker rmi "$open/team/app:1" "$open/team/app:2"
contains "pull" "$(docker pull "$open/team/app:1")" "Status: Downloaded newer image for $open/team/app:1"
contains "pull again" "$(docker pull "$open/team/app:1")" "Status: Image is up to date for $open/team/app:1"
expect "pull -q" "$(docker pull -q "$open/team/app:1")" "$open/team/app:1"
expect "the same image" "$(docker image inspect -f '{{.Id}}' "$open/team/app:1")" "$id"
expect "its digest" "$(docker image inspect -f '{{index .RepoDigests 0}}' "$open/team/app:1")" "$open/team/app@$digest"
expect "by digest" "$(docker pull -q "$open/team/app@$digest")" "$open/team/app@$digest"
quietly docker pull -a "$open/team/app"
expect "pull -a" "$(docker images --format '{{.Tag}}' "$open/team/app" | sort -u | grep -v none | xargs)" "1 2"
docker rmi -f "$id" >/dev/null 2>&1 || true
busybox_image
expect "run pulls what is not there" "$(docker run --rm "$open/team/app:2" echo pulled 2>/dev/null)" pulled
expect "create --pull always" "$(status docker create --pull always --name pulled "$open/team/app:2" true)" 0
quietly docker rm pulled
refused "pull of what is not there" 1 "manifest" docker pull "$open/team/app:none"
refused "no such repository" 1 "$open/team/nothing" docker pull "$open/team/nothing"
refused "nobody answers" 1 "127.0.0.1:1" docker pull 127.0.0.1:1/app
refused "push of what is not there" 1 "An image does not exist locally with the tag: $open/none" docker push "$open/none"
refused "another platform" 1 "linux/s390x" docker pull --platform linux/s390x "$open/team/app:1"

say "who may"
quietly docker tag busybox "$closed/app:1"
refused "push by nobody" 1 "" docker push "$closed/app:1"
contains "...says why" "$(cat out)" "401"
refused "a wrong password" 1 "" docker login -u somebody -p wrong "$closed"
contains "login" "$(docker login -u somebody --password-stdin "$closed" <<<secret 2>&1)" "Login Succeeded"
quietly docker push "$closed/app:1"
docker rmi "$closed/app:1" >/dev/null
quietly docker pull "$closed/app:1"
printf 'FROM %s/app:1\nRUN echo built > /built\n' "$closed" >Dockerfile
docker rmi "$closed/app:1" >/dev/null
DOCKER_BUILDKIT=0 made docker build -q --pull -t built . && expect "build pulls with the login" "$(docker run --rm built cat /built)" built
quietly docker logout "$closed"
docker rmi "$closed/app:1" built >/dev/null 2>&1 || true
refused "pull after logout" 1 "auth" docker pull "$closed/app:1"

say "what a registry says without a pull"
answer=$(raw GET "/v1.51/distribution/$open/team/app:1/json")
expect "distribution: status" "${answer##*$'\n'}" 200
expect "distribution" "$(echo "$answer" | head -n 1 | jq -c '[.Descriptor.digest, (.Descriptor.size > 100), .Platforms]')" "[\"$digest\",true,[{\"architecture\":\"amd64\",\"os\":\"linux\"}]]"
matches "distribution: media type" "$(echo "$answer" | head -n 1 | jq -r .Descriptor.mediaType)" 'application/vnd\.(oci|docker)\..*manifest.*json'
expect "distribution of nothing" "$(raw GET "/v1.51/distribution/$open/team/none/json" | tail -n 1)" 404
expect "distribution, not signed in" "$(raw GET "/v1.51/distribution/$closed/app:1/json" | tail -n 1)" 401
auth=$(printf '{"username":"somebody","password":"secret"}' | base64 -w 0)
expect "distribution, signed in" "$(raw GET "/v1.51/distribution/$closed/app:1/json" -H "X-Registry-Auth: $auth" | tail -n 1)" 200
expect "distribution: a name that is none" "$(raw GET "/v1.51/distribution/UPPER/json" | tail -n 1)" 400
expect "manifest inspect" "$(docker manifest inspect --insecure "$open/team/app:1" | jq -r .schemaVersion)" 2

say "search"
refused "a registry that has none" 1 "has no search" docker search "$open/app"
# What Docker Hub answers is the only form there is; registries that have it serve the same.
cat >search.py <<'PY'
import http.server, json, sys, urllib.parse
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        url = urllib.parse.urlparse(self.path)
        found = url.path == "/v1/search"
        query = urllib.parse.parse_qs(url.query)
        rows = [{"name": f"library/{query['q'][0]}", "description": "the real one", "star_count": 900, "is_official": True, "is_automated": False},
                {"name": f"other/{query['q'][0]}", "description": None, "star_count": 3}] if found else []
        body = json.dumps({"num_results": len(rows), "results": rows}).encode()
        self.send_response(200 if found else 404)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_):
        pass
server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
print(server.server_port, flush=True)
server.serve_forever()
PY
/usr/bin/python3 search.py >search.port &
SERVERS="$SERVERS $!"
eventually 5 test -s search.port
hub=127.0.0.1:$(cat search.port)
expect "search" "$(docker search --format '{{.Name}} {{.StarCount}} {{.IsOfficial}} {{.Description}}' "$hub/nginx" | xargs)" "library/nginx 900 [OK] the real one other/nginx 3"
expect "--limit" "$(docker search --limit 1 --format '{{.Name}}' "$hub/nginx")" library/nginx
expect "--filter stars" "$(docker search --filter stars=10 --format '{{.Name}}' "$hub/nginx")" library/nginx
expect "--filter is-official" "$(docker search --filter is-official=false --format '{{.Name}}' "$hub/nginx")" other/nginx
refused "--limit of a thousand" 1 "is outside the range of [1, 100]" docker search --limit 1000 "$hub/nginx"
refused "an unknown filter" 1 "invalid filter" docker search --filter nosuch=1 "$hub/nginx"

say "events, and a client that leaves"
told=$(docker events --since "$since" --until 0s --filter type=image --format '{{.Action}} {{.Actor.Attributes.name}}')
for line in "push $open/team/app:1" "pull $open/team/app:1" "tag $open/team/app:1" "untag $open/team/app:1"; do contains "events" "$told" "$line"; done
for _ in 1 2 3; do timeout -s KILL 0.05 docker pull "$open/team/app:1" >/dev/null 2>&1 || true; done
expect "and it goes on" "$(docker pull -q "$open/team/app:1")" "$open/team/app:1"
docker rmi "$open/team/app:1" "$open/team/app:2" >/dev/null 2>&1
true
