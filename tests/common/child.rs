//! A test that runs itself again in a process of its own, which may end by a signal.

/// The signal of a read where nothing may be read.
pub(crate) const SIGSEGV: i32 = 11;

const VARIABLE: &str = "SHARDED_ARENA_CHILD";

/// What this process is to do, if it is a child.
pub(crate) fn task() -> Option<String> {
    std::env::var(VARIABLE).ok()
}

/// Runs `test` of this program again in a process of its own, with `what` to do; gives the signal that ended it. Without one
/// the child must have succeeded.
pub(crate) fn signal_of(test: &str, what: &str) -> Option<i32> {
    use std::os::unix::process::ExitStatusExt;
    let program = std::env::current_exe().expect("this program");
    let mut child = std::process::Command::new(program);
    child.args([test, "--exact", "--nocapture"]).env(VARIABLE, what);
    let output = child.output().expect("a child process");
    assert!(output.status.signal().is_some() || output.status.success(), "{what}: {output:?}");
    output.status.signal()
}
