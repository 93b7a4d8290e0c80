# bash completion for gantry; made by 'gantry completion bash'
_gantry() {
  local current="${COMP_WORDS[COMP_CWORD]}" command="${COMP_WORDS[1]}" options= values=
  if [ "$COMP_CWORD" -eq 1 ]; then
    COMPREPLY=($(compgen -W "attach build completion config create doctor down events exec help image inspect kill logs network ps restart rm run stack start stop up version volume wait" -- "$current"))
    return
  fi
  case "$command" in
    image)
      if [ "$COMP_CWORD" -eq 2 ]; then
        COMPREPLY=($(compgen -W "ls rm inspect tag import bootstrap" -- "$current"))
        return
      fi
      command="$command ${COMP_WORDS[2]}" ;;
    network)
      if [ "$COMP_CWORD" -eq 2 ]; then
        COMPREPLY=($(compgen -W "ls create inspect rm" -- "$current"))
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
        COMPREPLY=($(compgen -W "ls create inspect rm" -- "$current"))
        return
      fi
      command="$command ${COMP_WORDS[2]}" ;;
  esac
  case "$command" in
    "up")
      options="-d --detach --attach --build --no-build --force-recreate --no-start --wait --no-wait --wait-timeout --remove-orphans --keep-orphans --scale -q --quiet -f --file -p --project-name --project-directory --profile --env-file -H --host --format --progress -h --help"
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
      options="--trace -d --detach -i --interactive -t --tty --rm --privileged --read-only --init --no-healthcheck --name -u --user -w --workdir -h --hostname --restart -m --memory --memory-swap --memory-reservation --cpus -c --cpu-shares --cpuset-cpus --pids-limit --shm-size --runtime --userns --stop-signal --stop-timeout --health-cmd --health-interval --health-timeout --health-retries --health-start-period --health-start-interval --env-file -e --env -v --volume --mount --tmpfs -p --publish -l --label --cap-add --cap-drop --security-opt --log-opt --ulimit --sysctl --add-host --dns --entrypoint --network --net --network-alias --ip --ip6 --detach-keys -H --host --format --progress --help"
      [[ $current == -* ]] || values="$(gantry image ls 2>/dev/null | awk 'NR > 1 {print $1}')"
      ;;
    "create")
      options="-d --detach -i --interactive -t --tty --rm --privileged --read-only --init --no-healthcheck --name -u --user -w --workdir -h --hostname --restart -m --memory --memory-swap --memory-reservation --cpus -c --cpu-shares --cpuset-cpus --pids-limit --shm-size --runtime --userns --stop-signal --stop-timeout --health-cmd --health-interval --health-timeout --health-retries --health-start-period --health-start-interval --env-file -e --env -v --volume --mount --tmpfs -p --publish -l --label --cap-add --cap-drop --security-opt --log-opt --ulimit --sysctl --add-host --dns --entrypoint --network --net --network-alias --ip --ip6 --detach-keys -H --host --format --progress --help"
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
    "build")
      options="-t --tag -f --file --build-arg --target --label --no-cache -q --quiet -H --host --format --progress -h --help"
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
    "image import")
      options="-H --host --format --progress -h --help"
      ;;
    "image bootstrap")
      options="--package -q --quiet -H --host --format --progress -h --help"
      ;;
    "network ls")
      options="-q --quiet -H --host --format --progress -h --help"
      ;;
    "network create")
      options="--subnet --gateway --internal --no-ipv6 --label -H --host --format --progress -h --help"
      ;;
    "network inspect")
      options="-H --host --format --progress -h --help"
      [[ $current == -* ]] || values="$(gantry network ls -q 2>/dev/null)"
      ;;
    "network rm")
      options="-H --host --format --progress -h --help"
      [[ $current == -* ]] || values="$(gantry network ls -q 2>/dev/null)"
      ;;
    "volume ls")
      options="-q --quiet -H --host --format --progress -h --help"
      ;;
    "volume create")
      options="--label -H --host --format --progress -h --help"
      ;;
    "volume inspect")
      options="-H --host --format --progress -h --help"
      [[ $current == -* ]] || values="$(gantry volume ls -q 2>/dev/null)"
      ;;
    "volume rm")
      options="-H --host --format --progress -h --help"
      [[ $current == -* ]] || values="$(gantry volume ls -q 2>/dev/null)"
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
