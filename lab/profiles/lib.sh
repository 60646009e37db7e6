# What the scripts of lab/profiles share; source it.
# shellcheck shell=bash
# shellcheck source=lab/scenarios/lib.sh
LAB_LABEL=profiles
source "$(dirname "${BASH_SOURCE[0]}")/../scenarios/lib.sh"

here=$lab/profiles
prefix=clew-lab-profiles
jobs_of_a_moment=(updates short)

applications() { grep -v '^#' "$here/applications"; }
is_job() { [[ " ${jobs_of_a_moment[*]} " == *" $1 "* ]]; }

# Makes the image of an application: build_application NAME BASE RELEASE
build_application() {
	local log
	log=$(DOCKER_BUILDKIT=0 docker build -q --build-arg "BASE=clew-lab/$2" --build-arg "APPLICATION=$1" \
		--build-arg "RELEASE=$3" -t "clew-lab/profile-$1:$3" "$here" 2>&1) || fail "$log"
}

build_applications() {
	"$lab/images/build" servers apps cloud >&2
	applications | while read -r name base _; do build_application "$name" "$base" 1; done
	build_application python apps 2
}

# Starts a replica as compose would call it, so that replicas share a profile:
# start_replica NAME RELEASE REPLICA [OPTION OF docker run]...
start_replica() {
	local name=$1 release=$2 replica=$3 options
	shift 3
	read -r -a options < <(applications | sed -n "s/^$name [a-z]* *//p")
	docker run -d --name "$prefix-$name-$replica" --network "$prefix" --network-alias "$name" --label clew.lab=profiles \
		--label com.docker.compose.project=lab --label "com.docker.compose.service=$name" --memory 512m \
		--pids-limit 256 "${options[@]}" "$@" "clew-lab/profile-$name:$release" "$name" >/dev/null
}

start_applications() { # start_applications REPLICAS
	local name replica
	docker network inspect "$prefix" >/dev/null 2>&1 ||
		docker network create --internal --label clew.lab=profiles "$prefix" >/dev/null
	make_outside
	for name in $(applications | cut -d' ' -f1); do
		is_job "$name" || for ((replica = 1; replica <= $1; replica++)); do start_replica "$name" 1 "$replica"; done
	done
	docker run -d --name "$prefix-people" --network "$prefix" --label clew.lab=profiles -v "$here/load:/srv/load:ro" \
		--entrypoint sleep clew-lab/apps infinity >/dev/null
	within 120 load 1 0 5 || fail "an application does not answer: $(load 1 0 5 2>&1 | tail -n 3)"
}

load() { docker exec "$prefix-people" /srv/load "$@"; }

# Runs what ends by itself again and again, until it is killed: run_jobs
run_jobs() {
	local name
	trap 'exit 0' TERM
	while :; do
		for name in short short updates; do
			start_replica "$name" 1 job && docker wait "$prefix-$name-job" >/dev/null
			docker rm "$prefix-$name-job" >/dev/null
		done
	done
}

take_down() { LAB_LABEL=profiles "$lab/down" >&2 || true; }
