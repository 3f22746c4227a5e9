# One index is one shard: indices count from 0, shards from 1. "$@" is the command without --shard and --out.
set -u
shard=$((JOB_COMPLETION_INDEX + 1))
folder=$TCS_OUT/shards/$shard-of-$TCS_SHARDS
say() { printf 'tcs-batch: shard %s/%s: %s\n' "$shard" "$TCS_SHARDS" "$1" >&2; }
# Tells the merge that this shard has ended for good. Its name holds the submission's: older ones say nothing.
ended() {
    printf '%s\n' "$1" >"$folder/.$TCS_NAME.tmp" && mv "$folder/.$TCS_NAME.tmp" "$folder/$TCS_NAME.ended"
}

mkdir -p "$folder" || exit 1
sum=$(sha256sum <"$TCS_JOB") || { say "the pod does not see the job file: $TCS_JOB"; exit 1; }
if [ "${sum%% *}" != "$TCS_JOB_SHA256" ]; then
    say "$TCS_JOB was changed after it was submitted; submit it again"
    ended 2
    exit 2
fi

pid=''
stop=''
trap 'stop=1; [ -z "$pid" ] || kill -TERM "$pid"' TERM INT
tcs_program=$1
shift
"$tcs_program" "$@" --shard "$shard/$TCS_SHARDS" --out "$folder" &
pid=$!
[ -z "$stop" ] || kill -TERM "$pid"
wait "$pid"
code=$?
# A signal ends `wait` before the program has stopped.
while [ "$code" -gt 128 ] && kill -0 "$pid" 2>/dev/null; do
    wait "$pid"
    code=$?
done

case $code in
0 | 3 | 4)
    # Failed units are a result; trying again is the work of run.retries. The verdict is the merge's.
    [ "$code" != 3 ] || say 'some units failed; the merged tables will name them'
    ended "$code"
    exit 0
    ;;
2 | 126 | 127) ended "$code" ;;
*)
    # The last attempt that Kubernetes grants (a pod that is drained does not count, and is tried again).
    if [ -z "$stop" ] && [ "${TCS_FAILURES:-0}" -ge "$TCS_RESTARTS" ]; then ended "$code"; fi
    ;;
esac
exit "$code"
