# Waits until every shard says that it has ended, or the time is over; merge itself judges whether all is there.
set -u
trap 'exit 143' TERM
waited=0
shard=1
set --
while [ "$shard" -le "$TCS_SHARDS" ]; do
    folder=$TCS_OUT/shards/$shard-of-$TCS_SHARDS
    if [ ! -e "$folder/$TCS_NAME.ended" ] && [ "$waited" -lt "$TCS_WAIT_S" ]; then
        [ $((waited % 600)) -ne 0 ] || printf 'tcs-batch: waiting for shard %s/%s\n' "$shard" "$TCS_SHARDS" >&2
        sleep 5
        waited=$((waited + 5))
        continue
    fi
    [ -e "$folder/$TCS_NAME.ended" ] || printf 'tcs-batch: shard %s/%s has not ended\n' "$shard" "$TCS_SHARDS" >&2
    set -- "$@" "$shard-of-$TCS_SHARDS"
    shard=$((shard + 1))
done
cd "$TCS_OUT/shards" || exit 1
exec "$TCS_PROGRAM" merge "$@" --out "$TCS_OUT"
