//! Kubernetes: an Indexed Job with one index a shard, and a Job that waits for the shards' files and merges.
//!
//! All pods see the same folders under the same paths as the machine that submits. So the job file keeps meaning what it says, paths
//! relative to it included; a ConfigMap would move it away from its recordings.

use super::{EngineError, Submission, ask, fail, plain_name, yaml};
use serde_json::{Value, json};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

const SHARD: &str = include_str!("kubernetes_shard.sh");
const MERGE: &str = include_str!("kubernetes_merge.sh");

/// The longest name of a Job: its pods are called NAME-merge-xxxxx or NAME-9999-xxxxx, 63 bytes at most.
pub const LONGEST_NAME: usize = 46;

/// Where a cache is mounted; `XDG_CACHE_HOME` says so.
const CACHE: &str = "/cache";

/// What only Kubernetes is told.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Options {
    /// The image that holds this program.
    pub image: String,
    /// Claims (`PersistentVolumeClaim`, ReadWriteMany) and where they are mounted.
    pub volumes: Vec<Volume>,
    /// A claim for what may be shared but need not be kept.
    pub cache: Option<String>,
    /// Of both Jobs.
    pub namespace: Option<String>,
    /// Of the first Job; the merge's is NAME-merge.
    pub name: String,
    /// User and group of the processes.
    pub user: Option<(u32, u32)>,
    /// Longest that all shards together may take, seconds.
    pub deadline_s: u64,
}

/// A claim and its place, the same in every pod as on the machine that submits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Volume {
    /// The name of the `PersistentVolumeClaim`.
    pub claim: String,
    /// An absolute path.
    pub path: String,
}

impl std::str::FromStr for Volume {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let (claim, path) = text.split_once('=').ok_or("write CLAIM=/PATH")?;
        check_name(claim, 253)?;
        let path = if path == "/" { path } else { path.trim_end_matches('/') };
        if !path.starts_with('/') || path == "/" || path.contains(':') || path.split('/').any(|step| step == "..") {
            return Err("the path must be absolute, below /, and hold neither `:` nor `..`".into());
        }
        Ok(Self { claim: claim.to_owned(), path: path.to_owned() })
    }
}

