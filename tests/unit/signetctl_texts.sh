#!/bin/sh
# Every text of signetctl is translated: nothing new is without, nothing old is left over.
# signetctl_texts.sh SOURCES HEADER... PO...
set -eu
sources=$1
headers=
shift
while [ "${1%.h}" != "$1" ]; do
	headers="$headers $1"
	shift
done
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
xgettext --from-code=UTF-8 -k_ -kN_ -kngettext:1,2 -kX:3 -o "$dir/signet.pot" "$sources"/*.[ch] $headers
for po in "$@"; do
	msgcmp "$po" "$dir/signet.pot" || { echo "translate the new texts in $po"; exit 1; }
	ours=$(msgattrib --no-obsolete "$po" | grep -c '^msgid ')
	theirs=$(grep -c '^msgid ' "$dir/signet.pot")
	[ "$ours" -eq "$theirs" ] || { echo "$po: $ours texts, signetctl has $theirs"; exit 1; }
	echo "$po: $((ours - 1)) texts"
done
