//! `nonrecours import` as it is typed.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::Context as _;
use clap::Args;

use super::{Import, run, template};
use crate::state::State;

/// What is imported, or the workbook to fill in.
#[derive(Debug, Args)]
pub struct ImportArgs {
    /// The file.
    #[arg(required_unless_present = "template")]
    file: Option<PathBuf>,
    /// `operators/{operator}/conventions/{convention}`.
    #[arg(long, required_unless_present = "template")]
    convention: Option<String>,
    /// Columns and what they are (`column,source`); otherwise those of examples/import/classeur-v1.csv.
    #[arg(long)]
    mapping: Option<PathBuf>,
    /// Change nothing: tell what would become of each row.
    #[arg(long)]
    dry_run: bool,
    /// Only this sheet of the workbook; what a CSV file holds.
    #[arg(long)]
    sheet: Option<String>,
    /// Workbook to write the refused rows to, with what to correct.
    #[arg(long)]
    errors: Option<PathBuf>,
    /// Write the workbook to fill in, and import nothing.
    #[arg(long, conflicts_with_all = ["file", "convention", "dry_run", "sheet", "errors"])]
    template: Option<PathBuf>,
}

/// Imports, or writes the template. Fails when rows were refused.
pub async fn command(args: ImportArgs, state: &Path) -> anyhow::Result<ExitCode> {
    if let Some(out) = &args.template {
        template::write(args.mapping.as_deref(), out)?;
        println!("{} : à remplir, puis à importer", out.display());
        return Ok(ExitCode::SUCCESS);
    }
    let import = Import {
        file: args.file.as_deref().context("a file")?,
        convention: args.convention.as_deref().context("a convention")?,
        mapping: args.mapping.as_deref(),
        dry_run: args.dry_run,
        sheet: args.sheet.as_deref(),
        errors: args.errors.as_deref(),
    };
    let outcome = run(&State::read(state)?, import).await?;
    print!("{outcome}");
    Ok(match outcome.rejected() {
        0 => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    })
}
