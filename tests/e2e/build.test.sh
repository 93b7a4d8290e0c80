#!/bin/bash
# `gantry build` with what a client lends and takes: secrets, an SSH agent, Git facts, outputs, caches, contexts from
# elsewhere; reproducible images.
. "$(dirname "$0")/lib.sh"

agent_pid=
end_servers() {
    local code=$?
    set +e
    [ ! -s "$W/git.pid" ] || kill "$(cat "$W/git.pid")" 2>/dev/null
    [ -z "$agent_pid" ] || kill "$agent_pid" 2>/dev/null
    (exit "$code")
    finish
}
trap end_servers EXIT
start_daemon
busybox_image base:1
mkdir -p "$W/app" && cd "$W/app"
inside() { gantry run --rm "$@"; }

say "a secret is a file in memory, or a variable, and nowhere else"
printf 'hunter2-%s' "$RANDOM$RANDOM" >"$W/token"
cat >Dockerfile <<'EOF'
FROM base:1
RUN --mount=type=secret,id=token stat -c '%a %u' /run/secrets/token > /seen && wc -c < /run/secrets/token >> /seen
RUN --mount=type=secret,id=token,env=TOKEN test -n "$TOKEN" && sh -c 'echo ${#TOKEN}' >> /seen
RUN test ! -e /run/secrets/token
EOF
gantry build -q -t lent --secret "id=token,src=$W/token" . >/dev/null
expect "what the steps saw" "$(inside lent cat /seen | tr '\n' ' ')" "400 0 $(wc -c <"$W/token") $(wc -c <"$W/token") "
expect "mount points are gone" "$(status inside lent ls /run/secrets)" 1
found=$(grep -rlaF -- "$(cat "$W/token")" "$W/data" "$W/run" "$W/gantryd.log" 2>/dev/null || true)
expect "the secret is on no disk" "$found" ""
printf 'FROM base:1\nRUN --mount=type=secret,id=token,required true\n' >Dockerfile
expect "without it the step is refused" "$(status gantry build .)" 2
contains "by name" "$(cat "$W/out")" 'the secret "token" is required'

say "an SSH agent of the client is there in the step"
eval "$(ssh-agent -a "$W/agent.sock")" >/dev/null
agent_pid=$SSH_AGENT_PID
ssh-keygen -q -t ed25519 -N '' -C builder-key -f "$W/key"
ssh-add -q "$W/key"
mkdir tools
for file in /usr/bin/ssh-add $(ldd /usr/bin/ssh-add | grep -o '/[^ ]*'); do cp -L --parents "$file" tools; done
cat >Dockerfile <<'EOF'
FROM base:1
COPY tools /
RUN --mount=type=ssh for i in 1 2 3; do ssh-add -l | grep -c builder-key; done > /keys
RUN ! test -e /run/buildkit
EOF
if status gantry build -q -t agent --ssh default . | grep -q '^0$'; then
    expect "keys seen" "$(inside agent cat /keys | tr '\n' ' ')" "1 1 1 "
else
    cat "$W/out"
    fail "the build with an agent failed"
fi
kill "$agent_pid"
agent_pid=
unset SSH_AUTH_SOCK
rm -r tools

say "stages that do not need each other run side by side"
cat >Dockerfile <<'EOF'
FROM base:1 AS a
RUN sleep 2; echo a > /a
FROM base:1 AS b
RUN sleep 2; echo b > /b
FROM base:1
COPY --from=a /a /
COPY --from=b /b /
EOF
begin=$(date +%s%N)
gantry build --progress plain -t both . 2>"$W/progress" >/dev/null
took=$((($(date +%s%N) - begin) / 1000000))
[ "$took" -lt 3900 ] || fail "two steps of 2 s took $took ms"
contains "progress" "$(cat "$W/progress")" "RUN sleep 2"

say "same inputs, same image, on another data directory and from the cache"
cat >Dockerfile <<'EOF'
FROM base:1
ARG WORD=x
RUN mkdir /made && echo $WORD > /made/file
COPY <<HERE /text
here
HERE
LABEL a=b
EOF
export SOURCE_DATE_EPOCH=1000000000
first=$(gantry build -q --no-cache .)
second=$(gantry build -q --no-cache .)
expect "rebuilt" "$second" "$first"
unset SOURCE_DATE_EPOCH
first=$(gantry build -q --build-arg WORD=y .)
second=$(gantry build -q --build-arg WORD=y .)
expect "from the cache" "$second" "$first"

say "an image knows its commit"
git init -q . && git config user.email t@example.com && git config user.name t
git remote add origin https://user:password@git.example/team/app.git
git add . && git commit -qm one
printf 'FROM base:1\nLABEL v=%s\n' "$RANDOM" >Dockerfile
git add . && git commit -qm two
id=$(gantry build -q -t commit .)
record=$(gantry image inspect "$id" | jq -c '.[0].build')
expect "revision" "$(jq -r .source.revision <<<"$record")" "$(git rev-parse HEAD)"
expect "repository" "$(jq -r .source.repository <<<"$record")" https://git.example/team/app.git
expect "clean" "$(jq -r .source.dirty <<<"$record")" false
expect "base" "$(jq -r '.bases[0].reference' <<<"$record")" base:1
expect "dockerfile" "$(jq -r .dockerfile_digest <<<"$record")" "sha256:$(sha256sum Dockerfile | cut -d' ' -f1)"
touch more
again=$(gantry build -q -t commit --provenance labels .)
expect "labels when asked for" "$(gantry image inspect "$again" | jq -r '.[0].config.config.Labels["org.opencontainers.image.revision"]')" "$(git rev-parse HEAD)-dirty"

