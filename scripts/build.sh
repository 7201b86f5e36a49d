#!/usr/bin/env bash
# build.sh: configure and build the kernel of $VARIANT; print the image's path.
# build.sh config SOURCE BUILD FRAGMENT...: only configure.
# build.sh touched: only the objects of the C files that the branch adds or changes.
. scripts/common.sh

# configure SOURCE BUILD FRAGMENT...: tinyconfig plus fragments, of which a later one
# overrules earlier ones. Every symbol that they ask for must be in the result, or the
# build fails and names it. configs/SERIES.sed has other names that a kernel series has for them.
configure() {
	local src=$1 out=$2 cfg=$2.config names=configs/$kernel_series.sed line f n=0 bad=0
	shift 2
	mkdir -p "$out" "$cfg"
	[ -f "$names" ] || names=/dev/null
	for f; do
		shift
		n=$((n + 1))
		sed -f "$names" "$f" > "$cfg/$n.fragment"
		set -- "$@" "$cfg/$n.fragment"
	done
	logged "config-${out##*/}" kconfig "$src" "$cfg" "$@" || exit 1
	while IFS= read -r line; do
		case $line in
		*=n) ! grep -q "^${line%=n}=" "$cfg/.config" || { say "$line is not what .config says"; bad=1; } ;;
		*) grep -qxF "$line" "$cfg/.config" || { say "$line did not survive into .config"; bad=1; } ;;
		esac
	done < <(awk -F = '/^CONFIG_/ { said[$1] = $0 } END { for (s in said) print said[s] }' "$@")
	[ "$bad" = 0 ] || die "configs/ asks for symbols that this kernel does not take"
	cmp -s "$cfg/.config" "$out/.config" || cp "$cfg/.config" "$out/.config"
}

kconfig() {
	local src=$1 cfg=$2
	shift 2
	kmake "$src" "$cfg" tinyconfig
	"$src/scripts/kconfig/merge_config.sh" -m -O "$cfg" "$cfg/.config" "$@"
	kmake "$src" "$cfg" olddefconfig
}

if [ "${1:-}" = config ]; then
	shift
	configure "$@"
	exit
fi

# What the selftests ask of a kernel stands beside them.
ours=(configs/vm.config configs/ringmap.config)
fragments=("${ours[@]}" tools/testing/selftests/{vhost,mmu_notifier}/config)
targets=(bzImage)
case $variant in
vm) ;;
demo) fragments=("${ours[@]}" configs/demo.config) ;;
kcsan | debug | rt) fragments+=("configs/$variant.config") ;;
modular) fragments+=(configs/modular.config) targets+=(modules) ;;
kvm) fragments=(configs/kvm.config) ;;
kvm-was) fragments=(configs/kvm{,-was}.config) ;;
off) fragments=(configs/vm.config configs/off.config) ;;
*) die "VARIANT=$variant: choose vm, demo, debug, kcsan, rt, modular, kvm, kvm-was or off" ;;
esac
out=$cache/build/$variant
[ -f "$out/vmlinux" ] || need_space 4 "building the $variant kernel"
configure "$tree" "$out" "${fragments[@]}"
if [ "${1:-}" = touched ]; then
	# What only PREEMPT_RT has is built by VARIANT=rt, and what is for debugging by debug. KVM's
	# objects are built by VARIANT=kvm.
	names=('*.c' ':!tools' ':!virt' ':!arch' ':!*_rt.c' ':!*_debug.c')
	[ "$variant" != kvm ] || names=('virt/*.c' 'arch/*.c')
	mapfile -t objects < <(git -C "$tree" diff --name-only base ringmap -- "${names[@]}" | sed 's/c$/o/')
	say "building ${#objects[@]} objects"
	logged "kernel-touched" kmake "$tree" "$out" "${objects[@]}"
	exit
fi
say "building the $variant kernel"
logged "kernel-$variant" kmake "$tree" "$out" "${targets[@]}" || exit 1
image "$variant"
