//! What the run shows and how it ends.

use std::io::{self, ErrorKind, Write};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use indicatif::{ProgressDrawTarget, TermLike};

use crate::advice;
use crate::backend::Backend;
use crate::half::Half;
use crate::output::{Failure, write};
use crate::pool::Pool;
use crate::progress;
use crate::report::{Outcome, table};

use super::{LENGTHS, counted, sources};

/// An output that fails at once.
struct Broken(ErrorKind);

impl Write for Broken {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(self.0.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_reader_may_leave() {
    assert_eq!(write(&mut Broken(ErrorKind::BrokenPipe), "text"), Err(Failure::ReaderLeft));
    let full = write(&mut Broken(ErrorKind::StorageFull), "text").unwrap_err();
    let codes = [&Failure::ReaderLeft, &Failure::Usage(String::new()), &full].map(Failure::code);
    assert_eq!(codes, [0, 2, 3], "{full:?}");
}

#[test]
fn many_threads_get_advice() {
    for (threads, processors) in [(1, 1), (4, 1), (4, 2), (16, 2)] {
        assert_eq!(advice(threads, processors), "");
    }
    let advice = advice(1024, 2);
    assert!(advice.contains("1024 threads on 2 processors") && advice.contains("--threads 4 "), "{advice}");
}

/// A run of an hour that is stopped ends at once, and its table holds only figures.
#[test]
fn a_stopped_run_has_a_table() {
    let (backend, sources) = (counted(4 << 20), sources());
    let stopped = AtomicBool::new(true);
    let mut half = Half::new(Pool::new(&backend, LENGTHS).unwrap(), 2, &sources);
    let never_ran = Outcome::of(&half, &sources);
    half.run_slice(&sources, Duration::from_secs(3600), &stopped, |_| {});
    let text = table(&Outcome::of(&half, &sources), &never_ran);
    assert!(!text.contains("NaN") && !text.contains("inf"), "{text}");
}

#[test]
fn means_need_a_refusal() {
    let sources = sources();
    let (roomy, tight) = (counted(16 << 20), counted(1 << 20));
    let unpressed = outcome_after_one_block(&roomy);
    let text = table(&unpressed, &unpressed);
    assert!(text.contains("live, at the end") && !text.contains("first refusal"), "{text}");
    let mut half = Half::new(Pool::new(&tight, LENGTHS).unwrap(), 2, &sources);
    let running = AtomicBool::new(false);
    while half.samples.pressed_count == 0 {
        half.run_slice(&sources, Duration::from_millis(20), &running, |_| {});
    }
    let text = table(&Outcome::of(&half, &sources), &unpressed);
    assert!(text.contains("live, mean from first refusal on") && text.contains("none refused"), "{text}");
}

fn outcome_after_one_block<B: Backend>(backend: &B) -> Outcome {
    let half = Half::new(Pool::new(backend, LENGTHS).unwrap(), 2, &sources());
    Outcome::of(&half, &sources())
}

/// A terminal that keeps what is written on it.
#[derive(Debug, Clone)]
struct Terminal {
    width: u16,
    text: Arc<Mutex<String>>,
}

impl TermLike for Terminal {
    fn width(&self) -> u16 {
        self.width
    }

    fn move_cursor_up(&self, _: usize) -> io::Result<()> {
        Ok(())
    }

    fn move_cursor_down(&self, _: usize) -> io::Result<()> {
        Ok(())
    }

    fn move_cursor_right(&self, _: usize) -> io::Result<()> {
        Ok(())
    }

    fn move_cursor_left(&self, _: usize) -> io::Result<()> {
        Ok(())
    }

    fn write_line(&self, line: &str) -> io::Result<()> {
        self.write_str(line)
    }

    fn write_str(&self, text: &str) -> io::Result<()> {
        self.text.lock().unwrap().push_str(text);
        Ok(())
    }

    fn clear_line(&self) -> io::Result<()> {
        Ok(())
    }

    fn flush(&self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn the_bar_fits_its_terminal() {
    for width in [28, 40, 80, 200] {
        let terminal = Terminal { width, text: Arc::default() };
        let bar = progress::bar(Duration::from_secs(6), ProgressDrawTarget::term_like(Box::new(terminal.clone())));
        bar.set_message("checking");
        bar.set_position(3000);
        terminal.text.lock().unwrap().clear();
        bar.force_draw();
        let text = terminal.text.lock().unwrap().clone();
        assert!(text.contains("checking") && text.contains("50 %"), "{text:?}");
        assert!(text.trim_end().chars().count() <= width.into(), "{width}: {text:?}");
    }
}
