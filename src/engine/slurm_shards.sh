
# One task of the array is one shard: its number is $1 (the shards of earlier arrays) + SLURM_ARRAY_TASK_ID (from 1).
# Exit codes are those of tcs-batch.
set -u
shard=$(($1 + SLURM_ARRAY_TASK_ID))
folder=$out/shards/$shard-of-$shards
say() { printf 'tcs-batch: shard %s/%s: %s\n' "$shard" "$shards" "$1" >&2; }
# Files of finished units are numbered as they come.
last_kept() { find "$folder/shards/units" -name '*.units' -printf '%f\n' 2>/dev/null | sort | tail -n 1; }

mkdir -p -- "$folder" || exit 1
say "attempt $((${SLURM_RESTART_COUNT:-0} + 1)) on $(hostname), $(date '+%F %T'), results in $folder"
sum=$(sha256sum <"$job") || { say "this node does not see the job file: $job"; exit 1; }
[ "${sum%% *}" = "$sha256" ] || { say "$job was changed after it was submitted; submit it again"; exit 2; }
# Attempts in a row that finished no unit; kept beside the results, since every attempt may be on another node.
stalled=0
[ "${SLURM_RESTART_COUNT:-0}" = 0 ] || stalled=$(cat "$folder/stalled" 2>/dev/null || echo 0)
before=$(last_kept)

# Slurm sends USR1 before the time limit, and TERM when the task is cancelled. bash hears them during `wait`, not while a command
# in the foreground runs.
pid='' reason=''
halt() {
    reason=$1
    [ -z "$pid" ] || kill -TERM "$pid" 2>/dev/null
}
trap 'halt limit' USR1
trap 'halt cancelled' TERM INT
# Recordings are only read; locks on shared file systems fail where the system offers none.
export HDF5_USE_FILE_LOCKING=FALSE
"$program" "${run[@]}" --shard "$shard/$shards" --out "$folder" &
pid=$!
[ -z "$reason" ] || kill -TERM "$pid" 2>/dev/null
while wait "$pid"; code=$?; [ "$code" -gt 128 ] && kill -0 "$pid" 2>/dev/null; do :; done
# A signal may have ended the last `wait`; bash still knows how the program ended.
wait "$pid"
code=$?

case $code in
0 | 4) exit 0 ;; # a shard judges its own units only; the verdict that counts is the merge's
3) say "some units failed; the merged tables will name them"; exit 3 ;;
5) why='another run holds its folder' ;;
*)
    if [ "$code" -le 128 ]; then
        say "ended with exit code $code, which another attempt would not change"
        exit "$code"
    fi
    case $reason in
    cancelled) say 'cancelled; what was done is kept'; exit "$code" ;;
    limit) why='stopped before the time limit' ;;
    *) why="killed by signal $((code - 128))" ;;
    esac
    ;;
esac

if [ "$(last_kept)" != "$before" ]; then stalled=0; else stalled=$((stalled + 1)); fi
printf '%s\n' "$stalled" >"$folder/stalled"
if [ "$stalled" -gt "$restarts" ]; then
    say "$why; not tried again, since $stalled attempts in a row finished no unit (a unit may need more --time or --memory)"
    exit "$code"
fi
say "$why; requeued, and goes on from there"
scontrol requeue "${SLURM_ARRAY_JOB_ID}_$SLURM_ARRAY_TASK_ID" || say 'Slurm did not requeue it; submit the job again to go on'
exit "$code"
