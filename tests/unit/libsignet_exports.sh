#!/bin/sh
# libsignet exports signet_* and all that signet.h and error.h declare, nothing else.
# libsignet_exports.sh LIBRARY HEADER...
set -eu
library=$1
shift
exported=$(nm -D --defined-only "$library" | awk '$2 != "A" { sub(/@.*/, "", $3); print $3 }' | sort)
declared=$(cat "$@" | sed -n 's/^[a-z].*[ *]\(signet_[a-z_]*\)(.*/\1/p' | grep -v '_fn$' | sort)
strangers=$(printf '%s\n' "$exported" | grep -v '^signet_' || true)
if [ -n "$strangers" ]; then
	printf 'exported, but not signet_*:\n%s\n' "$strangers"
	exit 1
fi
if [ "$exported" != "$declared" ]; then
	printf 'exported:\n%s\n\ndeclared:\n%s\n' "$exported" "$declared"
	exit 1
fi
printf '%s functions, all declared\n' "$(printf '%s\n' "$exported" | wc -l)"
