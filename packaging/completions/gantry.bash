# bash completion for gantry; made by 'gantry completion bash'
_gantry() {
  local current="${COMP_WORDS[COMP_CWORD]}" command="${COMP_WORDS[1]}" options= values=
  if [ "$COMP_CWORD" -eq 1 ]; then
    COMPREPLY=($(compgen -W "attach build commit completion config cp create diff disk doctor down events exec export help image inspect kill login logout logs network pause prune ps pull push registry rename restart rm run stack start stats stop top unpause up update version volume wait" -- "$current"))
    return
  fi
  case "$command" in
    image)
      if [ "$COMP_CWORD" -eq 2 ]; then
        COMPREPLY=($(compgen -W "ls rm inspect tag history diff verify save load prune import bootstrap cp" -- "$current"))
        return
      fi
      command="$command ${COMP_WORDS[2]}" ;;
    network)
      if [ "$COMP_CWORD" -eq 2 ]; then
        COMPREPLY=($(compgen -W "ls create inspect rm connect disconnect prune" -- "$current"))
        return
      fi
      command="$command ${COMP_WORDS[2]}" ;;
    registry)
      if [ "$COMP_CWORD" -eq 2 ]; then
        COMPREPLY=($(compgen -W "tags ls gc" -- "$current"))
        return
      fi
      command="$command ${COMP_WORDS[2]}" ;;
    stack)
      if [ "$COMP_CWORD" -eq 2 ]; then
        COMPREPLY=($(compgen -W "ls" -- "$current"))
        return
      fi
      command="$command ${COMP_WORDS[2]}" ;;
    volume)
      if [ "$COMP_CWORD" -eq 2 ]; then
        COMPREPLY=($(compgen -W "ls create inspect rm prune" -- "$current"))
        return
      fi
      command="$command ${COMP_WORDS[2]}" ;;
  esac
  case "$command" in
    "up")
      options="-d --detach --attach --build --no-build --pull --force-recreate -V --renew-anon-volumes --no-start --wait --no-wait --wait-timeout --remove-orphans --keep-orphans --scale -q --quiet -f --file -p --project-name --project-directory --profile --env-file -H --host --format --progress -h --help"
      [[ $current == -* ]] || values="$(gantry config --services 2>/dev/null)"
      ;;
    "down")
      options="-v --volumes --images -t --timeout --remove-orphans -q --quiet -f --file -p --project-name --project-directory --profile --env-file -H --host --format --progress -h --help"
      ;;
    "config")
      options="-q --quiet --services --images -f --file -p --project-name --project-directory --profile --env-file -H --host --format --progress -h --help"
      ;;
    "stack ls")
      options="-q --quiet -H --host --format --progress -h --help"
      ;;
    "run")
      options="--trace -d --detach -i --interactive -t --tty --rm --privileged --read-only --init -P --publish-all --oom-kill-disable --no-healthcheck --name -u --user -w --workdir -h --hostname --restart -m --memory --memory-swap --memory-reservation --cpus -c --cpu-shares --cpuset-cpus --log-driver --pids-limit --shm-size --runtime --pid --ipc --uts --cgroupns --domainname --cpu-quota --cpu-period --cpuset-mems --memory-swappiness --oom-score-adj --blkio-weight --userns --stop-signal --stop-timeout --health-cmd --health-interval --health-timeout --health-retries --health-start-period --health-start-interval --env-file -e --env -v --volume --mount --tmpfs -p --publish -l --label --cap-add --cap-drop --security-opt --log-opt --ulimit --sysctl --add-host --dns --dns-search --dns-option --device --device-cgroup-rule --device-read-bps --device-write-bps --device-read-iops --device-write-iops --group-add --link --volumes-from --expose --annotation --entrypoint --network --net --network-alias --ip --ip6 --mac-address --detach-keys --pull --platform -q --quiet -H --host --format --progress --help"
      [[ $current == -* ]] || values="$(gantry image ls 2>/dev/null | awk 'NR > 1 {print $1}')"
      ;;
    "create")
      options="-d --detach -i --interactive -t --tty --rm --privileged --read-only --init -P --publish-all --oom-kill-disable --no-healthcheck --name -u --user -w --workdir -h --hostname --restart -m --memory --memory-swap --memory-reservation --cpus -c --cpu-shares --cpuset-cpus --log-driver --pids-limit --shm-size --runtime --pid --ipc --uts --cgroupns --domainname --cpu-quota --cpu-period --cpuset-mems --memory-swappiness --oom-score-adj --blkio-weight --userns --stop-signal --stop-timeout --health-cmd --health-interval --health-timeout --health-retries --health-start-period --health-start-interval --env-file -e --env -v --volume --mount --tmpfs -p --publish -l --label --cap-add --cap-drop --security-opt --log-opt --ulimit --sysctl --add-host --dns --dns-search --dns-option --device --device-cgroup-rule --device-read-bps --device-write-bps --device-read-iops --device-write-iops --group-add --link --volumes-from --expose --annotation --entrypoint --network --net --network-alias --ip --ip6 --mac-address --detach-keys --pull --platform -q --quiet -H --host --format --progress --help"
      [[ $current == -* ]] || values="$(gantry image ls 2>/dev/null | awk 'NR > 1 {print $1}')"
      ;;
    "exec")
      options="-i --interactive -t --tty -d --detach --privileged -e --env --env-file -u --user -w --workdir --detach-keys -H --host --format --progress -h --help"
      [[ $current == -* ]] || values="$(gantry ps -a --names 2>/dev/null)"
      ;;
    "attach")
      options="--no-stdin --detach-keys -H --host --format --progress -h --help"
      [[ $current == -* ]] || values="$(gantry ps -a --names 2>/dev/null)"
      ;;
    "ps")
      options="-a --all -q --quiet --names --no-trunc --stack --filter -H --host --format --progress -h --help"
      ;;
    "logs")
      options="-f --follow -t --timestamps --no-log-prefix -n --tail --since --until -H --host --format --progress -h --help"
      [[ $current == -* ]] || values="$(gantry ps -a --names 2>/dev/null)"
      ;;
    "start")
      options="-H --host --format --progress -h --help"
      [[ $current == -* ]] || values="$(gantry ps -a --names 2>/dev/null)"
      ;;
    "stop")
      options="-t --time --timeout -H --host --format --progress -h --help"
      [[ $current == -* ]] || values="$(gantry ps -a --names 2>/dev/null)"
      ;;
    "restart")
      options="-t --time --timeout -H --host --format --progress -h --help"
      [[ $current == -* ]] || values="$(gantry ps -a --names 2>/dev/null)"
      ;;
    "kill")
      options="-s --signal -H --host --format --progress -h --help"
      [[ $current == -* ]] || values="$(gantry ps -a --names 2>/dev/null)"
      ;;
    "pause")
      options="-H --host --format --progress -h --help"
      [[ $current == -* ]] || values="$(gantry ps -a --names 2>/dev/null)"
      ;;
    "unpause")
      options="-H --host --format --progress -h --help"
      [[ $current == -* ]] || values="$(gantry ps -a --names 2>/dev/null)"
      ;;
    "rename")
      options="-H --host --format --progress -h --help"
      [[ $current == -* ]] || values="$(gantry ps -a --names 2>/dev/null)"
      ;;
    "wait")
      options="-H --host --format --progress -h --help"
      [[ $current == -* ]] || values="$(gantry ps -a --names 2>/dev/null)"
      ;;
    "rm")
      options="-f --force -v --volumes -H --host --format --progress -h --help"
      [[ $current == -* ]] || values="$(gantry ps -a --names 2>/dev/null)"
      ;;
    "inspect")
      options="-H --host --format --progress -h --help"
      [[ $current == -* ]] || values="$(gantry ps -a --names 2>/dev/null)"
      ;;
    "cp")
      options="-a --archive -L --follow-link -H --host --format --progress -h --help"
      ;;
    "diff")
      options="-H --host --format --progress -h --help"
      [[ $current == -* ]] || values="$(gantry ps -a --names 2>/dev/null)"
      ;;
    "commit")
      options="-a --author -c --change -m --message --no-pause -H --host --format --progress -h --help"
      [[ $current == -* ]] || values="$(gantry ps -a --names 2>/dev/null)"
      ;;
    "export")
      options="-o --output -H --host --format --progress -h --help"
      [[ $current == -* ]] || values="$(gantry ps -a --names 2>/dev/null)"
      ;;
    "stats")
      options="--no-stream -H --host --format --progress -h --help"
      [[ $current == -* ]] || values="$(gantry ps -a --names 2>/dev/null)"
      ;;
    "top")
      options="-H --host --format --progress -h --help"
      [[ $current == -* ]] || values="$(gantry ps -a --names 2>/dev/null)"
      ;;
    "update")
      options="-m --memory --memory-swap --memory-reservation --cpus -c --cpu-shares --cpu-quota --cpu-period --cpuset-cpus --cpuset-mems --pids-limit --blkio-weight --restart -H --host --format --progress -h --help"
      [[ $current == -* ]] || values="$(gantry ps -a --names 2>/dev/null)"
      ;;
    "disk")
      options="-a --all -H --host --format --progress -h --help"
      ;;
    "prune")
      options="-a --all -H --host --format --progress -h --help"
      ;;
    "build")
      options="-t --tag -f --file --build-arg --target --label --secret --ssh -o --output --platform --pull --no-cache --no-cache-filter --cache-from --cache-to --network --add-host -m --memory --cpus --shm-size --ulimit --provenance --iidfile --metadata-file --load --push -q --quiet -H --host --format --progress -h --help"
      ;;
    "image ls")
      options="-q --quiet --no-trunc -a --all -H --host --format --progress -h --help"
      [[ $current == -* ]] || values="$(gantry image ls 2>/dev/null | awk 'NR > 1 {print $1}')"
      ;;
    "image rm")
      options="-f --force -H --host --format --progress -h --help"
      [[ $current == -* ]] || values="$(gantry image ls 2>/dev/null | awk 'NR > 1 {print $1}')"
      ;;
    "image inspect")
      options="-H --host --format --progress -h --help"
      [[ $current == -* ]] || values="$(gantry image ls 2>/dev/null | awk 'NR > 1 {print $1}')"
      ;;
    "image tag")
      options="-H --host --format --progress -h --help"
      [[ $current == -* ]] || values="$(gantry image ls 2>/dev/null | awk 'NR > 1 {print $1}')"
      ;;
    "image history")
      options="--no-trunc -H --host --format --progress -h --help"
      [[ $current == -* ]] || values="$(gantry image ls 2>/dev/null | awk 'NR > 1 {print $1}')"
      ;;
    "image diff")
      options="-H --host --format --progress -h --help"
      [[ $current == -* ]] || values="$(gantry image ls 2>/dev/null | awk 'NR > 1 {print $1}')"
      ;;
    "image verify")
      options="--repair -q --quiet -H --host --format --progress -h --help"
      [[ $current == -* ]] || values="$(gantry image ls 2>/dev/null | awk 'NR > 1 {print $1}')"
      ;;
    "image save")
      options="-o --output -H --host --format --progress -h --help"
      [[ $current == -* ]] || values="$(gantry image ls 2>/dev/null | awk 'NR > 1 {print $1}')"
      ;;
    "image load")
      options="-i --input -q --quiet -H --host --format --progress -h --help"
      ;;
    "image prune")
      options="-a --all --filter -H --host --format --progress -h --help"
      ;;
    "image import")
      options="-H --host --format --progress -h --help"
      ;;
    "image bootstrap")
      options="--package -q --quiet -H --host --format --progress -h --help"
      ;;
    "pull")
      options="--platform --policy -q --quiet -H --host --format --progress -h --help"
      [[ $current == -* ]] || values="$(gantry image ls 2>/dev/null | awk 'NR > 1 {print $1}')"
      ;;
    "push")
      options="-q --quiet -H --host --format --progress -h --help"
      [[ $current == -* ]] || values="$(gantry image ls 2>/dev/null | awk 'NR > 1 {print $1}')"
      ;;
    "image cp")
      options="-a --all -r --referrers --platform -q --quiet -H --host --format --progress -h --help"
      [[ $current == -* ]] || values="$(gantry image ls 2>/dev/null | awk 'NR > 1 {print $1}')"
      ;;
    "login")
      options="-u --username -p --password --password-stdin -H --host --format --progress -h --help"
      ;;
    "logout")
      options="-H --host --format --progress -h --help"
      ;;
    "registry tags")
      options="-H --host --format --progress -h --help"
      ;;
    "registry ls")
      options="-H --host --format --progress -h --help"
      ;;
    "registry gc")
      options="--untagged --now -H --host --format --progress -h --help"
      ;;
    "network ls")
      options="-q --quiet -H --host --format --progress -h --help"
      ;;
    "network create")
      options="--subnet --gateway --ip-range --aux-address -o --opt --internal --no-ipv6 --label -H --host --format --progress -h --help"
      ;;
    "network inspect")
      options="-H --host --format --progress -h --help"
      [[ $current == -* ]] || values="$(gantry network ls -q 2>/dev/null)"
      ;;
    "network rm")
      options="-H --host --format --progress -h --help"
      [[ $current == -* ]] || values="$(gantry network ls -q 2>/dev/null)"
      ;;
    "network connect")
      options="--ip --ip6 --mac-address --alias --gw-priority -H --host --format --progress -h --help"
      [[ $current == -* ]] || values="$(gantry network ls -q 2>/dev/null)"
      ;;
    "network disconnect")
      options="-H --host --format --progress -h --help"
      [[ $current == -* ]] || values="$(gantry network ls -q 2>/dev/null)"
      ;;
    "network prune")
      options="--label -H --host --format --progress -h --help"
      ;;
    "volume ls")
      options="-q --quiet -H --host --format --progress -h --help"
      ;;
    "volume create")
      options="--label -o --opt -H --host --format --progress -h --help"
      ;;
    "volume inspect")
      options="-H --host --format --progress -h --help"
      [[ $current == -* ]] || values="$(gantry volume ls -q 2>/dev/null)"
      ;;
    "volume rm")
      options="-H --host --format --progress -h --help"
      [[ $current == -* ]] || values="$(gantry volume ls -q 2>/dev/null)"
      ;;
    "volume prune")
      options="-a --all --label -H --host --format --progress -h --help"
      ;;
    "events")
      options="--since --until --no-follow --filter -H --host --format --progress -h --help"
      ;;
    "doctor")
      options="-H --host --format --progress -h --help"
      ;;
    "version")
      options="-q --quiet -H --host --format --progress -h --help"
      ;;
    "completion")
      options="-H --host --format --progress -h --help"
      [[ $current == -* ]] || values="$(printf 'bash\nzsh\nfish\n')"
      ;;
    "help")
      options="--man -H --host --format --progress -h --help"
      ;;
  esac
  if [[ $current == -* ]]; then
    COMPREPLY=($(compgen -W "$options" -- "$current"))
  elif [ -n "$values" ]; then
    COMPREPLY=($(compgen -W "$values" -- "$current"))
  fi
}
complete -o default -F _gantry gantry
