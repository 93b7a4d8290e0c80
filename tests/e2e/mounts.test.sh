#!/bin/bash
# What is mounted on the host after the daemon has started is what containers see, however much was made ahead of them.
. "$(dirname "$0")/lib.sh"
start_daemon
busybox_image
mkdir "$W/tmpfs"

gantry run --rm busybox true
sleep 1 # the shims of the next starts are made meanwhile
mount -t tmpfs none "$W/tmpfs"
echo above >"$W/tmpfs/file"
expect "a new mount" "$(gantry run --rm -v "$W/tmpfs:/b" busybox cat /b/file)" above
sleep 1
umount "$W/tmpfs"
echo beneath >"$W/tmpfs/file"
expect "without it again" "$(gantry run --rm -v "$W/tmpfs:/b" busybox cat /b/file)" beneath

# A layer that is a file-system image is mounted with the first start that needs it; those who stand by were made before.
stop_daemon
start_daemon
printf 'FROM scratch\nCOPY bin /bin\n' >"$W/Dockerfile"
gantry build -q -t small -f "$W/Dockerfile" "$W/rootfs" >/dev/null
[ -e "$(layers_of small)/fs" ] || fail "what is built is no directory"
[ -e "$(layers_of busybox)/image" ] || fail "what is imported is no image"
gantry run --rm small true
sleep 1
expect "no layer is mounted yet" "$(grep -c "$W/run/layers/" /proc/self/mountinfo || true)" 0
expect "an image's files" "$(gantry run --rm busybox echo there)" there
expect "one is" "$(grep -c "$W/run/layers/" /proc/self/mountinfo || true)" 1

# And who runs does not keep it when the image has gone.
gantry run -d --name runs small sleep 1000 >/dev/null
gantry image rm busybox >/dev/null
free() { ! losetup -l -n -O BACK-FILE | grep -qF "$W/"; }
eventually 10 free
gantry rm -f runs >/dev/null
