#!/bin/bash
# In the VM: in-vm-vhostctl.sh VHOSTCTL LOAD: every verb on real traffic, which LOAD sends.
# Results are TAP; T=name runs one test.
set -u
here=$(dirname "$0")
vhostctl=$1 load=$2
# shellcheck source=tests/tap.sh
. "$here/../tests/tap.sh"
PATH=$(dirname "$vhostctl"):$PATH
tracing=/sys/kernel/tracing
mount -t tracefs none $tracing

# traffic [COMMAND...]: until the test ends, or end_traffic; its device is $dev. COMMAND
# runs what follows it.
traffic() {
	"$@" "$load" --seconds 600 --mode plain --change-memory 2> "$tmp/load" &
	load_pid=$!
	trap end_traffic EXIT
	await flows || exit 1
}
flows() {
	dev=$(vhostctl list 2>/dev/null | awk 'NR > 1 && $6 > 1000 { print $1; exit }')
	[ -n "$dev" ]
}
# A load that ended before has lost packets.
end_traffic() {
	trap - EXIT
	kill "$load_pid" || { cat "$tmp/load" >&2; exit 1; }
	wait "$load_pid" 2>/dev/null
}

# more: a command for who records, which ends when there was something to see
counter() { awk -v name="$1" '$1 == name { n += $2 } END { print n + 0 }' /sys/kernel/debug/vhost/*/*/stats; }
grown() { [ "$(counter used)" -gt "$1" ] && [ "$(counter invalidate_mprotect)" -gt "$2" ]; }
more() { await grown $(($(counter used) + 1000)) $(($(counter invalidate_mprotect) + 10)); }
export -f note await counter grown more

# recording: of traffic, in one.dat
recording() {
	cd "$tmp" || exit 1
	traffic
	gives 0 'events in .* 0 lost' vhostctl record -o one.dat -- bash -c more
}

# json VERB ARGUMENTS...: what it prints is as its schema; stat prints an object a line
json() {
	local f lines=()
	vhostctl "$1" --json "${@:2}" > "$tmp/json" || note "$* --json ended with $?"
	[ "$1" != stat ] || lines=(-l 1)
	rm -f "$tmp"/json.*
	split "${lines[@]}" "$tmp/json" "$tmp/json."
	for f in "$tmp"/json.*; do
		/usr/bin/python3 -W ignore -m jsonschema -i "$f" "$here/../tools/vhost/schema/$1.json" >&2 ||
			{ note "$* --json is not as its schema:"; head -40 "$f" >&2; }
	done
}

nobody() { setpriv --reuid 65534 --regid 65534 --clear-groups "$@"; }
instances() { [ -n "$(ls $tracing/instances)" ]; }
nothing_left() {
	! instances || note "an instance is left"
	grep -q '^0$' $tracing/events/vhost/enable || note "events are left on"
}

test_list() {
	gives 0 'no vhost device is open' vhostctl list
	traffic
	gives 0 "$dev .* 2  ringmap" vhostctl list
	json list
}

test_show() {
	gives 1 'no device 1-1' vhostctl show 1-1
	traffic
	gives 0 'used  *0x.* of 1 pages mapped' vhostctl show "$dev"
	gives 0 'queue 1: accessor ringmap.*, thread [1-9]' vhostctl show "$dev/1"
	! grep -q 'queue 0' "$tmp/said" || note "show of one queue shows another"
	gives 1 'no queue 2; its queues are 0 to 1' vhostctl show "$dev/2"
	json show "$dev"
	json show "$dev/1"
}

