//! One extent for one request: search, give back what is idle, search again, or refuse.
//!
//! - INV-region.request-1: a request is refused only if, in the section that refuses, its search failed, and either no
//!   emptied cache could help (usage + n − leased − quarantined > limit), or all depots and quarantines of that limit
//!   were seen empty, the caller holds nothing idle under it, and no ended thread's shard is left. That may have been
//!   seen before, if it still holds, and then one moment without the lock does for the section (`published.rs`). What
//!   the system cannot show again stays in guard mode's quarantine, and does not count; nor does what others made idle
//!   after the request had used up its effort (INV-region.request-3). An aligned search may take several sections, the
//!   last of them this one: it misses no place that is free from the first to the last.
//! - INV-region.request-2: what the calling thread holds in other sets is found by its token. A request asks for the
//!   token outside the lock, only when it would be refused without one, and then begins a section anew.
//! - INV-region.request-3: a request gives back at most what was idle (leased, waiting, quarantined) when it began,
//!   then what is idle when pressure has begun, as much once more when it has asked for the token, and each time one
//!   thing more. So it ends, whatever others do; only for what the system is hiding, showing or trimming it waits as
//!   long as that takes.
//!
//! A refusal gives back one magazine, some of the caller's own, or one chunk's tail, a section, popped and given back
//! inside it, and searches again: memory is never outside both cache and index while the lock is free, and the lock is
//! never held for more than 60 blocks. A request of up to 1/16 of the limit begins pressure before the first magazine
//! is given back; a longer one only when others cache as fast as it gives back, so that it has used up the first part
//! of its effort. From then on only who was served for long caches anything new (`heap/magazines.rs`). Quarantines go
//! on filling, in their order: what waited when the request began has left them before it is refused.

use core::alloc::Layout;

use crate::base::error::AllocError;
use crate::base::extent::Extent;
use crate::base::size_class::GRANULE_BYTES;
use crate::best_fit::Search;
use crate::sync::{shielded, yield_now};
use crate::thread::{self, Look, Token};

use super::budget::Budget;
use super::published::Published;
use super::sets::Source;
use super::take::set_address;
use super::{Blocker, OwnIdle, Region, Section, ShardSet};

/// What the region is asked for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wanted {
    /// Granules.
    pub(crate) len: u32,
    /// Alignment of the address, in granules.
    pub(crate) align: u32,
    /// Whether it goes to the tail of what is free however long it is.
    pub(crate) at_tail: bool,
    /// Bytes of it that a reservation has paid to the region.
    pub(crate) drawn: usize,
    /// As the caller asked for it: what an error names.
    pub(crate) layout: Layout,
}

impl Wanted {
    /// `bytes` bytes, at least those of `layout`, for a request of `layout`; none if no region has that much.
    pub(crate) fn new(bytes: usize, layout: Layout) -> Option<Self> {
        let len = u32::try_from(bytes.div_ceil(GRANULE_BYTES)).ok()?;
        u32::try_from(layout.align().div_ceil(GRANULE_BYTES)).ok()?;
        Some(Self::of(len, layout))
    }

    /// `len` granules for a request of `layout`, whose alignment a region may have.
    pub(crate) fn of(len: u32, layout: Layout) -> Self {
        #[expect(clippy::cast_possible_truncation, reason = "checked by whoever has a longer alignment")]
        let align = layout.align().div_ceil(GRANULE_BYTES) as u32;
        Self { len, align, at_tail: false, drawn: 0, layout }
    }

    pub(super) fn bytes(self) -> usize {
        self.len as usize * GRANULE_BYTES
    }
}

/// How one critical section of a request ended.
pub(super) enum Step<T> {
    Done(T),
    /// The answer, unless the calling thread has something idle in other sets: ask again with its token, if it has one.
    Shardless(T),
    /// Something was given back: ask again.
    Again,
    /// Some extents are on their way, to the operating system or through the quarantine: ask again when they may have
    /// come.
    Wait,
    /// The oldest extent in guard mode's quarantine: ask again when it has left.
    Leaves(Extent),
    /// The search goes on at this granule: ask again.
    Search(u32),
}

/// What a request has found out between its critical sections.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Asked {
    /// Extents that could not leave the quarantine.
    pub(super) stuck: usize,
    /// Whether one has left.
    left: bool,
    /// Where the search goes on that is under way.
    from: Option<u32>,
    /// Whether something was given back, or can be now that the token is known.
    given: bool,
    pub(super) effort: Effort,
    /// The token under which the calling thread has shards, once that matters.
    owner: Option<Token>,
    /// What the last section of a refusal has looked at in vain.
    look: Option<Look>,
}

impl Asked {
    /// Whether the token under which the calling thread has shards is not known yet.
    pub(super) fn has_no_owner(&self) -> bool {
        self.owner.is_none()
    }
}