/// A name as Kubernetes takes it.
///
/// # Errors
/// Says what it may hold.
pub fn check_name(name: &str, longest: usize) -> Result<(), String> {
    let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || (c == '.' && longest > 63);
    let edge = |c: Option<char>| c.is_some_and(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
    if name.len() <= longest && name.chars().all(inner) && edge(name.chars().next()) && edge(name.chars().last()) {
        return Ok(());
    }
    Err(format!("`{name}` is no name for Kubernetes: small letters, digits and dashes, {longest} at most"))
}

/// A name for this submission: the job's and the time, so that one submission is never taken for another.
pub fn name_of(job: &str) -> String {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let plain = plain_name(job, 30).to_ascii_lowercase();
    format!("tcs-{plain}-{seconds:x}")
}

/// Both Jobs.
///
/// # Errors
/// When something that a pod needs lies on no volume.
pub fn manifests(submission: &Submission, options: &Options, needs: &[(String, &Path)]) -> Result<Vec<Value>, EngineError> {
    if options.volumes.is_empty() {
        return fail("pods need the folders of job, recordings and results: give --volume CLAIM=/PATH");
    }
    for (what, path) in needs {
        if !options.volumes.iter().any(|volume| path.starts_with(&volume.path)) {
            let mounted: Vec<&str> = options.volumes.iter().map(|volume| volume.path.as_str()).collect();
            return fail(format!(
                "{what} is in {}, which no pod sees: volumes are mounted at {}. Give the claim that holds it, as --volume CLAIM=/PATH with the path that it has here",
                path.display(),
                mounted.join(", ")
            ));
        }
    }
    let mut places: Vec<&str> =
        options.volumes.iter().map(|volume| volume.path.as_str()).chain(options.cache.iter().map(|_| CACHE)).collect();
    places.sort_unstable();
    if let Some(pair) = places.windows(2).find(|pair| pair[0] == pair[1]) {
        return fail(format!("two volumes are mounted at {}", pair[0]));
    }
    Ok(vec![shards(submission, options), merge(submission, options)])
}

/// The manifests as YAML.
pub fn text(manifests: &[Value]) -> String {
    manifests.iter().map(yaml::document).collect::<Vec<_>>().join("---\n")
}

/// Hands the manifests to `kubectl apply`; returns what it says.
///
/// # Errors
/// When kubectl is missing or refuses.
pub fn submit(manifests: &[Value]) -> Result<String, EngineError> {
    let words = ["kubectl", "apply", "-f", "-"].map(str::to_owned);
    match ask(&words, Some(&text(manifests)))? {
        None => fail("`kubectl` is not on this machine; install it, or hand over the manifest yourself: --dry-run prints it"),
        Some(said) if said.ok => Ok(said.out),
        Some(said) => {
            let hint =
                HINTS.iter().find(|(symptom, _)| said.err.contains(symptom)).map(|(_, hint)| format!("\n{hint}")).unwrap_or_default();
            fail(format!("kubectl refused: {}{hint}", if said.err.is_empty() { &said.out } else { &said.err }))
        }
    }
}

/// What to do about what kubectl says.
const HINTS: &[(&str, &str)] = &[
    ("onnection refused", "kubectl knows no cluster that answers; `kubectl config get-contexts` lists those it knows"),
    ("no configuration has been provided", "kubectl knows no cluster; set KUBECONFIG or `kubectl config use-context`"),
    ("orbidden", "this account may not make Jobs in that namespace; choose another with --namespace, or ask for the right to"),
    ("field is immutable", "a Job of that name is there already; choose another --name, or delete it: kubectl delete job NAME"),
    ("namespaces \"", "`kubectl get namespaces` lists them; choose one with --namespace"),
];

fn shards(submission: &Submission, options: &Options) -> Value {
    let script = json!(["/bin/sh", "-c", SHARD, "tcs-batch"]);
    let mut args = vec![submission.program.clone()];
    args.extend(submission.run());
    let mut env = env(submission, options);
    env.push(json!({"name": "TCS_JOB", "value": literal(&submission.job)}));
    env.push(json!({"name": "TCS_JOB_SHA256", "value": submission.job_sha256}));
    env.push(json!({"name": "TCS_RESTARTS", "value": submission.restarts.to_string()}));
    let failures = "metadata.annotations['batch.kubernetes.io/job-index-failure-count']";
    env.push(json!({"name": "TCS_FAILURES", "valueFrom": {"fieldRef": {"fieldPath": failures}}}));
    let mut limits = json!({"cpu": submission.cpus.to_string(), "memory": format!("{}Mi", submission.memory_mib)});
    if submission.gpus > 0 {
        limits["nvidia.com/gpu"] = json!(submission.gpus.to_string());
    }
    let container = container(options, script, &args, env, limits);
    let mut pod = pod(options, container);
    if let Some(time_s) = submission.time_s {
        pod["activeDeadlineSeconds"] = json!(time_s);
    }
    if submission.gpus > 0 {
        pod["tolerations"] = json!([{"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}]);
    }
    let spec = json!({
        "completionMode": "Indexed",
        "completions": submission.shards,
        "parallelism": submission.parallel.unwrap_or(submission.shards).min(submission.shards),
        "backoffLimitPerIndex": submission.restarts,
        // One bad shard does not stop the others; half of them do.
        "maxFailedIndexes": submission.shards / 2,
        "podReplacementPolicy": "Failed",
        "activeDeadlineSeconds": options.deadline_s,
        "ttlSecondsAfterFinished": 604_800,
        "podFailurePolicy": {"rules": [
            // Drained, preempted, lost with its node: does not count.
            {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]},
            // A wrong job file, no such program: another attempt would not help.
            {"action": "FailIndex", "onExitCodes": {"containerName": "tcs-batch", "operator": "In", "values": [2, 126, 127]}},
            // Another holder of the folder, interrupted, killed (memory), terminated: once more, and it resumes.
            {"action": "Count", "onExitCodes": {"containerName": "tcs-batch", "operator": "In", "values": [5, 130, 137, 143]}},
        ]},
        "template": {"metadata": {"labels": labels(options, "shard")}, "spec": pod},
    });
    job(submission, options, &options.name, "shard", spec)
}

fn merge(submission: &Submission, options: &Options) -> Value {
    let script = json!(["/bin/sh", "-c", MERGE]);
    let mut env = env(submission, options);
    env.push(json!({"name": "TCS_PROGRAM", "value": literal(&submission.program)}));
    env.push(json!({"name": "TCS_WAIT_S", "value": (options.deadline_s + 300).to_string()}));
    let limits = json!({"cpu": "1", "memory": format!("{}Mi", submission.memory_mib)});
    let container = container(options, script, &[], env, limits);
    let spec = json!({
        "backoffLimit": 2,
        "activeDeadlineSeconds": options.deadline_s + 7200,
        "ttlSecondsAfterFinished": 604_800,
        "podReplacementPolicy": "Failed",
        "podFailurePolicy": {"rules": [
            {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]},
            // The verdict: shards missing, units failed, an expectation fell short. It is the same the next time.
            {"action": "FailJob", "onExitCodes": {"containerName": "tcs-batch", "operator": "In", "values": [2, 3, 4, 126, 127]}},
        ]},
        "template": {"metadata": {"labels": labels(options, "merge")}, "spec": pod(options, container)},
    });
    job(submission, options, &format!("{}-merge", options.name), "merge", spec)
}

fn job(submission: &Submission, options: &Options, name: &str, component: &str, spec: Value) -> Value {
    let mut metadata = json!({"name": name});
    if let Some(namespace) = &options.namespace {
        metadata["namespace"] = json!(namespace);
    }
    metadata["labels"] = labels(options, component);
    metadata["annotations"] = json!({"tcs-batch/job": submission.name, "tcs-batch/results": submission.out});
    json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": spec})
}

fn labels(options: &Options, component: &str) -> Value {
    json!({"app.kubernetes.io/name": "tcs-batch", "app.kubernetes.io/instance": options.name, "app.kubernetes.io/component": component})
}

fn env(submission: &Submission, options: &Options) -> Vec<Value> {
    let mut all = vec![
        json!({"name": "TCS_NAME", "value": options.name}),
        json!({"name": "TCS_OUT", "value": literal(submission.out.trim_end_matches('/'))}),
        json!({"name": "TCS_SHARDS", "value": submission.shards.to_string()}),
        // Recordings are only read; locks on shared file systems fail where the system offers none.
        json!({"name": "HDF5_USE_FILE_LOCKING", "value": "FALSE"}),
    ];
    if options.cache.is_some() {
        all.push(json!({"name": "XDG_CACHE_HOME", "value": CACHE}));
    }
    all
}

/// `$(NAME)` means a variable in values and arguments of a container; `$$` means `$`.
fn literal(text: &str) -> String {
    text.replace('$', "$$")
}

fn container(options: &Options, command: Value, args: &[String], env: Vec<Value>, limits: Value) -> Value {
    let mut mounts: Vec<Value> = Vec::new();
    for (at, volume) in options.volumes.iter().enumerate() {
        mounts.push(json!({"name": format!("volume-{at}"), "mountPath": volume.path}));
    }
    if options.cache.is_some() {
        mounts.push(json!({"name": "cache", "mountPath": CACHE}));
    }
    mounts.push(json!({"name": "tmp", "mountPath": "/tmp"}));
    let mut container = json!({"name": "tcs-batch", "image": options.image, "command": command});
    if !args.is_empty() {
        container["args"] = args.iter().map(|arg| literal(arg)).collect();
    }
    container["env"] = Value::Array(env);
    container["resources"] = json!({"requests": limits, "limits": limits});
    container["securityContext"] = json!({"allowPrivilegeEscalation": false});
    container["volumeMounts"] = Value::Array(mounts);
    container
}

fn pod(options: &Options, container: Value) -> Value {
    let mut security = json!({"seccompProfile": {"type": "RuntimeDefault"}});
    if let Some((user, group)) = options.user {
        security["runAsUser"] = json!(user);
        security["runAsGroup"] = json!(group);
        security["runAsNonRoot"] = json!(user != 0);
    }
    let mut volumes: Vec<Value> = Vec::new();
    for (at, volume) in options.volumes.iter().enumerate() {
        volumes.push(json!({"name": format!("volume-{at}"), "persistentVolumeClaim": {"claimName": volume.claim}}));
    }
    if let Some(claim) = &options.cache {
        volumes.push(json!({"name": "cache", "persistentVolumeClaim": {"claimName": claim}}));
    }
    volumes.push(json!({"name": "tmp", "emptyDir": {}}));
    json!({
        "restartPolicy": "Never",
        "terminationGracePeriodSeconds": 60,
        "automountServiceAccountToken": false,
        "enableServiceLinks": false,
        "securityContext": security,
        "containers": [container],
        "volumes": volumes,
    })
}