# hand_over: a process opens a device, another owns it; who, in $tmp/who
hand_over() {
	/usr/bin/python3 - > "$tmp/who" << 'END'
import fcntl, os, signal
def call(name):
    with open("/proc/self/comm", "w") as f:
        f.write(name)
call("manager")
fd = os.open("/dev/vhost-net", os.O_RDWR)
if os.fork() == 0:
    call("the vm")
    fcntl.ioctl(fd, 0xaf01)  # VHOST_SET_OWNER
    print(os.getppid(), os.getpid(), flush=True)
signal.pause()
END
}
# who_is_named: the one that is handed over, in all that shows it
who_is_named() {
	gives 0 "^$dev  *the_vm  *$vm  *2  ringmap .*  manager\$" vhostctl list
	gives 0 "^device $dev: owner the_vm ($vm), opened by manager ($manager)" vhostctl show "$dev"
	gives 0 '"comm": *"the vm"' vhostctl top --json -i 0.1
}
gone() { [ ! -e "/sys/kernel/debug/vhost/$dev" ]; }
test_owner() {
	local manager vm
	cd "$tmp" || return
	hand_over &
	await [ -s "$tmp/who" ]
	read -r manager vm < "$tmp/who"
	dev=$(vhostctl list | awk -v of="$manager-" 'index($1, of) == 1 { print $1 }')
	who_is_named
	json list
	json show "$dev"
	json top -i 0.1
	gives 1 'no such device or process' vhostctl compare "$manager"
	kill "$manager"
	wait
	who_is_named
	gives 0 'events in .* 0 lost' vhostctl record --time 0.5 -o one.dat
	trace-cmd record -q -e vhost -o two.dat sh -c 'cat /sys/kernel/debug/vhost/*/owner' > /dev/null 2>&1
	kill "$vm"
	await gone
	gives 0 "^device $dev: owner the_vm ($vm), opened by manager ($manager)" vhostctl report one.dat
	json report one.dat
	gives 0 "^device $dev: owner the_vm ($vm), opened by manager ($manager)" vhostctl report two.dat
	# Without a look at the file
	traffic
	trace-cmd record -q -e vhost_used_idx -o three.dat bash -c more > /dev/null 2>&1
	gives 0 "^device $dev: the trace does not say whose" vhostctl report three.dat
	json report three.dat
}

lock_times_shown() { vhostctl show "$dev" | grep -q 'map lock held for'; }
test_set() {
	gives 1 'no device or queue 1-1' vhostctl set 1-1 accessor uaccess
	traffic
	gives 0 '' vhostctl set "$dev/0" accessor checked
	gives 0 "$dev .* mixed" vhostctl list
	gives 0 'accessor checked' vhostctl show "$dev/0"
	gives 0 '' vhostctl set "$dev" accessor uaccess
	gives 0 "$dev .* uaccess" vhostctl list
	gives 0 '' vhostctl set all accessor ringmap
	gives 0 "$dev .* ringmap" vhostctl list
	gives 0 '' vhostctl set default accessor checked
	grep -q '\[checked\]' /sys/module/vhost/parameters/accessor || note "the default is not set"
	gives 0 'vhostctl set default accessor ringmap' vhostctl doctor
	gives 0 '' vhostctl set default accessor ringmap
	gives 0 '' vhostctl set all lock_times on
	await lock_times_shown
	json set "$dev/1" accessor ringmap
	json set all lock_times off
}

accessors() { vhostctl list | awk -v dev="$dev" '$1 == dev { print $5 }'; }
accessor_is() { [ "$(accessors)" = "$1" ]; }
# As before: what traffic has, with another one for queue 0
as_before() {
	vhostctl show "$dev/0" | grep -q 'accessor checked' &&
		vhostctl show "$dev/1" | grep -q 'accessor ringmap'
}
test_compare() {
	gives 1 'no such device' vhostctl compare 1-1
	gives 2 'two or more' vhostctl compare --accessors ringmap
	gives 2 '4 seconds or more' vhostctl compare --time 1
	traffic
	gives 2 "the kernel has no accessor 'ringpam'" vhostctl compare "$dev" --accessors uaccess,ringpam
	await accessor_is ringmap
	gives 0 'ringmap: .*CPU time.*buffers a second' vhostctl compare "$dev" --time 8
	cat "$tmp/said" >&2
	gives 0 'checked: .*CPU time' vhostctl compare "${dev%-*}" --time 4 --accessors checked,checked
	accessor_is ringmap || note "the accessor is $(accessors) and was ringmap"
	json compare all --time 4 --accessors uaccess,checked,ringmap
	vhostctl set "$dev/0" accessor checked
	vhostctl compare "$dev" --time 60 > "$tmp/killed" 2>&1 &
	await accessor_is uaccess
	gives 3 'another comparison is running' vhostctl compare "$dev" --time 4
	kill -KILL $!
	await as_before
	vhostctl compare "$dev" --time 60 > "$tmp/interrupted" 2>&1 &
	await accessor_is uaccess
	kill -TERM $!
	wait $!
	[ $? = 1 ] || note "a comparison that is interrupted ends otherwise than with 1"
	as_before || note "interrupted: the accessors are not as before"
	grep -q 'stopped' "$tmp/interrupted" || note "an interrupted comparison does not say so"
	vhostctl set "$dev/0" accessor ringmap
	# No traffic: it cannot tell.
	kill -STOP "$load_pid"
	gives 1 'cannot tell' vhostctl compare "$dev" --time 4
	kill -CONT "$load_pid"
	# The device goes meanwhile.
	vhostctl compare "$dev" --time 60 > "$tmp/gone" 2>&1 &
	await accessor_is uaccess
	end_traffic
	wait $!
	[ $? = 1 ] || note "compare of a device that goes ended otherwise than with 1"
	grep -q "$dev is gone" "$tmp/gone" || { note "compare of a device that goes:"; tail -3 "$tmp/gone" >&2; }
	# The process has another device, which nobody uses; and so has this one.
	# shellcheck disable=SC2016 # for the other shell
	traffic bash -c 'exec 9<>/dev/vhost-net; exec "$@"' -
	exec 9<> /dev/vhost-net
	gives 0 '"workers": *1,' vhostctl compare "$dev" --json --time 4
	gives 0 'is left out' vhostctl compare --time 4
	gives 1 'nothing to compare' vhostctl compare "$BASHPID" --time 4
}

