//! Model 3: a magazine that goes through the depot is neither lost nor popped twice, and its contents are seen.
//!
//! Breaks it: `push`'s Release, both Acquires of `pop`; `depot.push-once`, `depot.pop-once` (weak
//! failure).

use loom::sync::atomic::{AtomicUsize, Ordering};

use super::support::harness::{BOUNDED, SMALL, explore};
use crate::base::size_class::Class;
use crate::depot::Head;
use crate::depot::magazine::{NodeRef, NodeSize, Nodes};
use crate::sync::forced_weak_failure;

struct State {
    nodes: Nodes,
    full: Head,
    popped: AtomicUsize,
}

fn make() -> State {
    State { nodes: Nodes::reserve(4).expect("four nodes"), full: Head::default(), popped: AtomicUsize::new(0) }
}

/// Takes a fresh node, fills it and pushes it.
fn push_one(state: &State) {
    let node = state.nodes.take_fresh(NodeSize::Small).expect("a node for each pusher");
    let at = state.nodes.get(node);
    at.enter();
    at.open(Class::from_index(0), 2);
    at.set_len(2);
    state.full.push(&state.nodes, node);
}

/// Pops what there is and empties it.
fn pop_one(state: &State) {
    if let Some(node) = state.full.pop(&state.nodes) {
        use_up(state, node);
    }
}

fn use_up(state: &State, node: NodeRef) {
    let at = state.nodes.get(node);
    at.enter();
    assert_eq!((at.len(), at.cap()), (2, 2));
    at.close();
    state.popped.fetch_add(1, Ordering::Relaxed);
}

/// What is left is popped too, each once.
fn check(state: &State, pushed: usize) {
    while let Some(node) = state.full.pop(&state.nodes) {
        use_up(state, node);
    }
    assert_eq!(state.popped.load(Ordering::Relaxed), pushed);
}

#[test]
fn m03_contents_are_seen() {
    explore("m03_depot::contents_are_seen", BOUNDED, make, &[push_one, pop_one, pop_one], |state| check(state, 1));
}

#[test]
fn m03_retry_sees_contents() {
    explore("m03_depot::retry_sees_contents", BOUNDED, make, &[push_one, push_one, pop_one], |state| check(state, 2));
}

fn one_full() -> State {
    let state = make();
    push_one(&state);
    state
}

/// There is something at any time.
fn pop_surely(state: &State) {
    let node = state.full.pop(&state.nodes).expect("the stack is not empty");
    use_up(state, node);
}

/// Where the first exchange of the head fails for no reason, a push still pushes and a pop still pops.
#[test]
fn m03_weak_failure() {
    forced_weak_failure(true);
    explore("m03_depot::weak_failure", SMALL, make, &[push_one, pop_one], |state| check(state, 1));
    explore("m03_depot::weak_failure_of_pop", SMALL, one_full, &[push_one, pop_surely], |state| check(state, 2));
    forced_weak_failure(false);
}
