//! `merge`: the outputs of all shards of a job become one.

use super::{exit, run};
use clap::Args;
use std::path::PathBuf;
use tcs_batch::run::Options;
use tcs_batch::run::event::Silent;
use tcs_batch::run::merge::{MergeError, merge};

/// Arguments of `merge`.
#[derive(Debug, Args)]
pub struct MergeArgs {
    /// Output folders, one a shard
    #[arg(required = true)]
    outs: Vec<PathBuf>,
    /// Where to write the whole
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

/// Merges and returns the exit code, as `run` would.
pub fn run(args: &MergeArgs, quiet: bool) -> u8 {
    let options = Options {
        out: args.out.clone(),
        workers: 0,
        shard: None,
        limit: None,
        fresh: false,
        retries: 0,
        fail_fast: false,
        command: run::command_line(),
        fetch: super::fetch_settings(true),
        stream: false,
    };
    match merge(&args.outs, &options, &mut Silent) {
        Ok((job, outcome)) => {
            run::list_failures(&outcome);
            run::conclude(&job, &options, &outcome, quiet)
        }
        Err(MergeError::Shards(message)) => {
            eprintln!("error: {message}");
            exit::USAGE
        }
        Err(MergeError::Run(error)) => run::fail(&error),
    }
}
