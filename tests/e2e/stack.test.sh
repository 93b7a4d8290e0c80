#!/bin/bash
# A compose stack: up changes only the difference.
. "$(dirname "$0")/lib.sh"
start_daemon
busybox_image
mkdir "$W/shop"
cd "$W/shop"
port=$((20000 + RANDOM % 20000))
write() {
    cat >compose.yaml <<YAML
name: shop
services:
  web:
    image: busybox
    command: ["sh", "-c", "echo page-$1 > /www/index.html; exec httpd -f -p 80 -h /www"]
    ports: ["$port:80"]
    restart: always
    init: true
    healthcheck: { test: ["CMD", "wget", "-qO-", "http://127.0.0.1/"], interval: 1s, start_interval: 100ms, start_period: 5s }
    depends_on: { api: { condition: service_healthy }, job: { condition: service_completed_successfully } }
  api:
    image: busybox
    command: ["sh", "-c", "hostname > /www/index.html; exec httpd -f -p 80 -h /www"]
    ports: ["$((port + 1))-$((port + 9)):80"]
    init: true
    healthcheck: { test: "wget -qO- http://127.0.0.1/", interval: 1s, start_interval: 100ms, start_period: 5s }
    deploy: { replicas: $2 }
  job:
    image: busybox
    command: ["true"]
YAML
}
ids() { gantry ps -a --stack shop --format json | jq -r "[.[] | select(.spec.labels[\"gantry.service\"] == \"$1\") | .id] | sort | join(\" \")"; }

write one 2
say "two ups at once"
gantry up >"$W/up1" 2>&1 &
first=$!
gantry up >"$W/up2" 2>&1 || { cat "$W/up2"; fail "the second up failed"; }
wait "$first" || { cat "$W/up1"; fail "the first up failed"; }
expect "containers" "$(gantry ps -a --stack shop -q | wc -l)" 4
expect "published on loopback" "$(curl -fsS "http://127.0.0.1:$port/")" page-one
expect "each replica has a port of the range" "$(gantry ps --stack shop --format json | jq -r "[.[] | select(.spec.labels[\"gantry.service\"] == \"api\") | .ports[].host_port | select(. > $port and . < $((port + 10)))] | unique | length")" 2

say "up again changes nothing"
before="$(ids web) $(ids api)"
gantry up >/dev/null
expect "same containers" "$(ids web) $(ids api)" "$before"

say "names answer, and follow the replicas"
web=$(ids web)
expect "both replicas" "$(gantry exec "$web" nslookup api 2>/dev/null | awk '/^Address/ && !/:53/ { print $NF }' | grep -c '\.')" 2
expect "the page of a replica" "$(gantry exec "$web" wget -qO- http://api/ | wc -l)" 1
api=$(ids api)
write one 3
gantry up >/dev/null
expect "only one more" "$(comm -12 <(tr ' ' '\n' <<<"$api") <(ids api | tr ' ' '\n') | wc -l)" 2
expect "three" "$(ids api | wc -w)" 3
expect "web was not touched" "$(ids web)" "$web"
eventually 5 sh -c "[ \$(gantry exec $web nslookup api 2>/dev/null | awk '/^Address/ && !/:53/ { print \$NF }' | grep -c '\.') = 3 ]"

say "a changed service is recreated, the others stay"
api=$(ids api)
write two 3
gantry up >/dev/null
[ "$(ids web)" != "$web" ] || fail "web was not recreated"
expect "api stays" "$(ids api)" "$api"
eventually 5 sh -c "[ \"\$(curl -fsS http://127.0.0.1:$port/)\" = page-two ]"

say "stacks cannot reach each other"
mkdir "$W/other"
printf 'name: other\nservices:\n  spy:\n    image: busybox\n    command: ["sleep", "1000"]\n    init: true\n' >"$W/other/compose.yaml"
(cd "$W/other" && gantry up >/dev/null)
target=$(gantry inspect "$(ids web)" | jq -r 'if type == "array" then .[0] else . end | .addresses[0].ipv4')
[ "$(status gantry exec other-spy-1 timeout 2 wget -qO- "http://$target/")" != 0 ] || fail "another stack was reached by address"
expect "by name" "$(status gantry exec other-spy-1 nslookup web)" 1

say "down leaves nothing of it"
gantry down -t 1 >/dev/null
expect "containers" "$(gantry ps -a --stack shop -q | wc -l)" 0
expect "networks" "$(gantry network ls --format json | jq -r '.[].spec.name' | grep -c '^shop' || true)" 0
! curl -fsS --max-time 1 "http://127.0.0.1:$port/" 2>/dev/null || fail "the port still answers"