say "outputs"
cat >Dockerfile <<'EOF'
FROM base:1 AS made
RUN mkdir -p /out/sub && echo one > /out/sub/one && ln -s sub/one /out/link
FROM scratch
COPY --from=made /out /
EOF
images=$(gantry image ls -q | sort | uniq | wc -l)
gantry build -q -o "$W/files" . >/dev/null
expect "files" "$(cat "$W/files/link")" one
contains "a tar on standard output" "$(gantry build -q -o - . | tar t)" ./sub/one
gantry build -q -o "type=oci,dest=$W/image.tar" --iidfile "$W/iid" --metadata-file "$W/meta.json" . >/dev/null
contains "an OCI layout" "$(tar tf "$W/image.tar")" index.json
expect "iidfile" "$(cat "$W/iid")" "$(jq -r '.["containerimage.config.digest"]' "$W/meta.json")"
expect "no images stay behind" "$(gantry image ls -q | sort | uniq | wc -l)" "$images"

say "caches go to a directory and come back"
cat >Dockerfile <<'EOF'
FROM base:1 AS made
RUN head -c 16 /dev/urandom | md5sum > /random
FROM base:1
COPY --from=made /random /
RUN cat /random > /again
EOF
gantry build -q -t cached --cache-to "type=local,dest=$W/cache" . >/dev/null
random=$(inside cached cat /again)
gantry image rm -f cached >/dev/null
curl -fsS -X POST --unix-socket "$W/run/docker.sock" http://d/build/prune >/dev/null
gantry build -q -t cached --cache-from "type=local,src=$W/cache" . >/dev/null
expect "the same random number" "$(inside cached cat /again)" "$random"

say "all builds share a budget"
printf 'FROM base:1\nRUN sleep 3\n' >Dockerfile
gantry build -q --no-cache . >/dev/null &
builder=$!
group() { find /sys/fs/cgroup -maxdepth 4 -path "*gantry-$(instance)/shared-builds/$1" | head -1; }
sleep 1.5
case $(group cpu.shares) in
"") expect "weight" "$(cat "$(group cpu.weight)")" 10 ;;
*) expect "shares" "$(cat "$(group cpu.shares)")" 256 ;;
esac
limit=$(cat "$(group memory.limit_in_bytes)$(group memory.max)")
total=$(($(awk '/MemTotal/ {print $2}' /proc/meminfo) * 1024))
[ "$limit" -lt "$total" ] && [ "$limit" -gt $((total / 2)) ] || fail "memory limit $limit of $total"
find "$(dirname "$(group cgroup.procs)")" -mindepth 1 -type d | grep -q . || fail "no step is in the group"
wait "$builder"

say "contexts and ADD from a repository"
git init -q "$W/repo" && cd "$W/repo"
git config user.email t@example.com && git config user.name t
mkdir sub && echo hello >sub/file && printf 'FROM base:1\nCOPY sub/file /file\n' >Dockerfile
git add . && git commit -qm one && git tag v1
echo later >sub/file && git commit -qam two
git clone -q --bare "$W/repo" "$W/www/repo.git" && git -C "$W/www/repo.git" update-server-info
cat >"$W/www/repo.git/hooks/post-checkout" <<EOF
#!/bin/sh
touch $W/hook-ran
EOF
chmod +x "$W/www/repo.git/hooks/post-checkout"
port=$(free_port)
git daemon --export-all --base-path="$W/www" --listen=127.0.0.1 --port=$port --reuseaddr --pid-file="$W/git.pid" --detach "$W/www"
eventually 10 git ls-remote "git://127.0.0.1:$port/repo.git"
cd "$W/app"
gantry build -q -t fromgit "git://127.0.0.1:$port/repo.git#v1" >/dev/null
expect "context at a tag" "$(inside fromgit cat /file)" hello
expect "its commit is known" "$(gantry image inspect fromgit | jq -r '.[0].build.source.revision')" "$(git -C "$W/repo" rev-parse v1)"
cat >Dockerfile <<EOF
FROM base:1
ADD git://127.0.0.1:$port/repo.git#master:sub /sub/
ADD --keep-git-dir=true git://127.0.0.1:$port/repo.git#$(git -C "$W/repo" rev-parse v1) /whole
EOF
sed -i "s/#master/#$(git -C "$W/repo" branch --show-current)/" Dockerfile
gantry build -q -t added . >/dev/null
expect "a directory of a branch" "$(inside added cat /sub/file)" later
expect "a commit" "$(inside added cat /whole/sub/file)" hello
expect "with .git" "$(inside added cat /whole/.git/HEAD)" "$(git -C "$W/repo" rev-parse v1)"
[ ! -e "$W/hook-ran" ] || fail "a hook ran"
printf 'FROM base:1\nADD git://127.0.0.1:%s/repo.git#nowhere /x\n' "$port" >Dockerfile
expect "a branch that is not there" "$(status gantry build .)" 1
contains "is named" "$(cat "$W/out")" 'has no "nowhere"'
printf 'FROM base:1\nADD file://%s/repo/sub/file /x\n' "$W" >Dockerfile
expect "local repositories are refused" "$(status gantry build .)" 2
kill "$(cat "$W/git.pid")" && rm "$W/git.pid"