/// How much was given back for a request, and how much may be (INV-region.request-3).
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Effort {
    /// Bytes that were idle at the beginning.
    idle: Option<usize>,
    given: usize,
    /// Whether this is the second part, with pressure however long the request is.
    pressing: bool,
}

impl Effort {
    /// Whether no more may be given back, where `idle` bytes are idle now.
    pub(super) fn is_spent(&mut self, idle: usize) -> bool {
        let spent = self.given > *self.idle.get_or_insert(idle);
        if spent && !self.pressing {
            *self = Self { idle: Some(idle), given: 0, pressing: true };
            return false;
        }
        spent
    }

    /// Returns the length that decides whether a request of `bytes` begins pressure.
    pub(super) fn length(self, bytes: usize) -> usize {
        if self.pressing { 0 } else { bytes }
    }
}

impl Section<'_> {
    /// Returns an upper bound of the bytes that are idle under the limit of `budget`.
    pub(super) fn idle(&self, budget: &Budget) -> usize {
        budget.leased() + self.state.waiting as usize * GRANULE_BYTES + self.quarantined()
    }

    /// Gives something back, or refuses: the search has failed, in this section unless there is `more` to search.
    fn refuse(
        &mut self,
        set: &dyn ShardSet,
        wanted: Wanted,
        own: &mut dyn OwnIdle,
        asked: &mut Asked,
        more: bool,
    ) -> Step<Result<u32, AllocError>> {
        if self.is_trimming() {
            return Step::Wait;
        }
        let (bytes, budget) = (wanted.bytes(), set.budget());
        let blocker = self.blocker(budget, bytes, wanted.drawn);
        let others = blocker != Blocker::Own;
        let hopeless = self.is_hopeless(budget, bytes, wanted.drawn);
        let pressed = if others { &self.shared.budget } else { budget };
        // Before anything is looked at.
        let idled = self.shared.published.idled();
        let may_give = !hopeless && !asked.effort.is_spent(self.idle(pressed));
        if may_give
            && others
            && let Some(step) = self.make_way(asked.stuck)
        {
            return step;
        }
        // Pressure begins before the first magazine is given back.
        pressed.refused(asked.effort.length(bytes));
        if may_give && self.give_back_idle(Some(set), others, own, asked) {
            return Step::Again;
        }
        if more {
            return Step::Search(0);
        }
        if let Some(holder) = own.holder()
            && may_give
            && Published::is_on()
            && (asked.owner.is_some() || !others)
        {
            let (region, exits) = (self.shared.published.id, self.state.swept);
            let scope = if others { 0 } else { set_address(set) };
            asked.look = Some(Look { region, scope, holder, idled, exits });
        }
        let refusal = Err(self.error(Some(set), blocker, wanted.layout.size(), wanted.layout.align()));
        if hopeless || !others || asked.owner.is_some() { Step::Done(refusal) } else { Step::Shardless(refusal) }
    }

    /// Gives back one block that waits in a quarantine, or one thing that is idle where the lock's holder may take it:
    /// in a depot, of other sets too if `others`, or the caller's own, or in the shard of an ended thread. `false` if
    /// there is none, in all of them.
    ///
    /// The source that had something last is asked first: those before it had nothing then.
    pub(super) fn give_back_idle(
        &mut self,
        set: Option<&dyn ShardSet>,
        others: bool,
        own: &mut dyn OwnIdle,
        asked: &mut Asked,
    ) -> bool {
        self.refusing = true;
        let owner = asked.owner.filter(|_| others);
        let usage = self.shared.budget.usage();
        let begin = self.state.sets.source;
        let mut source = begin;
        loop {
            let found = match (source, set) {
                (Source::Waiting, Some(set)) => self.drain_quarantine(set, others),
                (Source::Waiting, None) => self.drain_any_quarantine(),
                (Source::Depots, Some(set)) => self.drain_one(set, others),
                (Source::Depots, None) => self.drain_any(),
                (Source::Own, _) => own.give_back(self),
                (Source::Owned, _) => owner.is_some_and(|owner| self.drain_owned(owner)),
                (Source::Ended, _) => self.sweep_one(),
            };
            if found {
                self.state.sets.source = source;
                // A chunk may have no whole granule left.
                asked.effort.given += usage.saturating_sub(self.shared.budget.usage()).max(GRANULE_BYTES);
                return true;
            }
            source = source.next();
            if source == begin {
                return false;
            }
        }
    }

    /// Gives back something idle that may help a block to `bytes` more; the answer is whether there was any.
    fn make_room(&mut self, set: &dyn ShardSet, bytes: usize, own: &mut dyn OwnIdle, asked: &mut Asked) -> Step<bool> {
        if asked.left {
            // What has left the quarantine may be the block's neighbour.
            asked.left = false;
            return Step::Done(true);
        }
        let others = self.blocker(set.budget(), bytes, 0) != Blocker::Own;
        let pressed = if others { &self.shared.budget } else { set.budget() };
        if self.is_hopeless(set.budget(), bytes, 0) || asked.effort.is_spent(self.idle(pressed)) {
            return Step::Done(false);
        }
        if others && let Some(step) = self.make_way(asked.stuck) {
            return step;
        }
        pressed.refused(asked.effort.length(bytes));
        let given = self.give_back_idle(Some(set), others, own, asked);
        if given || !others || asked.owner.is_some() { Step::Done(given) } else { Step::Shardless(false) }
    }

    /// Returns the refusal of a request that the region could not serve if all of it were free: for its length, or for
    /// its alignment.
    pub(crate) fn refuse_outright(&self, set: &dyn ShardSet, layout: Layout) -> AllocError {
        let is_short = layout.size() <= self.shared.capacity;
        let blocker = if is_short { Blocker::Alignment } else { self.blocker(set.budget(), layout.size(), 0) };
        self.error(Some(set), blocker, layout.size(), layout.align())
    }
}

