//! A test that runs itself again in a process of its own, which may end by a signal.

/// The signal of a read where nothing may be read.
pub(crate) const SIGSEGV: i32 = 11;

const VARIABLE: &str = "SHARDED_ARENA_CHILD";

/// Returns what this process is to do, if it is a child.
pub(crate) fn task() -> Option<String> {
    std::env::var(VARIABLE).ok()
}

/// Runs a test again in a process of its own, with `what` to do, and returns the signal that ended it. `test` is its
/// full path, as [`this_test!`] makes it. A child that no signal ended must have run the test, and succeeded.
pub(crate) fn signal_of(test: &str, what: &str) -> Option<i32> {
    use std::os::unix::process::ExitStatusExt;
    let test = test.split_once("::").expect("the path begins with the program").1;
    let program = std::env::current_exe().expect("this program");
    let mut child = std::process::Command::new(program);
    child.args([test, "--exact", "--nocapture"]).env(VARIABLE, what);
    let output = child.output().expect("a child process");
    let signal = output.status.signal();
    let passed = output.status.success() && String::from_utf8_lossy(&output.stdout).contains(" 1 passed;");
    assert!(signal.is_some() || passed, "{what}: {output:?}");
    signal
}

/// The full path of a test in the module where this stands.
macro_rules! this_test {
    ($name:ident) => {
        concat!(module_path!(), "::", stringify!($name))
    };
}
pub(crate) use this_test;
