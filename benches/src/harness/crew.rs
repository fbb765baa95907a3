//! Threads that live as long as a row: started before any clock, so that no round pays for a thread's birth and
//! every contender's per-thread state stays warm between its rounds.

use std::{
    cell::Cell,
    sync::{
        Arc, Barrier,
        mpsc::{Receiver, Sender, channel},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use super::clock::time;

/// What every member runs, told its own number.
pub type Job = Arc<dyn Fn(usize) + Send + Sync>;

/// What every member runs when a part of it is not to be timed: told its own number, and handed a clock.
///
/// The clock runs while it runs what it is given, and does so once all members have come that far: what is done before
/// is every member's own preparation.
pub type PreparedJob = Arc<dyn Fn(usize, &Clock) + Send + Sync>;
pub type Clock<'a> = dyn Fn(&mut dyn FnMut()) + 'a;

pub struct Crew {
    jobs: Vec<Sender<PreparedJob>>,
    finished: Receiver<Stint>,
    members: Vec<JoinHandle<()>>,
    worked: Cell<Duration>,
    possible: Cell<Duration>,
}

/// One member's part of a round.
struct Stint {
    start: Instant,
    end: Instant,
    /// Time it was on a core.
    worked: Duration,
}

impl Stint {
    fn of(work: &mut dyn FnMut()) -> Stint {
        let start = Instant::now();
        let worked = time(work);
        Stint { start, worked, end: Instant::now() }
    }
}

impl Crew {
    pub fn of(threads: usize) -> Crew {
        let barrier = Arc::new(Barrier::new(threads));
        let (report, finished) = channel();
        let (jobs, members) = (0..threads)
            .map(|member| {
                let (give, jobs) = channel::<PreparedJob>();
                let (barrier, report) = (barrier.clone(), report.clone());
                let run = move || {
                    keep_to_core(member);
                    for job in jobs {
                        let stint = Cell::new(None);
                        job(member, &|work| {
                            barrier.wait();
                            stint.set(Some(Stint::of(work)));
                        });
                        let stint = stint.take().expect("every job runs the clock");
                        // The job goes first: what it holds is then freed by whoever started the round.
                        drop(job);
                        if report.send(stint).is_err() {
                            return;
                        }
                    }
                };
                (give, thread::spawn(run))
            })
            .unzip();
        Crew { jobs, finished, members, worked: Cell::default(), possible: Cell::default() }
    }

    /// Runs `job` on every member at once; the time from the first member's start to the last one's end. One member
    /// waits for nobody: its time is that on its core.
    pub fn run(&self, job: &Job) -> Duration {
        let job = job.clone();
        self.run_prepared(&(Arc::new(move |member, clock: &Clock| clock(&mut || job(member))) as PreparedJob))
    }

    /// As [`Crew::run`], for a job that prepares itself.
    pub fn run_prepared(&self, job: &PreparedJob) -> Duration {
        for member in &self.jobs {
            member.send(job.clone()).expect("the member waits for jobs");
        }
        let stints: Vec<Stint> = self.jobs.iter().map(|_| self.finished.recv().expect("the member reports")).collect();
        let start = stints.iter().map(|stint| stint.start).min().expect("a crew has members");
        let end = stints.iter().map(|stint| stint.end).max().expect("a crew has members");
        let worked: Duration = stints.iter().map(|stint| stint.worked).sum();
        self.worked.set(self.worked.get() + worked);
        self.possible.set(self.possible.get() + (end - start) * cores_for(self.jobs.len()) as u32);
        if stints.len() == 1 { worked } else { end - start }
    }

    /// Of the cores that the crew could use, the part that it got, over all its rounds. Much below 1, the machine was
    /// busy with something else, and what the threads do to each other did not show.
    pub fn share_of_cores(&self) -> f64 {
        self.worked.get().as_secs_f64() / self.possible.get().as_secs_f64()
    }
}

/// How many of so many threads can run at once.
pub fn cores_for(threads: usize) -> usize {
    thread::available_parallelism().map_or(1, usize::from).min(threads)
}

/// Keeps this thread to one core, so that members run beside each other and not in turns: two threads that wake each
/// other are often put on one core, where nothing that they do to each other shows.
#[cfg(target_os = "linux")]
fn keep_to_core(member: usize) {
    use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

    let Ok(allowed) = sched_getaffinity(None) else { return };
    let allowed: Vec<usize> = (0..CpuSet::MAX_CPU).filter(|&cpu| allowed.is_set(cpu)).collect();
    if let Some(&cpu) = allowed.get(member % allowed.len().max(1)) {
        let mut own = CpuSet::new();
        own.set(cpu);
        // A system that refuses measures what its scheduler makes of it; `share_of_cores` tells.
        let _ = sched_setaffinity(None, &own);
    }
}

#[cfg(not(target_os = "linux"))]
fn keep_to_core(_member: usize) {}

impl Drop for Crew {
    fn drop(&mut self) {
        self.jobs.clear();
        for member in self.members.drain(..) {
            // A member that panicked has said so on stderr; its job's `run` has failed already.
            let _ = member.join();
        }
    }
}