impl Region {
    /// Runs `section` in one critical section after the other until it is done. What a step asks for happens between
    /// two of them, outside the lock.
    pub(super) fn ask<T>(&self, asked: &mut Asked, section: impl FnMut(&mut Section<'_>, &mut Asked) -> Step<T>) -> T {
        if self.guard_page().is_none() {
            return self.ask_in_turn(asked, section);
        }
        // Others wait for an extent that leaves the quarantine.
        shielded(|| self.ask_in_turn(asked, section))
    }

    fn ask_in_turn<T>(&self, asked: &mut Asked, mut section: impl FnMut(&mut Section<'_>, &mut Asked) -> Step<T>) -> T {
        // Under pressure most requests come to the question; a token in hand spares them a second search.
        if asked.owner.is_none() && self.shared.budget.pressed() {
            asked.owner = thread::owner();
        }
        loop {
            let step = self.section(|locked| section(locked, asked));
            asked.from = if let Step::Search(at) = step { Some(at) } else { None };
            asked.given |= matches!(step, Step::Again | Step::Leaves(_) | Step::Shardless(_));
            match step {
                Step::Done(answer) => return answer,
                // Looked at outside the lock: where thread-locals are keys, a thread's first look at one allocates.
                Step::Shardless(answer) => match thread::owner() {
                    None => return answer,
                    owner => {
                        asked.owner = owner;
                        asked.effort.given = 0;
                    }
                },
                Step::Again | Step::Search(_) => {}
                Step::Wait => yield_now(),
                Step::Leaves(oldest) if self.let_leave(oldest) => {
                    asked.left = true;
                    asked.effort.given += oldest.len as usize * GRANULE_BYTES;
                }
                Step::Leaves(_) => asked.stuck += 1,
            }
        }
    }

    /// One extent for `wanted`, charged to `set` and the region; `took` runs in the section that took it. A request
    /// without a place in the region takes nothing from others: no cache is drained, and no pressure begins.
    pub(crate) fn take_or_refuse(
        &self,
        set: &dyn ShardSet,
        wanted: Wanted,
        own: &mut dyn OwnIdle,
        mut took: impl FnMut(&mut Section<'_>, u32),
    ) -> Result<u32, AllocError> {
        if !self.has_place(wanted) {
            return Err(self.section(|section| section.refuse_outright(set, wanted.layout)));
        }
        // In the models of other protocols each load and section more is one more to interleave.
        if Published::is_on() {
            if !own.is_pending()
                && let Some(holder) = own.holder()
                && let Some(refusal) = self.refuse_unlocked(set, wanted, holder)
            {
                return Err(refusal);
            }
            if self.guard_page().is_none()
                && let Some(answer) = self.section(|section| section.take_at_once(set, wanted, own, &mut took))
            {
                return answer;
            }
        }
        let mut asked = Asked::default();
        let answer = self.ask(&mut asked, |section, asked| {
            own.give_back_pending(section);
            match section.take_drawn(set.budget(), wanted, asked.from) {
                Search::Taken(granule) => {
                    took(section, granule);
                    Step::Done(Ok(granule))
                }
                Search::Exhausted => section.refuse(set, wanted, own, asked, false),
                // What is trimming now is not looked at.
                Search::More(_) if section.is_trimming() => Step::Wait,
                // What is given back is looked at first by the next search: a long one comes before, and at the end.
                Search::More(at) if asked.from.is_some() || !asked.given => Step::Search(at),
                Search::More(_) => section.refuse(set, wanted, own, asked, true),
            }
        });
        if asked.look.is_some() {
            thread::set_look(asked.look);
        }
        answer
    }

    /// `bytes` more could not be had beside a block that cannot move: gives back one idle thing that may be its
    /// neighbour. `false` if there is none, or none would do, or as much as may be was given back to the request that
    /// has `asked` before.
    pub(crate) fn make_room_beside(
        &self,
        set: &dyn ShardSet,
        bytes: usize,
        own: &mut dyn OwnIdle,
        asked: &mut Asked,
    ) -> bool {
        self.ask(asked, |section, asked| section.make_room(set, bytes, own, asked))
    }
}
