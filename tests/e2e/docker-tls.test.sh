#!/bin/bash
# The Docker Engine API over TCP: with a certificate on both sides, and not at all without.
. "$(dirname "$0")/lib.sh"

certificate() { # NAME EXTENSIONS: signed by our authority
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$W/$1-key.pem" -subj "/CN=$1" -out "$W/$1.csr" 2>/dev/null
    openssl x509 -req -in "$W/$1.csr" -CA "$W/ca.pem" -CAkey "$W/ca-key.pem" -CAcreateserial -days 1 \
        -extfile <(echo "$2") -out "$W/$1-cert.pem" 2>/dev/null
}
authority() { openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$W/$1-key.pem" -subj "/CN=$1" -days 1 -out "$W/$1.pem" 2>/dev/null; }
authority ca
certificate server "subjectAltName=IP:127.0.0.1"
certificate alice "extendedKeyUsage=clientAuth"
mkdir "$W/other"
authority stranger

say "without its files it does not start, and says which"
expect "usage" "$(status gantryd --docker-tls 127.0.0.1:0 --tlscert "$W/none" --data-dir "$W/data" --run-dir "$W/run")" 2

start_daemon --docker-tls 127.0.0.1:0 --tlscert "$W/server-cert.pem" --tlskey "$W/server-key.pem" --tlscacert "$W/ca.pem"
busybox_image
port=$(sed -n 's/.*over TLS on 127.0.0.1 port \([0-9]*\).*/\1/p' "$W/gantryd.log")
[ -n "$port" ] || fail "no port was named"
remote() { docker -H "tcp://127.0.0.1:$port" --tlsverify --tlscacert "$W/ca.pem" --tlscert "$W/$1-cert.pem" --tlskey "$W/$1-key.pem" "${@:2}"; }

say "with a certificate everything works, streams both ways included"
expect "run" "$(remote alice run --rm busybox:latest echo over tls)" "over tls"
expect "input" "$(printf 'a\nb\n' | remote alice run -i --rm busybox:latest wc -l | tr -d ' ')" 2
expect "a lot of output" "$(remote alice run --rm busybox:latest head -c 3000000 /dev/zero | wc -c)" 3000000
expect "exit status" "$(status remote alice run --rm busybox:latest sh -c 'exit 9')" 9
grep -q '"principal":"certificate alice"' "$W/gantryd.log" || fail "the audit does not name the certificate"

say "without one, or with one of another authority, nothing does"
expect "no certificate" "$(curl -sk -o "$W/out" -w '%{http_code}' --max-time 5 "https://127.0.0.1:$port/_ping" || true)" 000
expect "plain HTTP" "$(curl -s -o "$W/out" -w '%{http_code}' --max-time 5 "http://127.0.0.1:$port/_ping" || true)" 000
cp "$W/stranger.pem" "$W/stranger-cert.pem"
[ "$(status remote stranger ps)" != 0 ] || fail "a certificate of another authority was accepted"
expect "it still serves" "$(remote alice run --rm busybox:latest echo fine)" fine