test_stat() {
	gives 1 'no device or queue 1-1' vhostctl stat 1-1
	traffic
	json stat -c 2 -i 0.5
	json stat "$dev/1" -c 1 -i 0.5
	gives 0 'used/s' vhostctl stat -c 2 -i 1
	[ "$(wc -l < "$tmp/said")" = 3 ] || note "stat -c 2 writes $(wc -l < "$tmp/said") lines"
	awk 'NR > 1 && $3 < 100 { exit 1 }' "$tmp/said" ||
		{ note "stat sees no traffic"; cat "$tmp/said" >&2; }
	[ "$(vhostctl stat -i 0.1 | head -1 | wc -l)" = 1 ] || note "stat into a pipe that ends"
	# A device that goes
	vhostctl stat "$dev" -i 0.2 > "$tmp/gone" 2>&1 &
	await grep -q '[0-9]' "$tmp/gone"
	end_traffic
	wait $!
	[ $? = 1 ] || note "stat of a device that goes ended otherwise than with 1"
	grep -q "$dev is gone" "$tmp/gone" || { note "stat of a device that goes:"; tail -3 "$tmp/gone" >&2; }
}

# frame ROWS COLUMNS WORD: the whole screen is of top, and nothing but it
screen() { tmux capture-pane -p -t v > screen; }
frame() {
	screen
	awk -v rows="$1" -v columns="$2" -v word="$3" -v dev="$dev" '
		length($0) > columns { exit 1 }
		NR == 1 && !/^vhostctl top/ { exit 1 }
		index($0, word) { header = 1 }
		index($0, dev) { device++ }
		{ last = $0 }
		END { if (NR != rows || !header || device != 2 || last !~ /^q quit/) exit 1 }' screen
}
shows() { screen; grep -q "$1" screen; }
# What was typed before has ended.
prompt() { screen; [ "$(grep . screen | tail -1)" = 'prompt>' ]; }
keys() { tmux send-keys -t v "$@"; }
size() { tmux resize-window -t v -x "$1" -y "$2"; }

test_top() {
	local n sequence
	cd "$tmp" || return
	gives 2 'wants a terminal' vhostctl top
	traffic
	json top -i 0.5
	export TERM=xterm LC_ALL=C.UTF-8
	tmux -f /dev/null new-session -d -s v -x 80 -y 24 "PS1='prompt> ' sh"
	tmux set -t v status off > /dev/null
	size 80 24
	await prompt
	keys 'stty -a > stty.before; echo before' Enter
	await shows '^before'
	await prompt
	tmux pipe-pane -t v "cat > $tmp/raw"
	keys "vhostctl top -i 0.5" Enter
	await frame 24 80 'DROPS/S'
	await shows mprotect
	# No frame is seen half drawn.
	for n in {1..20}; do
		frame 24 80 'DROPS/S' || { note "top, look $n:"; cat screen >&2; }
		sleep 0.05
	done
	size 200 50
	await frame 50 200 'SECTIONS/S'
	size 80 24
	await frame 24 80 'DROPS/S'
	keys l
	await grep -q 1 /sys/kernel/debug/vhost/lock_times
	keys l
	await grep -q 0 /sys/kernel/debug/vhost/lock_times
	keys q
	await prompt
	keys 'stty -a > stty.after; echo after' Enter
	await shows '^after'
	{ grep -q '^before' screen && ! grep -q 'vhostctl top  ' screen; } ||
		{ note "top leaves something behind:"; cat screen >&2; }
	cmp -s stty.before stty.after ||
		{ note "top leaves the terminal otherwise"; diff stty.before stty.after >&2; }
	await grep -q '^after' raw
	for sequence in '\[2J' '\[?1049h' '\[?1049l' '\[?25l' '\[?25h'; do
		n=$(grep -ao "$(printf '\033')$sequence" raw | wc -l)
		[ "$n" = 1 ] || note "top sends $sequence $n times"
	done
	tmux kill-server
}

