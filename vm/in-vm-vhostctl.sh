#!/bin/bash
# In the VM: in-vm-vhostctl.sh VHOSTCTL TRAFFIC: every verb on real traffic. On stdout
# goes what --json says, "@@ VERB" before each, for whoever has the schemas.
set -u
vhostctl=$1 traffic=$2
PATH=$(dirname "$vhostctl"):$PATH
tmp=$(mktemp -d)
cd "$tmp" || exit 1
mount -t tracefs none /sys/kernel/tracing
bad=0 checks=0

note() { echo "vhostctl: FAILED: $*" >&2; bad=$((bad + 1)); }

# gives STATUS WORD COMMAND...: it ends so, and what it says has WORD; nothing if ''
gives() {
	local want=$1 word=$2 rc=0
	shift 2
	"$@" > out 2>&1 || rc=$?
	checks=$((checks + 1))
	[ "$rc" = "$want" ] || { note "'$*' ended with $rc and not $want:"; head -20 out >&2; }
	if [ -z "$word" ]; then
		[ ! -s out ] || { note "'$*' says:"; head -20 out >&2; }
		return
	fi
	grep -q -e "$word" out || { note "'$*' does not say '$word':"; head -20 out >&2; }
}

# json VERB ARGUMENTS...: for the schema
json() {
	echo "@@ $1"
	vhostctl "$@" --json 2> err || { note "$* --json ended with $?"; cat err >&2; }
	checks=$((checks + 1))
}

traffic() { "$traffic" "$@" 2> traffic.err & traffic_pid=$!; }
device() { vhostctl list 2>/dev/null | awk 'NR == 2 { print $1 }'; }
end_traffic() { kill "$traffic_pid" 2>/dev/null; wait "$traffic_pid" 2>/dev/null; }
nobody() { setpriv --reuid 65534 --regid 65534 --clear-groups "$@"; }

# --- nothing open ---
gives 0 'with CONFIG_VHOST_RINGMAP' vhostctl doctor
gives 0 'no vhost device is open' vhostctl list
gives 1 'no device 1-1' vhostctl show 1-1
gives 1 'no device or queue 1-1' vhostctl stat 1-1
gives 1 'no device or queue 1-1' vhostctl set 1-1 accessor uaccess
gives 3 'nothing could be judged' vhostctl check --live --time 0.2

# --- a device with traffic ---
traffic --seconds 600 --mode plain --change-memory
sleep 2
dev=$(device)
[ -n "$dev" ] || note "no device is listed"
gives 0 "$dev .* 2  ringmap" vhostctl list
gives 0 'used  *0x.* of 1 pages mapped' vhostctl show "$dev"
gives 0 'queue 1: accessor ringmap' vhostctl show "$dev/1"
! grep -q 'queue 0' out || note "show of one queue shows another"
gives 1 'no queue 2; its queues are 0 to 1' vhostctl show "$dev/2"
gives 0 '' vhostctl set "$dev/0" accessor checked
gives 0 "$dev .* mixed" vhostctl list
gives 0 'accessor checked' vhostctl show "$dev/0"
gives 0 '' vhostctl set "$dev" accessor uaccess
gives 0 "$dev .* uaccess" vhostctl list
gives 0 '' vhostctl set all accessor ringmap
gives 0 "$dev .* ringmap" vhostctl list
gives 0 '' vhostctl set default accessor checked
gives 0 'vhostctl set default accessor ringmap' vhostctl doctor
grep -q '\[checked\]' /sys/module/vhost/parameters/accessor || note "the default is not set"
gives 0 '' vhostctl set default accessor ringmap
gives 0 '' vhostctl set all lock_times on
sleep 1
gives 0 'map lock held for' vhostctl show "$dev"
for verb in list doctor; do json "$verb"; done
json show "$dev"
json show "$dev/1"
json set "$dev/1" accessor ringmap
json set all lock_times off
json stat -c 2 -i 0.5
json stat "$dev/1" -c 1 -i 0.5
json top -i 0.5
gives 0 'used/s' vhostctl stat -c 2 -i 0.5
[ "$(wc -l < out)" = 3 ] || note "stat -c 2 writes $(wc -l < out) lines"
awk 'NR > 1 && $3 < 100 { exit 1 }' out || { note "stat sees no traffic"; cat out >&2; }
[ "$(vhostctl stat -i 0.1 | head -1 | wc -l)" = 1 ] || note "stat into a pipe that ends"

