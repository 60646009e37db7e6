# What the scenarios share; source it. Networks and names are their own, so that a scenario may run
# beside other parts of the lab.
# shellcheck shell=bash
# shellcheck source=lab/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

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

# The other people of the outside: a visitor, and an attacker whose server gives tools away and takes
# whatever is sent to it.
start_people() {
	make_outside
	start_in "$outside" clew-lab-visitor --ip 198.18.20.20 -e AWS_ENDPOINT_URL=http://aws.outside:4566 \
		clew-lab/cloud sleep infinity
	start_in "$outside" clew-lab-attacker --ip 198.18.66.66 -e AWS_ENDPOINT_URL=http://aws.outside:4566 \
		clew-lab/cloud python3 sink.py
}

# A vulnerable application of lab/apps, seen from outside at 198.18.10.10: start_shop RUNTIME [OPTION]...
start_shop() {
	make_network "$inside"
	start_in "$inside" clew-lab-shop "${@:2}" clew-lab/apps "$1"
	docker network connect --ip 198.18.10.10 "$outside" clew-lab-shop
	within 60 is_shop_open || fail "the application does not answer"
}
is_shop_open() { docker exec clew-lab-visitor curl -sf --max-time 2 http://198.18.10.10:8080/health; }

# Asks the application as somebody: ask WHO PATH [ARGUMENT OF curl]...
ask() { docker exec "clew-lab-$1" curl -s -o /dev/null --max-time 20 "${@:3}" "http://198.18.10.10:8080$2"; }
