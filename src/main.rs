//! Arguments in, exit code out.

use std::process::ExitCode;

fn main() -> ExitCode {
    sse_bridge::run(std::env::args_os())
}
