//! Threads that live as long as a row: started before any clock, so that no round pays for a thread's birth and
//! every contender's per-thread state stays warm between its rounds.

use std::{
    sync::{
        Arc, Barrier,
        mpsc::{Receiver, Sender, channel},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

/// What every member runs, told its own number.
pub type Job = Arc<dyn Fn(usize) + Send + Sync>;

pub struct Crew {
    jobs: Vec<Sender<Job>>,
    finished: Receiver<Duration>,
    members: Vec<JoinHandle<()>>,
}

impl Crew {
    pub fn of(threads: usize) -> Crew {
        let barrier = Arc::new(Barrier::new(threads));
        let (report, finished) = channel();
        let (jobs, members) = (0..threads)
            .map(|member| {
                let (give, jobs) = channel::<Job>();
                let (barrier, report) = (barrier.clone(), report.clone());
                let run = move || {
                    for job in jobs {
                        barrier.wait();
                        let start = Instant::now();
                        job(member);
                        // The job goes first: what it holds is then freed by whoever started the round.
                        let elapsed = start.elapsed();
                        drop(job);
                        if report.send(elapsed).is_err() {
                            return;
                        }
                    }
                };
                (give, thread::spawn(run))
            })
            .unzip();
        Crew { jobs, finished, members }
    }

    /// Runs `job` on every member at once; the time of the slowest.
    pub fn run(&self, job: &Job) -> Duration {
        for member in &self.jobs {
            member.send(job.clone()).expect("the member waits for jobs");
        }
        self.jobs.iter().map(|_| self.finished.recv().expect("the member reports")).max().unwrap_or_default()
    }
}

impl Drop for Crew {
    fn drop(&mut self) {
        self.jobs.clear();
        for member in self.members.drain(..) {
            // A member that panicked has said so on stderr; its job's `run` has failed already.
            let _ = member.join();
        }
    }
}