# --- traces ---
gives 0 'events in .* 0 lost' vhostctl record --time 2 -o one.dat
recorded=$(sed -n 's/.*: \([0-9]*\) events.*/\1/p' out)
read=$(trace-cmd report one.dat 2>/dev/null | grep -c ' vhost_[a-z_]*: ')
[ "$recorded" = "$read" ] || note "$recorded events were recorded, and trace-cmd reads $read"
gives 0 "^$recorded events .* none was lost" vhostctl check one.dat
for rule in elements-before-index no-use-after-drop; do
	grep -q "$rule .*  kept" out || note "$rule is not kept: $(grep $rule out)"
done
gives 0 'mprotect' vhostctl report one.dat
gives 0 'plots/latency.png' vhostctl report --plot plots one.dat
[ "$(find plots -size +3k | wc -l)" = 10 ] || { note "not ten plots"; ls -l plots >&2; }
trace-cmd record -q -e vhost -o two.dat sleep 1 > /dev/null 2>&1
gives 0 'none was lost' vhostctl check two.dat
trace-cmd record -q -B mine -e vhost -o three.dat sleep 0.5 > /dev/null 2>&1
gives 0 'elements-before-index .*  kept' vhostctl check three.dat
json check one.dat
json report one.dat
json record --time 0.5 -o four.dat
gives 0 'no-use-after-drop .*  kept' vhostctl check --live --time 2
json check --live --time 0.5
gives 7 'elements-before-index' vhostctl check --live -- sh -c 'sleep 1; exit 7'
gives 127 'No such file' vhostctl check --live -- ./not-there
gives 0 'events in' vhostctl record -o five.dat sh -c 'sleep 0.2' -o --json
gives 7 'events in' vhostctl record -o five.dat -- sh -c 'exit 7'
[ -z "$(ls /sys/kernel/tracing/instances)" ] || note "an instance is left"
# One that is killed leaves its instance, and the next one cleans up.
vhostctl check --live --time 60 > /dev/null 2>&1 &
killed=$!
for _ in $(seq 50); do
	[ -z "$(ls /sys/kernel/tracing/instances)" ] || break
	sleep 0.2
done
kill -9 $killed
wait $killed 2>/dev/null
[ -n "$(ls /sys/kernel/tracing/instances)" ] || note "no instance to leave"
gives 0 'RULE' vhostctl check --live --time 0.2
[ -z "$(ls /sys/kernel/tracing/instances)" ] || note "an orphan is left"
grep -q '^0$' /sys/kernel/tracing/events/vhost/enable || note "events are left on"

# --- others read the events without a plugin ---
perf record -q -a -e 'vhost:vhost_map_drop' -e 'vhost:vhost_used_idx' -o perf.data -- \
	sleep 1 > perf.log 2>&1
perf script -i perf.data > out 2>&1
grep -q 'vhost:vhost_map_drop: .*dev=[0-9]*-[0-9]* .*cause=[a-z_]*$' out ||
	{ note "perf does not read the events"; head -5 perf.log out >&2; }
bpftrace -e 'tracepoint:vhost:vhost_used_idx { @n[args->vq] = count(); }
	interval:s:1 { exit(); }' > out 2>&1
grep -q '@n\[1\]: [1-9]' out || { note "bpftrace does not read the events"; cat out >&2; }

# --- wrong use ---
gives 2 'Usage: vhostctl VERB' vhostctl
gives 2 "no verb 'lst'" vhostctl lst
gives 2 'takes no arguments' vhostctl list "$dev"
gives 2 'which device' vhostctl show
gives 2 'is no device or queue' vhostctl show "$dev/x"
gives 2 'the kernel knows uaccess checked ringmap' vhostctl set all accessor fast
gives 2 'cannot be set' vhostctl set all mode ringmap
gives 2 'is none of all' vhostctl set some accessor ringmap
gives 2 'not a number' vhostctl stat -i never
gives 2 'is not a number from 1' vhostctl stat -c 0
gives 2 'check what' vhostctl check
gives 2 'either a file or' vhostctl check one.dat --live
gives 2 'are for --live' vhostctl check one.dat --time 1
gives 2 'which file' vhostctl report
gives 2 'wants a terminal' vhostctl top
gives 3 'no-such.dat: No such file' vhostctl check no-such.dat
head -c 200000 one.dat > cut.dat
gives 3 'missing or damaged' vhostctl check cut.dat
gives 3 'is not a trace.dat' vhostctl check /bin/sh
trace-cmd record -q -e sched:sched_switch -o other.dat sleep 0.1 > /dev/null 2>&1
gives 3 'has no events in it\|no event of vhost' vhostctl report other.dat
gives 3 'Not a directory\|cannot be' vhostctl report --plot one.dat/x one.dat
gives 3 'No such file' vhostctl record --time 0.1 -o /nowhere/trace.dat

