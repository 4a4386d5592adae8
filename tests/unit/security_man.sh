#!/bin/sh
# Goal: every test that signet-security(7) names is one that runs.
# usage: security_man.sh MANUAL BUILD-DIRECTORY
set -eu
# not by `ctest -N`, which would write over the log of the run that this is part of
known=$(find "$2" -name CTestTestfile.cmake -exec sed -n 's/^add_test(\(\[=\[\)\{0,1\}\([^] ]*\).*/\2/p' {} + | tr -d '"')
named=$(sed 's/\\-/-/g' "$1" | grep -oE '(unit|flow|fault|fuzz|package)/[a-z0-9_]+' | sort -u)
[ "$(printf '%s\n' "$named" | wc -l)" -ge 20 ]
status=0
for test in $named; do
	printf '%s\n' "$known" | grep -qx "$test" || { echo "signet-security(7) names $test, which does not run" >&2; status=1; }
done
exit $status
