# Sourced after lib.sh by tests that need registries of their own: Debian's docker-registry on loopback ports, ended with
# the test.
for program in docker-registry skopeo python3; do
    command -v "$program" >/dev/null || fail "$program is not installed (packaging/packages.test)"
done

# serve NAME PORT: a registry of its own below $W/NAME, with users when $W/NAME/htpasswd exists; its process is in $SERVER
serve() {
    mkdir -p "$W/$1"
    {
        echo 'version: 0.1'
        echo 'log: {level: error, accesslog: {disabled: true}}'
        echo "storage: {filesystem: {rootdirectory: $W/$1/data}, delete: {enabled: true}}"
        echo "http: {addr: '127.0.0.1:$2'}"
        if [ -e "$W/$1/htpasswd" ]; then echo "auth: {htpasswd: {realm: test, path: $W/$1/htpasswd}}"; fi
    } >"$W/$1/config.yml"
    docker-registry serve "$W/$1/config.yml" >"$W/$1/log" 2>&1 &
    SERVER=$!
    SERVERS="$SERVERS $SERVER"
    eventually 20 curl -s -o /dev/null "http://127.0.0.1:$2/v2/"
}
copy() { skopeo --insecure-policy copy -q --dest-tls-verify=false --src-tls-verify=false "$@"; }

# make_image REFERENCE MEGABYTES [FILES]: pushes an image of busybox and a layer of its own, random, without our daemon
make_image() {
    python3 "$GANTRY_SOURCE/tests/e2e/make_image.py" "$@"
}

# see_image REFERENCE: its tree, put together without our daemon, is at $W/tmpfs/all until forget_image
see_image() {
    local place lower= number=0
    mkdir -p "$W/tmpfs"
    mount -t tmpfs tmpfs "$W/tmpfs"
    for place in $(layers_of "$1"); do
        if [ -e "$place/image" ]; then
            number=$((number + 1))
            mkdir "$W/tmpfs/$number"
            mount -t erofs -o loop,ro "$place/image" "$W/tmpfs/$number"
            place=$W/tmpfs/$number
        else
            place=$place/fs
        fi
        lower=$place${lower:+:$lower}
    done
    mkdir "$W/tmpfs/all"
    mount -t overlay overlay -o "ro,lowerdir=$lower" "$W/tmpfs/all"
}
forget_image() { umount -R "$W/tmpfs"; }
