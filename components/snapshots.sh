# Takes a snapshot of the datacenter every so many seconds, and keeps the newest ones. Which one is the newest is
# written to a key, so that who sees nothing but Consul sees how old it is.
#   snapshots.sh DATACENTER SECONDS KEEP KEY URL...
datacenter=$1
interval=$2
keep=$3
key=$4
shift 4
folder=/consul/data
# What is not verified yet. Consul unpacks here as well: a snapshot may need more room than there is in memory.
export TMPDIR=$folder/partial

# The first process of a container gets no signal that it does not ask for.
trap 'exit 0' TERM INT
# Whoever reads a snapshot has every token.
umask 077

# Names end in the time, so they sort by it.
newest_first() {
  ls "$folder" | grep '\.snap$' | sort -r
}

# Seconds until the next one is due; none or less where it is.
due_in() {
  newest=$(newest_first | head -n 1)
  [ -n "$newest" ] || { echo 0; return; }
  echo $((interval - $(date +%s) + $(stat -c %Y "$folder/$newest")))
}

# By the first agent that answers.
take() {
  rm -rf "$TMPDIR"
  mkdir "$TMPDIR"
  now=$(date -u +%Y-%m-%dT%H:%M:%SZ)
  name=$datacenter-$(echo "$now" | tr -d ':-').snap
  for CONSUL_HTTP_ADDR; do
    export CONSUL_HTTP_ADDR
    timeout 60 consul snapshot save "$TMPDIR/$name" || continue
    facts=$(consul snapshot inspect -format=json "$TMPDIR/$name") || continue
    mv "$TMPDIR/$name" "$folder/$name" || return
    newest_first | tail -n +$((keep + 1)) | while read -r old; do rm "$folder/$old"; done
    index=$(echo "$facts" | sed -n 's/^ *"Index": \([0-9]*\).*/\1/p' | head -n 1)
    bytes=$(stat -c %s "$folder/$name")
    kept=$(newest_first | wc -l)
    consul kv put "$key" "{\"name\":\"$name\",\"takenAt\":\"$now\",\"bytes\":$bytes,\"index\":$index,\"kept\":$kept}"
    return
  done
}

# In the background, since a shell hears signals only while it waits.
while :; do
  left=$(due_in)
  if [ "$left" -le 0 ]; then
    take "$@" & wait $!
    left=$(due_in)
  fi
  # One that failed is tried again soon. A clock may be set, and a file be deleted.
  sleep $((left < 5 ? 5 : left > 60 ? 60 : left)) & wait $!
done
