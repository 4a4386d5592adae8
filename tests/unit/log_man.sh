#!/bin/sh
# Every kind and member of an entry that signet/log.h knows stands in signet-log(5).
# log_man.sh HEADER PAGE
set -eu
header=$1
page=$2
failed=0

kinds=$(sed -n '/define SIGNET_LOG_KINDS/,/^$/s/.*X("\([a-z]*\)", ".*/\1/p' "$header")
fields=$(sed -n '/define SIGNET_LOG_FIELDS/,/^$/s/.*X("\([A-Za-z]*\)", "[isao]", ".*/\1/p' "$header")
[ "$(printf '%s\n' "$kinds" | wc -l)" -ge 15 ] || { echo "the header lists too few kinds: $kinds"; exit 1; }
[ "$(printf '%s\n' "$fields" | wc -l)" -ge 40 ] || { echo "the header lists too few members: $fields"; exit 1; }
for kind in $kinds; do
	sed -n '/^\.B kind/,/^\.TP/p' "$page" | grep -q "\b$kind\b" || { echo "kind $kind is not in the page"; failed=1; }
done
# the heads of the paragraphs between the opening members and the sub-section about openings
heads=$(sed -n '/^and goes on with/,/^\.SS/s/^\.BR* //p' "$page" | tr -d '",' | tr ' ' '\n' | grep .)
for field in $fields; do
	printf '%s\n' "$heads" | grep -qx "$field" || { echo "member $field is not in the page"; failed=1; }
done
for head in $heads; do
	printf '%s\n' "$fields" | grep -qx "$head" || { echo "the page has $head, which is no member"; failed=1; }
done
exit $failed