# --- not root ---
chmod 755 "$tmp"
for verb in list "show $dev" "set all accessor ringmap" stat "top --json" \
	"check --live --time 1" "record --time 1"; do
	# shellcheck disable=SC2086
	gives 3 'only root' nobody vhostctl $verb
done
gives 3 'sudo vhostctl doctor' nobody vhostctl doctor
cp one.dat /tmp/readable.dat
gives 0 'RULE' nobody vhostctl check /tmp/readable.dat

# --- a terminal ---
screen() { tmux capture-pane -p -t v; }
keys() { tmux send-keys -t v "$@"; }
export TERM=xterm LC_ALL=C.UTF-8
tmux -f /dev/null new-session -d -s v -x 80 -y 24 "PS1='prompt> ' sh"
tmux set -t v status off > /dev/null
tmux resize-window -t v -x 80 -y 24
sleep 1
keys 'echo before; stty -a > stty.before' Enter
sleep 1
tmux pipe-pane -t v "cat > $tmp/raw"
keys "vhostctl top -i 0.5" Enter
sleep 3
# frame ROWS COLUMNS WORD: the whole screen, and nothing but it
frame() {
	screen > frame
	checks=$((checks + 1))
	awk -v rows="$1" -v columns="$2" -v word="$3" -v dev="$dev" '
		length($0) > columns { exit 1 }
		NR == 1 && !/^vhostctl top/ { exit 1 }
		index($0, word) { header = 1 }
		index($0, dev) { device++ }
		{ last = $0 }
		END { if (NR != rows || !header || device != 2 || last !~ /^q quit/) exit 1 }' frame ||
		{ note "top at $2x$1:"; cat frame >&2; }
}
frame 24 80 'DROPS/S'
grep -q mprotect frame || { note "top shows no causes"; cat frame >&2; }
# No frame is seen half drawn.
for _ in $(seq 20); do
	frame 24 80 'DROPS/S'
	sleep 0.05
done
tmux resize-window -t v -x 200 -y 50
sleep 2
frame 50 200 'SECTIONS/S'
tmux resize-window -t v -x 80 -y 24
sleep 2
frame 24 80 'DROPS/S'
keys l
sleep 2
grep -q 1 /sys/kernel/debug/vhost/lock_times || note "l does not turn lock_times on"
keys l
sleep 1
keys q
sleep 1
keys 'stty -a > stty.after; echo after' Enter
sleep 1
screen > frame
{ grep -q '^before' frame && grep -q '^after' frame && ! grep -q 'vhostctl top  ' frame; } ||
	{ note "top leaves something behind:"; cat frame >&2; }
cmp -s stty.before stty.after || { note "top leaves the terminal otherwise"; diff stty.before stty.after >&2; }
for sequence in '\[2J' '\[?1049h' '\[?1049l' '\[?25l' '\[?25h'; do
	n=$(grep -ao "$(printf '\033')$sequence" raw | wc -l)
	[ "$n" = 1 ] || note "top sends $sequence $n times"
done
tmux kill-server

# --- devices that come and go ---
vhostctl stat "$dev" -i 0.2 > out 2>&1 &
stat=$!
sleep 1
end_traffic
wait $stat
rc=$?
{ [ "$rc" = 1 ] && grep -q "$dev is gone" out; } ||
	{ note "stat of a device that goes: $rc"; tail -3 out >&2; }
for _ in $(seq 30); do
	"$traffic" --seconds 0.05 --mode plain 2>> traffic.err
done &
churn=$!
while kill -0 $churn 2>/dev/null; do
	gives 0 'DEVICE' vhostctl list
	gives 0 'used/s' vhostctl stat -c 1 -i 0.05
	gives 0 'rows' vhostctl top -i 0.05 --json
	dev=$(device)
	[ -z "$dev" ] || vhostctl show "$dev" > out 2>&1
	[ $? -le 1 ] || { note "show of a device that goes"; cat out >&2; }
done
wait $churn
! grep -v 'none lost' traffic.err || note "traffic, see above"

# --- all ways to set queues up, every accessor, and the whole order ---
gives 0 'all-queues-held .*  kept' vhostctl check --live -- \
	"$traffic" --seconds 10 --accessor cycle --change-memory
[ "$(grep -c '  kept$' out)" = 6 ] || { note "a rule is not kept:"; cat out >&2; }
echo "vhostctl: $checks checks in the VM, $bad failed" >&2
[ "$bad" = 0 ]
