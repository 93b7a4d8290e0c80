# Sourced by the tests of `docker compose`: a project goes up, goes up again unchanged, and goes down leaving nothing.
compose() { docker compose "$@" </dev/null; }
# container SERVICE: the id of its only container
container() { compose ps -aq "$1"; }
of() { field "$(container "$1")" "$2"; }
in_service() {
    local service=$1
    shift
    compose exec -T "$service" "$@" 2>&1
}
# begin PROJECT [up options]: up, and up again, which must change nothing
begin() {
    say "compose: $1"
    project=$1
    cd "$W/compose/$project"
    shift
    if ! made compose up -d --quiet-pull "$@"; then
        end
        return 1
    fi
    local first
    first=$(compose ps -aq | sort)
    [ -n "$first" ] || finding "$project: up made no container"
    quietly compose up -d "$@"
    expect "$project: up again recreates nothing" "$(compose ps -aq | sort)" "$first"
}
# end [down options]: down, and nothing of the project is left
end() {
    quietly compose down -v "$@"
    expect "$project: containers left" "$(docker ps -aq --filter "label=com.docker.compose.project=$project")" ""
    expect "$project: networks left" "$(docker network ls -q --filter "label=com.docker.compose.project=$project")" ""
    expect "$project: volumes left" "$(docker volume ls -q --filter "label=com.docker.compose.project=$project")" ""
    cd "$W"
}