test_record() {
	local recorded read
	cd "$tmp" || return
	gives 3 'No such file' vhostctl record --time 0.1 -o /nowhere/trace.dat
	recording
	recorded=$(sed -n 's/.*: \([0-9]*\) events.*/\1/p' "$tmp/said")
	read=$(trace-cmd report one.dat 2>/dev/null | grep -c ' vhost_[a-z_]*: ')
	[ "$recorded" = "$read" ] || note "$recorded events were recorded, and trace-cmd reads $read"
	gives 0 "^$recorded events .* none was lost" vhostctl check one.dat
	gives 0 'events in .* 0 lost' vhostctl record --time 2 -o two.dat
	json record --time 0.5 -o two.dat
	gives 0 'events in' vhostctl record -o two.dat sh -c 'sleep 0.2' -o --json
	gives 7 'events in' vhostctl record -o two.dat -- sh -c 'exit 7'
	nothing_left
}

test_report() {
	recording
	gives 0 'mprotect' vhostctl report one.dat
	gives 0 'plots/latency.png' vhostctl report --plot plots one.dat
	[ "$(find plots -size +3k | wc -l)" = 10 ] || { note "not ten plots"; ls -l plots >&2; }
	json report one.dat
	trace-cmd record -q -e sched:sched_switch -o other.dat sleep 0.1 > /dev/null 2>&1
	gives 3 'has no events in it\|no event of vhost' vhostctl report other.dat
	gives 3 'Not a directory\|cannot be' vhostctl report --plot one.dat/x one.dat
}

test_check() {
	local rule
	recording
	gives 0 'events .* none was lost' vhostctl check one.dat
	for rule in elements-before-index no-use-after-drop; do
		grep -q "$rule .*  kept" "$tmp/said" || note "$rule is not kept: $(grep $rule "$tmp/said")"
	done
	json check one.dat
	chmod 755 . one.dat
	gives 0 'RULE' nobody vhostctl check one.dat
	trace-cmd record -q -e vhost -o two.dat bash -c more > /dev/null 2>&1
	gives 0 'none was lost' vhostctl check two.dat
	trace-cmd record -q -B mine -e vhost -o three.dat bash -c more > /dev/null 2>&1
	gives 0 'elements-before-index .*  kept' vhostctl check three.dat
	gives 3 'no-such.dat: No such file' vhostctl check no-such.dat
	head -c 200000 one.dat > cut.dat
	gives 3 'missing or damaged' vhostctl check cut.dat
	gives 3 'is not a trace.dat' vhostctl check /bin/sh
}

test_check_live() {
	local pid
	gives 3 'nothing could be judged' vhostctl check --live --time 0.2
	traffic
	gives 0 'no-use-after-drop .*  kept' vhostctl check --live --time 2
	json check --live -- bash -c more
	gives 7 'elements-before-index' vhostctl check --live -- bash -c 'more; exit 7'
	gives 127 'No such file' vhostctl check --live -- ./not-there
	nothing_left
	# One that is killed leaves its instance, and the next one cleans up.
	vhostctl check --live --time 60 > /dev/null 2>&1 &
	pid=$!
	await instances
	kill -9 $pid
	wait $pid 2>/dev/null
	instances || note "no instance to leave"
	gives 0 'RULE' vhostctl check --live -- bash -c more
	nothing_left
	end_traffic
	# All ways to set queues up, every accessor, and the whole order
	gives 0 'all-queues-held .*  kept' vhostctl check --live -- \
		"$load" --seconds 10 --accessor cycle --change-memory
	[ "$(grep -c '  kept$' "$tmp/said")" = 6 ] || { note "a rule is not kept:"; cat "$tmp/said" >&2; }
}

