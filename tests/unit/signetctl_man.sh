#!/bin/sh
# Every verb, option and exit status of signetctl's help stands in its manual page, and no option but those.
# signetctl_man.sh SIGNETCTL PAGE
set -eu
LC_ALL=C
export LC_ALL
signetctl=$1
page=$(sed 's/\\-/-/g' "$2")
failed=0

# lines of a section of the help: "  word ..."
section() {
	"$signetctl" help | sed -n "/^$1:/,/^\$/p" | sed -n 's/^  \([a-z0-9]*\).*/\1/p' | sort -u
}

options_of_help() {
	for verb in $(section Verbs); do
		"$signetctl" help "$verb"
	done | sed -n 's/^  .. *\(--[a-z-]*\).*/\1/p; s/^  -., \(--[a-z-]*\).*/\1/p' | sort -u
}

# the heads of the paragraphs, not what a text mentions
options_of_page() {
	printf '%s\n' "$page" | awk '/^\.SH/ { on = $2 == "OPTIONS" } on && head { print } { head = $1 == ".TP" }' |
		grep -o -e '--[a-z][a-z-]*' | sort -u
}

complain() {
	printf '%s\n' "$*"
	failed=1
}

verbs=$(section Verbs)
codes=$(section 'Exit status')
[ "$(printf '%s\n' "$verbs" | wc -l)" -ge 10 ] || complain "the help lists too few verbs: $verbs"
[ "$(printf '%s\n' "$codes" | wc -l)" -eq 10 ] || complain "the help lists other exit statuses: $codes"
for verb in $verbs; do
	printf '%s\n' "$page" | grep -q "^\.B.*\b$verb\b" || complain "verb $verb is not in the page"
done
for code in $codes; do
	printf '%s\n' "$page" | grep -qx "\.B $code" || complain "exit status $code is not in the page"
done
in_help=$(options_of_help)
in_page=$(options_of_page)
[ "$(printf '%s\n' "$in_help" | wc -l)" -ge 20 ] || complain "the help lists too few options: $in_help"
[ "$in_help" = "$in_page" ] || complain "options of the help: $in_help
options of the page: $in_page"
# words of the daemon's insides are not a clerk's
if printf '%s\n' "$page" "$in_help" "$("$signetctl" help)" | grep -n -i -e '\blanes\?\b' -e '\bclaim' -e '\btiles\?\b'; then
	complain "these words are not for people"
fi
exit $failed
