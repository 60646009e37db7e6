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

# Writes down when something happened: mark NAME
mark() { echo "$1 $(date +%s%N)" >>"${LAB_STATE:?}/marks"; }
