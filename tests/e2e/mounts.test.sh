#!/bin/bash
# What is mounted on the host after the daemon has started is what containers see, however much was made ahead of them.
. "$(dirname "$0")/lib.sh"
start_daemon
busybox_image
mkdir "$W/tmpfs"
trap 'umount "$W/tmpfs" 2>/dev/null || true; finish' EXIT

gantry run --rm busybox true
sleep 1 # the shims of the next starts are made meanwhile
mount -t tmpfs none "$W/tmpfs"
echo above >"$W/tmpfs/file"
expect "a new mount" "$(gantry run --rm -v "$W/tmpfs:/b" busybox cat /b/file)" above
sleep 1
umount "$W/tmpfs"
echo beneath >"$W/tmpfs/file"
expect "without it again" "$(gantry run --rm -v "$W/tmpfs:/b" busybox cat /b/file)" beneath
