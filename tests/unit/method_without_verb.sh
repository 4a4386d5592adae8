#!/bin/sh
# A method without a verb must not compile: the real dispatch.c beside tables that are wrong in one line each.
#	method_without_verb.sh SIGNETD_DIR COMPILER ARGUMENT...
set -eu
source=$1
shift
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cp "$source/dispatch.c" "$dir/dispatch.c"

# $1: name of the case; the table is read from standard input. Leaves what the compiler says in $dir/said.
compiles() {
	cat >"$dir/methods.def"
	"$compiler" "$@" -fsyntax-only "$dir/dispatch.c" >"$dir/said" 2>&1
}
compiler=$1
shift

status='METHOD("org.signetd.Admin", "Status", ADMIN, WHOLE, method_status)'
grep -qxF "$status" "$source/methods.def" || { echo "the table has changed: this test must, too"; exit 1; }

if ! compiles "$@" <"$source/methods.def"; then
	echo "the control does not compile:"
	cat "$dir/said"
	exit 1
fi
failed=0
for wrong in \
	'METHOD("org.signetd.Admin", "Status", , WHOLE, method_status)' \
	'METHOD("org.signetd.Admin", "Status", WHOLE, method_status)' \
	'METHOD("org.signetd.Admin", "Status", NONE, WHOLE, method_status)' \
	'METHOD("org.signetd.Admin", "Status", ANYONE, WHOLE, method_status)' \
	'METHOD("org.signetd.Admin", "Status", 0, WHOLE, method_status)'; do
	if sed "s|^METHOD(\"org.signetd.Admin\", \"Status\",.*|$wrong|" "$source/methods.def" | compiles "$@"; then
		echo "this compiles: $wrong"
		failed=1
	elif ! grep -q 'VERB_\|needs a verb\|METHOD' "$dir/said"; then
		echo "this fails for another reason: $wrong"
		cat "$dir/said"
		failed=1
	fi
done
exit $failed
