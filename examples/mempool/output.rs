//! Where text goes, and what ends a run without a result.

use std::io::{self, ErrorKind, Write};
use std::process::ExitCode;

/// Why a run ended without a result.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// The command line asks for something impossible.
    Usage(String),
    /// A file, standard output or memory could not be used.
    System(String),
    /// The reader of standard output has seen enough, as `head` has: no fault, and nothing to say.
    ReaderLeft,
}

impl Failure {
    /// Prints on standard error why the run ended, and returns the exit code.
    pub(crate) fn report(self) -> ExitCode {
        let code = self.code();
        match self {
            Self::Usage(problem) => complain(&format!("{problem}\nTry --help.")),
            Self::System(problem) => complain(&problem),
            Self::ReaderLeft => {}
        }
        ExitCode::from(code)
    }

    pub(crate) fn code(&self) -> u8 {
        match self {
            Self::Usage(_) => 2,
            Self::System(_) => 3,
            Self::ReaderLeft => 0,
        }
    }
}

/// Prints a result: to standard output.
pub(crate) fn say(text: &str) -> Result<(), Failure> {
    write(&mut io::stdout().lock(), text)
}

/// Prints what only people read: to standard output, or beside it where that is for a program's eyes.
pub(crate) fn tell(beside: bool, text: &str) -> Result<(), Failure> {
    if !beside {
        return say(text);
    }
    // It is not missed where standard error is closed.
    let _ = writeln!(io::stderr().lock(), "{text}");
    Ok(())
}

/// Prints a problem on standard error, unless that is closed.
pub(crate) fn complain(problem: &str) {
    let _ = writeln!(io::stderr().lock(), "mempool: {problem}");
}

pub(crate) fn write(to: &mut impl Write, text: &str) -> Result<(), Failure> {
    writeln!(to, "{text}").and_then(|()| to.flush()).map_err(|e| match e.kind() {
        ErrorKind::BrokenPipe => Failure::ReaderLeft,
        _ => Failure::System(format!("standard output: {e}")),
    })
}
