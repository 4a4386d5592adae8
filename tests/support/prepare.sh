# Sourced by tests/quickstart and tests/run: packages and builds.
# shellcheck shell=bash

# Every package of support/packages whose purpose is among the arguments.
packages_for() {
	local purpose name
	while read -r purpose name; do
		case " $* " in *" $purpose "*) printf '%s\n' "$name" ;; esac
	done < <(sed 's/#.*//' "$REPO/tests/support/packages")
}

# Install what is missing; asks apt nothing at all when everything is there.
packages_install() {
	local wanted missing as_root=()
	mapfile -t wanted < <(packages_for "$@" | sort -u)
	mapfile -t missing < <(dpkg-query -W -f '${db:Status-Status} ${Package}\n' "${wanted[@]}" 2>/dev/null |
		sed -n 's/^installed //p' | sort -u | comm -23 <(printf '%s\n' "${wanted[@]}") -)
	[ ${#missing[@]} -gt 0 ] || return 0
	if [ "$(id -u)" -ne 0 ]; then
		command -v sudo >/dev/null || {
			echo "run this as root, or install these packages first: ${missing[*]}" >&2
			return 1
		}
		as_root=(sudo)
	fi
	echo "installing: ${missing[*]}"
	"${as_root[@]}" apt-get update -q || return 1
	"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
		apt-get install -q -y --no-install-recommends "${missing[@]}"
}

# build DIR [cmake arguments] [-- targets]: configure, then compile those targets, or everything. Quiet
# unless it fails.
build() {
	local dir=$1 configure=() targets=() log
	shift
	while [ $# -gt 0 ] && [ "$1" != -- ]; do
		configure+=("$1")
		shift
	done
	[ $# -lt 2 ] || targets=(--target "${@:2}")
	mkdir -p "$dir" || return 1
	log=$dir/build.log
	if ! { cmake -S "$REPO" -B "$dir" -G Ninja "${configure[@]}" && cmake --build "$dir" "${targets[@]}"; } >"$log" 2>&1; then
		tail -n 40 "$log" >&2
		echo "the build in $dir failed; all of it: $log" >&2
		return 1
	fi
}
