#!/usr/bin/env bash
# vhostctl.sh: vhostctl's checker on made-up events, its man page, its completion, and
# what it does without a kernel of ours; then in the VM, on traffic. T=name runs one test.
. scripts/common.sh
. tests/tap.sh

out=$cache/build/vhostctl
schema=$here/tools/vhost/schema
in_vm=vm/in-vm-vhostctl.sh
verbs=(list show set compare stat top record report check doctor)

mapfile -t host_tests < <(tests_of "$0")
mapfile -t vm_tests < <(tests_of "$in_vm")
# selected NAME...: does T want one of these?
selected() { grep -qxF -e "${T:-$1}" <<< "$(printf '%s\n' "$@")"; }
selected "${host_tests[@]}" "${vm_tests[@]}" ||
	die "no test '$T'; choose one of: ${host_tests[*]} ${vm_tests[*]}"

# From the tree: composing gives what differs from another checkout a new time.
logged vhostctl-build make -C "$tree/tools/vhost" OUTPUT="$out" all \
	"$out"/{checker,ratio}_test || exit 1
vhostctl=$out/vhostctl
PATH=$out:$PATH

valid() { /usr/bin/python3 -W ignore -m jsonschema -i "$1" "$schema/$2.json" >&2; }

# json VERB ARGUMENTS...: what it prints is as its schema
json() {
	gives "${status:-0}" . "$vhostctl" "$@" --json
	valid "$tmp/said" "$1" || note "$* --json is not as its schema"
}

test_rules() {
	"$out/checker_test" > "$tmp/tap" || { grep -B1 '^not ok' "$tmp/tap"; note "the checker fails"; }
	[ "$(grep -c '^ok' "$tmp/tap")" -gt 50 ] || note "the checker's test is short"
}

# In 1000 made-up series each, the interval covers the truth in 93 to 97 %.
test_intervals() {
	"$out/ratio_test" > "$tmp/tap" || note "the interval of compare is wrong"
	cat "$tmp/tap" >&2
	[ "$(grep -c '^ok.*covered in' "$tmp/tap")" -ge 10 ] || note "the interval's test is short"
}

test_installation() {
	local f schemas=("${verbs[@]/#/share/vhostctl/schema/}")
	make -s -C "$tree/tools/vhost" OUTPUT="$out" DESTDIR="$tmp" prefix=/usr install
	for f in sbin/vhostctl share/man/man8/vhostctl.8 \
		share/bash-completion/completions/vhostctl "${schemas[@]/%/.json}"; do
		[ -s "$tmp/usr/$f" ] || note "install leaves out $f"
	done
}

# options_of VERB, one per line: "  -j, --json   text", "      --live   text"
options_of() {
	"$vhostctl" "$1" --help > "$tmp/help" || note "$1 --help ends with $?"
	sed -nE 's/^ +(-[^-])?,? *(--[a-z-]+)?.*/\1\n\2/p' "$tmp/help" | grep . | sort -u > "$tmp/options"
	[ "$(wc -l < "$tmp/options")" -ge 4 ] || note "$1 --help shows no options"
}

test_man_page() {
	local verb option
	mandoc -T lint -W warning tools/vhost/vhostctl.8 || note "mandoc warns"
	mandoc -T ascii tools/vhost/vhostctl.8 | col -b > "$tmp/man"
	for verb in "${verbs[@]}"; do
		"$vhostctl" --help | grep -q "^  $verb " || note "--help does not list $verb"
		grep -qw -- "$verb" "$tmp/man" || note "the man page has no $verb"
		options_of "$verb"
		while read -r option; do
			grep -qE -- "(^|[ ,[])${option/\?/\\?}([], ]|\$)" "$tmp/man" ||
				note "$verb $option is not in the man page"
		done < "$tmp/options"
	done
}

# complete_words WORDS...: what completes them, one per line
complete_words() {
	COMP_WORDS=(vhostctl "$@") COMP_CWORD=$#
	_vhostctl
	printf '%s\n' "${COMPREPLY[@]}" | sort -u
}

test_completion() {
	local verb
	# shellcheck source=/dev/null
	. tools/vhost/vhostctl.bash
	complete_words '' > "$tmp/verbs"
	for verb in "${verbs[@]}"; do
		grep -qx "$verb" "$tmp/verbs" || note "$verb is not completed"
		options_of "$verb"
		complete_words "$verb" - > "$tmp/completed"
		grep -vxF -f "$tmp/completed" "$tmp/options" && note "$verb does not complete these"
		grep -vxF -f "$tmp/options" "$tmp/completed" | grep -vx -e -- | grep -E '^-' &&
			note "$verb completes these, which it does not know"
	done
	true
}

