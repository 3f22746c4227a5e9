// Plain shards of one job, then their merge; see docs/workflows.md.
//
//   nextflow run docs/workflows/main.nf --job jobs/quickstart.toml --out reports/quickstart --shards 4

params.job = 'jobs/quickstart.toml'
params.out = 'reports/nextflow'
params.shards = 4
params.tcs = 'tcs-batch'

// Results go to a folder that stays, not to the task's work folder, which is a new one at every attempt: a shard that is tried again,
// or resumed, computes only what is missing. The job file is used where it stands, as paths in it are relative to it; it is an
// input too, so that -resume sees when it was edited.
process SHARD {
    cpus 1
    maxRetries 2
    errorStrategy { task.exitStatus in [1, 5, 130, 137, 143] ? 'retry' : 'terminate' }

    input:
    val shard
    path 'seen.toml'

    output:
    val shard

    script:
    def job = file(params.job).toAbsolutePath()
    def out = file(params.out).toAbsolutePath()
    """
    code=0
    ${params.tcs} run '${job}' --shard ${shard}/${params.shards} --workers ${task.cpus} --out '${out}.shards/${shard}' --progress plain || code=\$?
    [ \$code -ne 3 ] && [ \$code -ne 4 ] || code=0
    exit \$code
    """
}

process MERGE {
    input:
    val shards

    script:
    def out = file(params.out).toAbsolutePath()
    def folders = shards.sort().collect { "'${out}.shards/${it}'" }.join(' ')
    """
    ${params.tcs} merge ${folders} --out '${out}'
    """
}

workflow {
    SHARD(Channel.of(1..(params.shards as int)), file(params.job))
    MERGE(SHARD.out.collect())
}