# set_cpu N 0|1: off line or on line
set_cpu() { echo "$2" > "/sys/devices/system/cpu/cpu$1/online"; }
# pin N: the traffic and vhost's thread for it run on CPU N. A thread may end meanwhile.
pin() {
	local thread
	for thread in "/proc/$load_pid"/task/*; do
		taskset -cp "$1" "${thread##*/}" > /dev/null 2>&1 || [ ! -e "$thread" ] ||
			note "cannot pin thread ${thread##*/} to CPU $1"
	done
}
begin() {
	"$load" --seconds 600 --mode plain --change-memory --pause 5000 2> "$tmp/load" &
	load_pid=$!
	await flows
}
end() {
	kill "$load_pid"
	wait "$load_pid"
}
export -f set_cpu pin flows begin end
export load tmp

# all_recorded FILE COMMAND...: traffic is recorded from before its device is opened until
# it is closed, with COMMAND in the middle. All that it sent and received is in FILE.
all_recorded() {
	local file=$1 packets
	shift
	gives 0 ' 0 lost' vhostctl record --buffer 65536 -o "$file" -- bash -c "begin && more; $*; more; end"
	mv "$tmp/said" recorded
	cat load recorded >&2
	packets=$(sed -n 's/.*: \([0-9]*\) packets .* none lost;.*/\1/p' load)
	gives 0 'none was lost' vhostctl check "$file"
	vhostctl report --json "$file" | tr -d ' \n' > json
	grep -q "\"used\":$((2 * packets))," json ||
		note "$packets packets were sent and received; $file has $(grep -o '"used":[0-9]*' json) elements"
}
# of_cpu FILE N: so many events
of_cpu() { trace-cmd report --cpu "$2" "$1" 2>/dev/null | grep -c ' vhost_'; }

# A CPU that is off line, and one that comes and goes in mid-recording. With maxcpus=1 on
# the command line, it never was on line before.
test_cpus() {
	local n
	cd "$tmp" || return
	set_cpu 1 0
	all_recorded off.dat true
	grep -q '^CPU 1 was off line: it has no events' recorded || note "record does not say that CPU 1 is off line"
	gives 0 'CPU 1 was off line' vhostctl check --live -- bash -c 'begin && more; end'
	json record -o off.dat -- bash -c 'begin; end'
	json check --live -- bash -c 'begin && more; end'
	tr -d ' \n' < json | grep -q '"offline":\[1\]' || note "check --live --json does not say that CPU 1 is off line"

	all_recorded comes.dat 'set_cpu 1 1; pin 1'
	! grep 'off line' recorded || note "record says so of a CPU that came on line"
	all_recorded goes.dat 'pin 1; more; set_cpu 1 0'
	! grep 'off line' recorded || note "record says so of a CPU that went"
	for n in 0 1; do
		[ "$(of_cpu comes.dat $n)" -gt 1000 ] || note "CPU $n has few events where one comes"
		[ "$(of_cpu goes.dat $n)" -gt 1000 ] || note "CPU $n has few events where one goes"
	done
	gives 0 'none was lost' vhostctl check --live -- \
		bash -c 'begin && more; set_cpu 1 1; pin 1; more; set_cpu 1 0; more; end'
	grep -q 'no-use-after-drop .*  kept' "$tmp/said" || note "no-use-after-drop is not kept"
	set_cpu 1 1
	nothing_left
}

# hop: the traffic is now and then on CPU 0 for a moment
hop() {
	for _ in {1..20}; do
		pin 0
		pin 1
		sleep 0.1
	done
}
export -f hop

