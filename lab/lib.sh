# Names and helpers that the lab's scripts share. Source it; it does nothing by itself.
#
# Everything the lab makes carries the label clew.lab=1, so `down` finds all of it and nothing else.
# LAB_LABEL gives another value, where two labs run on one machine.
set -euo pipefail

lab=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
network=clew-lab
victim=clew-lab-victim
twin=clew-lab-twin
sink=clew-lab-sink
label=${LAB_LABEL:-1}

say() { echo "lab: $*"; }

fail() {
	echo "lab: $*" >&2
	exit 1
}

address_of() {
	docker inspect -f "{{(index .NetworkSettings.Networks \"$network\").IPAddress}}" "$1"
}

is_running() {
	[[ $(docker inspect -f '{{.State.Running}}' "$1" 2>/dev/null) == true ]]
}

# Waits until a command succeeds: within SECONDS COMMAND...
within() {
	local deadline=$((SECONDS + $1))
	shift
	until "$@" >/dev/null 2>&1; do
		((SECONDS < deadline)) || return 1
		read -r -t 0.2 <> <(:) || true
	done
}

# --- scenarios ----------------------------------------------------------------------------------

# Names of what scenarios share; networks of their own, so that one may run beside other parts of the lab.
inside=clew-lab-inside
outside=clew-lab-outside
metadata=clew-lab-metadata
cloud=clew-lab-cloud

# Makes an internal network unless it is there: make_network NAME [OPTION]...
make_network() {
	docker network inspect "$1" >/dev/null 2>&1 ||
		docker network create --internal --label "clew.lab=$label" "${@:2}" "$1" >/dev/null
}

# Starts a container anew: start_in NETWORK NAME [OPTION]... IMAGE [WORD]...
start_in() {
	docker rm -f "$2" >/dev/null 2>&1 || true
	docker run -d --name "$2" --hostname "$2" --network "$1" --label "clew.lab=$label" --memory 512m \
		--pids-limit 128 "${@:3}" >/dev/null
}

# The Internet, as the lab has it: addresses for benchmarks (RFC 2544), which Clew takes for public ones.
make_outside() { make_network "$outside" --subnet 198.18.0.0/16; }

# Starts the cloud: its interfaces at http://aws.inside:4566 and http://aws.outside:4566, the metadata
# service, and a trail into the folder LAB_LOGS: start_cloud [OPTION OF server.py]...
start_cloud() {
	local packages
	packages=$(echo "$lab"/../target/moto/lib/python3*/site-packages)
	[[ -d $packages/moto ]] || fail "moto is missing; run scripts/setup"
	make_network "$inside"
	make_outside
	make_network "$metadata" --subnet 169.254.169.0/24 --gateway 169.254.169.1
	start_in "$metadata" "$cloud" --ip 169.254.169.254 -v "$packages:/srv/moto:ro" -e PYTHONPATH=/srv/moto \
		-v "${LAB_LOGS:?}:/trail" clew-lab/cloud python3 server.py --delay "${LAB_DELAY:-short}" "$@"
	docker network connect --alias aws.inside "$inside" "$cloud"
	docker network connect --alias aws.outside --ip 198.18.250.250 "$outside" "$cloud"
	within 30 is_cloud_ready || { docker logs "$cloud" >&2; fail "the cloud did not start"; }
}
is_cloud_ready() { docker logs "$cloud" 2>&1 | grep -q "cloud: ready"; }

# Writes down when something happened: mark NAME
mark() { echo "$1 $(date +%s%N)" >>"${LAB_STATE:?}/marks"; }
