//! Parses the command line, runs, and maps the outcome to an exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    hallkeeper::cli::main()
}