# Only CPU 1 loses events. That is said, and no rule is called broken.
test_small_buffer() {
	cd "$tmp" || return
	traffic
	export load_pid
	pin 1
	# What others chose for the whole of tracing
	echo 0 > $tracing/options/overwrite
	gives 0 '[1-9][0-9]* lost; give more' vhostctl record --buffer 8 -o small.dat -- bash -c more
	gives 0 '^CPU 1 lost .*[1-9][0-9]* events in [1-9]' vhostctl check small.dat
	! grep '^CPU 0 lost' "$tmp/said" || note "CPU 0 is said to lose events"
	gives 0 '^CPU 1 lost' vhostctl report small.dat
	json report small.dat
	json check small.dat
	grep -q '"cpu": *1' "$tmp/json" || note "check --json does not name CPU 1"
	trace-cmd report small.dat > text 2>/dev/null
	grep -q '^CPU:1 .*EVENTS DROPPED' text || note "trace-cmd does not say that CPU 1 lost events"
	! grep '^CPU:0 .*EVENTS DROPPED' text || note "trace-cmd says that CPU 0 lost events"
	gives 0 '^CPU 1 lost' vhostctl check --live --buffer 8 -- bash -c more
	# What CPU 0 has of the same queue was in a gap of CPU 1, or was not.
	gives 0 'lost; give more' vhostctl record --buffer 128 -o hops.dat -- bash -c hop
	gives 0 '^CPU 1 lost' vhostctl check hops.dat
	gives 0 '^CPU 1 lost' vhostctl check --live --buffer 8 -- bash -c hop
	cat "$tmp/said" >&2
	echo 1 > $tracing/options/overwrite
	nothing_left
}

test_doctor() {
	gives 0 'with CONFIG_VHOST_RINGMAP' vhostctl doctor
	gives 0 '' vhostctl set default accessor checked
	gives 0 'vhostctl set default accessor ringmap' vhostctl doctor
	gives 0 '' vhostctl set default accessor ringmap
	traffic
	json doctor
}

# Others read the events without a plugin.
test_readers() {
	cd "$tmp" || return
	perf record -q -a -e 'vhost:vhost_map_drop' -e 'vhost:vhost_used_idx' -o perf.data -- \
		"$load" --seconds 1 --mode plain --change-memory > perf.log 2>&1
	gives 0 'vhost:vhost_map_drop: .*dev=[0-9]*-[0-9]* .*cause=[a-z_]* seq=[0-9]*$' perf script -i perf.data
	traffic
	gives 0 '@n\[1\]: [1-9]' timeout 60 bpftrace -e 'tracepoint:vhost:vhost_used_idx {
		@n[args->vq] = count(); if (args->vq == 1) { exit(); } }'
}

test_wrong_use() {
	gives 2 'Usage: vhostctl VERB' vhostctl
	gives 2 "no verb 'lst'" vhostctl lst
	gives 2 'takes no arguments' vhostctl list 1-1
	gives 2 'which device' vhostctl show
	gives 2 'is no device or queue' vhostctl show 1-1/x
	gives 2 'the kernel knows uaccess checked ringmap' vhostctl set all accessor fast
	gives 2 'cannot be set' vhostctl set all mode ringmap
	gives 2 'is none of all' vhostctl set some accessor ringmap
	gives 2 'not a number' vhostctl stat -i never
	gives 2 'is not a number from 1' vhostctl stat -c 0
	gives 2 'check what' vhostctl check
	gives 2 'either a file or' vhostctl check one.dat --live
	gives 2 'are for --live' vhostctl check one.dat --time 1
	gives 2 'which file' vhostctl report
}

test_not_root() {
	local verb
	for verb in list 'show 1-1' 'set all accessor ringmap' stat 'top --json' \
		'check --live --time 1' 'record --time 1'; do
		# shellcheck disable=SC2086
		gives 3 'only root' nobody vhostctl $verb
	done
	gives 3 'sudo vhostctl doctor' nobody vhostctl doctor
}

# Devices that come and go under those who look
test_churn() {
	for _ in {1..30}; do
		"$load" --seconds 0.05 --mode plain
	done 2> "$tmp/load" &
	while kill -0 $! 2>/dev/null; do
		gives 0 'DEVICE' vhostctl list
		gives 0 'used/s' vhostctl stat -c 1 -i 0.05
		gives 0 'rows' vhostctl top -i 0.05 --json
		dev=$(vhostctl list 2>/dev/null | awk 'NR == 2 { print $1 }')
		[ -z "$dev" ] || vhostctl show "$dev" > "$tmp/said" 2>&1
		[ $? -le 1 ] || { note "show of a device that goes"; cat "$tmp/said" >&2; }
	done
	[ "$(grep -c 'none lost' "$tmp/load")" = 30 ] || { note "the traffic:"; cat "$tmp/load" >&2; }
}

# shellcheck disable=SC2046
tap $(tests_of "$0")
