# Runs a health check, and rests before it while all is well: an engine knows one interval, which has to be short for a
# start, and a longer one afterwards only from version 25 on. Whatever came of the check before, but success, is followed
# by a check at once: a failure, a time-out, a pause of the container or its start.
#   rest.sh SECONDS COMMAND...
seconds=$1
shift
state=/tmp/health
read -r last 2>/dev/null <"$state"
echo asking >"$state"
[ "$last" != well ] || sleep "$seconds"
"$@" || exit 1
echo well >"$state"
