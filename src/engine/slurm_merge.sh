
# Runs when every shard has ended, however it ended; merge itself judges whether all is there.
set -u
cd -- "$out/shards" || exit 1
folders=()
for ((shard = 1; shard <= shards; shard++)); do folders+=("$shard-of-$shards"); done
"$program" merge "${folders[@]}" --out "$out"
code=$?
if [ "$code" = 2 ]; then
    printf 'tcs-batch: the logs of the shards are in %s; submit the job again: only what is missing is computed\n' "$out/shards/slurm" >&2
fi
exit "$code"
