#!/bin/bash
# The demonstration: a real attack on a real container, seen by `clew run`, told as one story.
#
# Builds what is missing, starts `clew run` with a fresh store, starts the lab, sends ordinary load
# and the attack, waits for the story, prints its address and its text, and cleans up after itself.
#
# usage: demo.sh [--keep] [--record FILE] [--clew PATH]
#   --keep         leave `clew run` and its page up until Ctrl-C
#   --record FILE  also record the tape, for `clew replay FILE`
#   --clew PATH    use this binary instead of building one
# Exit: 0 exactly one story, and a whole one; 1 anything else; 3 a privilege or program is missing.
source "$(dirname "$0")/lib.sh"

listen=${CLEW_LISTEN:-127.0.0.1:7373}
keep=no
record=()
clew=
while (($# > 0)); do
	case $1 in
	--keep) keep=yes ;;
	--record) record=(--record "${2:?--record needs a file}") && shift ;;
	--clew) clew=${2:?--clew needs a path} && shift ;;
	*) fail "unknown option \`$1\`; known: --keep, --record FILE, --clew PATH" ;;
	esac
	shift
done

get() { curl -sf --max-time 5 "http://$listen$1"; }
# Whether the page answers, and it is ours: another server may hold the port.
is_ready() { get /api/health; }
is_gone() { ! kill -0 "$clew_pid" 2>/dev/null; }
is_decided() { is_gone || is_ready; }
first_id() { get /api/stories | jq -re '.[0].id'; }
text_of_story() { get "/api/stories/$1" | jq -r .narrative; }

# A story is whole when it begins with the request that injects and tells every grave step, in the
# right container.
is_whole() {
	get "/api/stories/$(first_id)" | jq -e --arg container "$victim" '
		(.root.sentence | startswith("A request from") and contains("host=127.0.0.1%3B+id"))
		and ([.steps[].rule] | contains(["server_ran_a_shell", "password_hashes_read",
			"dropped_binary_executed", "dropped_binary_connected_out"]))
		and any(.entities[]; .kind == "container" and .name == $container)
		and any(.entities[]; .kind == "image" and (.name | startswith("clew-lab/netcheck")))
		and all(.entities[] | select(.kind == "container"); .name == $container)'
}

clean() {
	[[ -z ${benign_pid:-} ]] || kill "$benign_pid" 2>/dev/null || true
	"$lab/down" || true
	if [[ -n ${clew_pid:-} ]]; then
		kill -INT "$clew_pid" 2>/dev/null || true
		wait "$clew_pid" 2>/dev/null || true
	fi
	rm -rf "$state"
}

for program in docker curl jq; do
	type -P "$program" >/dev/null || { say "\`$program\` is missing; run scripts/setup" >&2; exit 3; }
done
[[ $(id -u) == 0 ]] || { say "the sensor needs root; run: sudo make demo" >&2; exit 3; }
if [[ -z $clew ]]; then
	say "building clew"
	(cd "$lab/.." && cargo build -q --release -p clew-cli)
	clew=$(cd "$lab/.." && cargo metadata --format-version 1 --no-deps | jq -r .target_directory)/release/clew
fi
state=$(mktemp -d)
trap clean EXIT
trap 'exit 130' INT TERM

"$lab/images/build" netcheck attacker
say "starting clew run"
"$clew" run --state "$state" --listen "$listen" "${record[@]}" >"$state/log" 2>&1 &
clew_pid=$!
within 30 is_decided && ! is_gone || { tail -n 20 "$state/log" >&2; fail "clew run did not start"; }
"$lab/up"
"$lab/benign" 5
say "ordinary load made $(get /api/stories | jq length) stories"
"$lab/benign" 20 &
benign_pid=$!
"$lab/attack"
wait "$benign_pid"
benign_pid=

verdict=0
within 20 is_whole || verdict=1
stories=$(get /api/stories | jq length)
((stories == 1)) || verdict=1
echo
for id in $(get /api/stories | jq -r '.[].id'); do
	echo "http://$listen/#/story/$id"
	echo
	text_of_story "$id"
	echo
done
if ((verdict == 0)); then
	say "exactly one story, and it holds every step of the attack"
else
	say "expected exactly one whole story, got $stories; the log of clew run ends with:" >&2
	tail -n 20 "$state/log" >&2
fi
if [[ $keep == yes ]]; then
	say "clew run stays up at http://$listen/ until Ctrl-C"
	wait "$clew_pid" || true
fi
exit "$verdict"