test_no_kernel_of_ours() {
	[ ! -e /sys/module/vhost/parameters/accessor ] || { say "this one is ours"; return 0; }
	gives 3 'CONFIG_VHOST_RINGMAP' "$vhostctl" doctor
	gives 3 'vhostctl doctor' "$vhostctl" list
	gives 3 'vhostctl doctor' "$vhostctl" show 1-1
	gives 3 'vhostctl doctor' "$vhostctl" stat -c 1
	gives 3 'vhostctl doctor' "$vhostctl" set all accessor ringmap
	gives 3 'vhostctl doctor' "$vhostctl" compare
	gives 3 . "$vhostctl" record --time 1 -o "$tmp/none.dat"
	gives 3 . "$vhostctl" check --live --time 1
	status=3 json doctor
}

test_made_up_tree() {
	local f ring queue=$tmp/sys/kernel/debug/vhost/7-3/0
	mkdir -p "$queue" "$tmp"/sys/{module/vhost/parameters,kernel/tracing/events/vhost/vhost_used}
	for f in "$queue" "$queue/.." "$queue/../.." "$tmp/sys/module/vhost/parameters"; do
		echo 'uaccess [checked] ringmap' > "$f/accessor"
	done
	echo '0 accessor=checked mode=checked worker=8' > "$queue/../queues"
	printf 'owner pid=9 comm=vm one\nopener pid=7 comm=manager\n' > "$queue/../owner"
	echo 0 > "$queue/../../lock_times"
	printf 'used 10\nmapped 30\nfallback 10\nfallback_absent 10\ninvalidate_zap 2\n' > "$queue/stats"
	printf 'hold_ns 1024 5\nwait_ns 512 1\n' > "$queue/lock_times"
	for ring in desc avail used; do
		echo "$ring addr=0x7f0000001000 len=4096 pages=1 mapped=1 kind=linear"
	done > "$queue/map"
	export VHOSTCTL_ROOT=$tmp
	gives 0 '^7-3 *vm_one *9 *1  checked *10 *75.00 %  manager$' "$vhostctl" list
	gives 0 '^device 7-3: owner vm_one (9), opened by manager (7), 1 queues' "$vhostctl" show 7-3
	gives 0 'zap  *2' "$vhostctl" show 7-3/0
	gives 0 . "$vhostctl" doctor
	json list
	json show 7-3
	json set 7-3 accessor checked
	json stat -c 1 -i 0.1
	json top -i 0.1
	json doctor
	# Nobody's; then of a kernel that does not say whose.
	printf 'owner pid=0 comm=\nopener pid=7 comm=manager\n' > "$queue/../owner"
	gives 0 '^7-3 *- *- *1  checked .* %  manager$' "$vhostctl" list
	gives 0 '^device 7-3: no owner, opened by manager (7)' "$vhostctl" show 7-3
	json list
	rm "$queue/../owner"
	gives 0 '^7-3 *- *- *1  checked .* %  ?$' "$vhostctl" list
	json list
	json show 7-3
	json top -i 0.1
}

test_schema_refuses() {
	echo '{ "devices": [ { "name": 7 } ] }' > "$tmp/json"
	! valid "$tmp/json" list 2> /dev/null || note "the schema lets anything through"
}

if selected "${host_tests[@]}"; then
	tap "${host_tests[@]}" || die "see above"
fi
selected "${vm_tests[@]}" || exit 0

prepare
# in_the_vm TESTS CONSOLE ARGUMENTS...: one thread; under several, TCG may run an instruction
# that tracing is changing.
in_the_vm() {
	ringvm --kernel "$kernel" --accel single --timeout 3000 --memory 4G --tap 1 \
		--skips configs/skips --log "$logs/$2.console" "${@:3}" -- \
		"T='$1' bash $here/$in_vm $vhostctl $selftests/ringmap_load"
}
say "in the VM"
bad=0
in_the_vm "${T:-}" vhostctl || bad=$?
if selected cpus; then
	say "in the VM, where CPU 1 was never on line"
	in_the_vm cpus vhostctl-maxcpus --append maxcpus=1 || bad=$?
fi
[ "$bad" = 0 ]
