#!/usr/bin/env bash
# lint.sh: checkpatch --strict, sparse and W=1 on our kernel code; checkpatch on our
# user space, and shellcheck on the scripts. Patches that only measure still apply.
# lint.sh kernel: only what depends on the kernel series, with our options on.
. scripts/common.sh

git rev-parse -q --verify HEAD > /dev/null || die "git does not read this checkout"
bad=0
note() { say "$*"; bad=1; }

# Debian's Python, which has what checkpatch's licence check imports.
checkpatch() {
	(cd "$tree" && PATH=/usr/bin:$PATH scripts/checkpatch.pl --quiet --terse \
		--no-summary "$@")
}

# Without what says that it is for one kernel series.
for f in $(git ls-files mm virt include drivers lib tools Documentation |
	sed -E 's/-[0-9]+\.[0-9]+(\.[a-z]+)$/\1/'); do
	grep -qxF "file $f" series || note "$f is not in series"
done

added() { git -C "$tree" diff --name-only --diff-filter=A base ringmap -- "$@"; }

mapfile -t kernel < <(added '*.[ch]' ':!tools' ':!include/trace')
mapfile -t trace < <(added include/trace)
mapfile -t tools < <(added 'tools/*.[ch]')
# C that stays in this repository
mapfile -t -O "${#tools[@]}" tools < <(git ls-files 'vm/*.[ch]' 'bench/*.[ch]' 'qemu/bench/*.[ch]' 'qemu/predict/*.[ch]' |
	sed "s|^|$here/|")
say "checkpatch: $((${#kernel[@]} + ${#trace[@]})) kernel files (strict), ${#tools[@]} of user space, the patches"
# BRACKET_SPACE: a macro that is an initialiser. MACRO_ARG_*: stubs, and macros of
# which only one branch is evaluated.
checkpatch --strict --ignore BRACKET_SPACE,MACRO_ARG_UNUSED,MACRO_ARG_REUSE -f "${kernel[@]}" || note "checkpatch: see above"
checkpatch --strict --ignore BRACKET_SPACE,COMPLEX_MACRO -f "$here"/dkms/*.c "$here"/dkms/include/trace/misc/*.h || note "checkpatch: see above"
# Trace events are not as other C.
checkpatch --ignore COMPLEX_MACRO,MACRO_ARG_UNUSED,TRAILING_SEMICOLON -f "${trace[@]}" ||
	note "checkpatch: see above"
# User space has no ARRAY_SIZE and no __packed, and kselftest's macros are so.
checkpatch --ignore ARRAY_SIZE,PREFER_DEFINED_ATTRIBUTE_MACRO,COMPLEX_MACRO,MULTISTATEMENT_MACRO_USE_DO_WHILE,SPLIT_STRING,EMBEDDED_FUNCTION_NAME \
	-f "${tools[@]}" || note "checkpatch: see above"
for p in "$patches"/*.patch; do
	# The macros of vhost.c that a hook stands in are as the base has them.
	checkpatch --no-signoff --ignore \
		FILE_PATH_CHANGES,COMMIT_MESSAGE,COMPLEX_MACRO,EMBEDDED_FILENAME \
		"$here/$p" || note "checkpatch: $p"
done

for p in bench/{bound,floor}.patch tests/mutants/lies.patch; do
	p=$(of_series "$p")
	git -C "$tree" apply --check "$here/$p" || note "$p does not apply; rebase it"
done

for m in tests/mutants/*.sed; do
	grep -q "^# Series: $kernel_series$" "$m" || ! grep -q '^# Series: ' "$m" || continue
	f=$tree/$(sed -n 's/^# File: //p' "$m")
	! sed -f "$m" "$f" | cmp -s - "$f" || note "$m changes nothing; what it removes is elsewhere now"
done

out=$cache/build/vm
scripts/build.sh config "$tree" "$out" configs/vm.config configs/ringmap.config
say "sparse and W=1"
# sparse does not see that pte_offset_map_lock() takes a lock.
known="context imbalance in 'look\(_at_pmd\)\?'"
objects=(drivers/vhost/ringmap{,_map,_control,_windows}.o drivers/vhost/vhost.o mm/mmu_notifier.o
	mm/mmu_{notifier,interval}_trace.o mm/numa_hint.o mm/mprotect.o mm/hugetlb.o
	lib/test_mmu_notifier.o)
(cd "$out" && rm -f "${objects[@]}")
logged lint kmake "$tree" "$out" W=1 C=1 "${objects[@]}" || exit 1
grep -E '(warning|error):' "$logs/lint.log" | sed "s|$tree/||" |
	grep -E '^[^ ]*(ringmap|mmu_notifier|mmu_interval|numa_hint)|ringmap_|mn_|read_try_begin|_keeps|_cause' |
	grep -v "$known" >&2 &&
	note "sparse or the compiler warns about our code"

if [ "${1:-}" = kernel ]; then
	[ "$bad" = 0 ] || die "not clean"
	exit
fi

# Options that may be off while the others are on, and one that is on for debugging alone
for option in VHOST_TRACE=n VHOST_RINGMAP_WINDOWS=n MMU_NOTIFIER_CAUSES=n DEBUG_MMU_NOTIFIER_KEEPS=y; do
	say "W=1 with $option"
	out=$cache/build/without
	echo "CONFIG_$option" > "$cache/build/without.fragment"
	objects=(drivers/vhost/) sparse=0
	case $option in
	MMU_NOTIFIER_CAUSES=n) echo CONFIG_MMU_NOTIFIER_STATS=n >> "$cache/build/without.fragment" ;;
	DEBUG*) objects=(mm/mmu_notifier_debug.o) sparse=1 ;;
	esac
	[ "${option#VHOST}" != "$option" ] || objects+=(mm/mmu_notifier.o lib/test_mmu_notifier.o)
	scripts/build.sh config "$tree" "$out" configs/vm.config configs/ringmap.config \
		"$cache/build/without.fragment"
	(cd "$out" && rm -rf drivers/vhost {mm,lib}/*mmu_notifier*.o)
	logged lint kmake "$tree" "$out" W=1 C=$sparse prepare "${objects[@]}" || exit 1
	grep -E '(warning|error):' "$logs/lint.log" | grep -E 'vhost|mmu_notifier' |
		grep -v "$known" >&2 &&
		note "with $option the compiler or sparse warns"
done

say "shellcheck"
# SC2034: common.sh sets what others use.
shellcheck -x -e SC1091,SC2034 scripts/*.sh vm/*.sh bench/*.sh tests/*.sh qemu/*.sh .ci/run \
	dkms/newer debian/*.p* || note "shellcheck: see above"
[ "$bad" = 0 ] || die "not clean"
say "clean"
