#!/usr/bin/env bash
# vhostctl.sh [host]: vhostctl's checker on made-up events, its man page, its
# completion, and what it does without a kernel of ours; then in the VM, on traffic.
. scripts/common.sh

out=$cache/build/vhostctl
fake=$out/fake
schema=tools/vhost/schema
bad=0
note() { say "$*"; bad=1; }
valid() { /usr/bin/python3 -W ignore -m jsonschema -i "$1" "$schema/$2.json" >&2; }

mkdir -p "$out"
logged vhostctl-build make -C tools/vhost OUTPUT="$out" all "$out/checker_test" || exit 1
vhostctl=$out/vhostctl
verbs=(list show set stat top record report check doctor)

say "rules"
"$out/checker_test" > "$out/tap" || { grep -B1 '^not ok' "$out/tap" >&2; note "the checker fails"; }
[ "$(grep -c '^ok' "$out/tap")" -gt 50 ] || note "the checker's test is short"

say "man page, completion, installation"
rm -rf "$out/root"
make -s -C tools/vhost OUTPUT="$out" DESTDIR="$out/root" prefix=/usr install
for f in sbin/vhostctl share/man/man8/vhostctl.8 share/bash-completion/completions/vhostctl \
	share/vhostctl/schema/list.json; do
	[ -s "$out/root/usr/$f" ] || note "install leaves out $f"
done
mandoc -T lint -W warning tools/vhost/vhostctl.8 >&2 || note "mandoc warns"
mandoc -T ascii tools/vhost/vhostctl.8 | col -b > "$out/man"
# The completion of WORDS..., one per line
complete_words() {
	COMP_WORDS=(vhostctl "$@") COMP_CWORD=$#
	_vhostctl
	printf '%s\n' "${COMPREPLY[@]}"
}
PATH=$out:$PATH
# shellcheck source=/dev/null
. tools/vhost/vhostctl.bash
for verb in "${verbs[@]}"; do
	"$vhostctl" "$verb" --help > "$out/help" || note "$verb --help ends with $?"
	# "  -j, --json   text", "      --live   text"
	sed -nE 's/^ +(-[^-])?,? *(--[a-z-]+)?.*/\1\n\2/p' "$out/help" | grep . | sort -u > "$out/options"
	[ "$(wc -l < "$out/options")" -ge 4 ] || note "$verb --help shows no options"
	complete_words "$verb" - | sort -u > "$out/completed"
	grep -qw -- "$verb" "$out/man" || note "the man page has no $verb"
	while read -r option; do
		grep -qE -- "(^|[ ,[])${option/\?/\\?}([], ]|\$)" "$out/man" ||
			note "$verb $option is not in the man page"
		grep -qxF -- "$option" "$out/completed" || note "$verb $option is not completed"
	done < "$out/options"
	# And nothing that there is not.
	grep -vxF -f "$out/options" "$out/completed" | grep -vx -e -- | grep -E '^-' >&2 &&
		note "$verb completes what it does not know"
done
complete_words '' > "$out/completed"
for verb in "${verbs[@]}"; do
	grep -qx "$verb" "$out/completed" || note "$verb is not completed"
	"$vhostctl" --help | grep -q "^  $verb " || note "--help does not list $verb"
	[ -s "$schema/$verb.json" ] || note "$verb has no schema"
done

say "without a kernel of ours"
# gives STATUS WORD COMMAND...
gives() {
	local want=$1 word=$2 rc=0
	shift 2
	"$@" > "$out/said" 2>&1 || rc=$?
	if [ "$rc" != "$want" ] || ! grep -q -e "$word" "$out/said"; then
		note "'$*' ended with $rc, not $want and '$word':"
		head -5 "$out/said" >&2
	fi
}
if [ ! -e /sys/module/vhost/parameters/accessor ]; then
	gives 3 'CONFIG_VHOST_RINGMAP' "$vhostctl" doctor
	gives 3 'vhostctl doctor' "$vhostctl" list
	gives 3 'vhostctl doctor' "$vhostctl" show 1-1
	gives 3 'vhostctl doctor' "$vhostctl" stat -c 1
	gives 3 'vhostctl doctor' "$vhostctl" set all accessor ringmap
	gives 3 '' "$vhostctl" record --time 1 -o "$out/none.dat"
	gives 3 '' "$vhostctl" check --live --time 1
	"$vhostctl" doctor --json > "$out/json" || true
	valid "$out/json" doctor || note "doctor --json is not as its schema"
fi

say "a made-up tree"
rm -rf "$fake"
queue=$fake/sys/kernel/debug/vhost/7-3/0
mkdir -p "$queue" "$fake/sys/module/vhost/parameters" "$fake/sys/kernel/tracing/events/vhost/vhost_used"
for f in "$queue" "$queue/.." "$queue/../.." "$fake/sys/module/vhost/parameters"; do
	echo 'uaccess [checked] ringmap' > "$f/accessor"
done
echo 0 > "$queue/../../lock_times"
printf 'used 10\nmapped 30\nfallback 10\nfallback_absent 10\ninvalidate_zap 2\n' > "$queue/stats"
printf 'hold_ns 1024 5\nwait_ns 512 1\n' > "$queue/lock_times"
for ring in desc avail used; do
	echo "$ring addr=0x7f0000001000 len=4096 pages=1 mapped=1 kind=linear"
done > "$queue/map"
export VHOSTCTL_ROOT=$fake
gives 0 '^7-3 *(gone) *1  checked *10 *75.00 %' "$vhostctl" list
gives 0 'zap  *2' "$vhostctl" show 7-3/0
for verb in list 'show 7-3' 'set 7-3 accessor checked' 'stat -c 1 -i 0.1' 'top -i 0.1' doctor; do
	# shellcheck disable=SC2086
	"$vhostctl" $verb --json > "$out/json" || note "$verb --json ends with $?"
	valid "$out/json" "${verb%% *}" || note "$verb --json is not as its schema"
done
echo '{ "devices": [ { "name": 7 } ] }' > "$out/json"
! valid "$out/json" list 2>/dev/null || note "the schema lets anything through"
unset VHOSTCTL_ROOT

[ "$bad" = 0 ] || die "see above"
if [ "${1:-}" = host ]; then
	say "ok"
	exit 0
fi

prepare
say "in the VM"
# One thread: under several, TCG may run an instruction that tracing is changing.
ringvm --kernel "$kernel" --accel single --timeout 600 --memory 4G \
	--log "$logs/vhostctl.console" --out "$out/vm" -- \
	"bash $here/vm/in-vm-vhostctl.sh $vhostctl $selftests/ringmap_load" ||
	die "vhostctl fails in the VM"
# What follows each "@@ VERB"; stat has an object in each line.
rm -rf "$out/json.d"
mkdir "$out/json.d"
awk -v dir="$out/json.d" '
	/^@@ / { verb = $2; file = dir "/" ++n "." verb; next }
	verb == "stat" { file = dir "/" ++n "." verb }
	{ print > file }' "$out/vm"
for f in "$out"/json.d/*; do
	valid "$f" "${f##*.}" || { note "${f##*.} --json is not as its schema:"; head -40 "$f" >&2; }
done
for verb in "${verbs[@]}"; do
	compgen -G "$out/json.d/*.$verb" > /dev/null || note "no JSON of $verb was seen"
done
[ "$bad" = 0 ] || die "see above"
say "ok"
