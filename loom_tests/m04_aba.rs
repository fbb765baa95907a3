//! Model 4: a thread that sleeps between its load of a head and its exchange does not take over a head that looks the
//! same and is not.
//!
//! Breaks it: `depot.untagged`.

use loom::sync::atomic::{AtomicUsize, Ordering};

use super::support::harness::{BOUNDED, SMALL, explore};
use crate::depot::Head;
use crate::depot::magazine::{NodeRef, NodeSize, Nodes};

struct State {
    nodes: Nodes,
    full: Head,
    popped: AtomicUsize,
}

/// A stack of `count` nodes.
fn stack(count: usize) -> State {
    let state =
        State { nodes: Nodes::reserve(4).expect("four nodes"), full: Head::default(), popped: AtomicUsize::new(0) };
    for _ in 0..count {
        push(&state, state.nodes.take_fresh(NodeSize::Small).expect("four nodes"));
    }
    state
}

fn push(state: &State, node: NodeRef) {
    state.nodes.get(node).enter();
    state.full.push(&state.nodes, node);
}

/// Takes a node, which nobody else then has.
fn pop(state: &State) -> Option<NodeRef> {
    let node = state.full.pop(&state.nodes)?;
    state.nodes.get(node).enter();
    Some(node)
}

/// Takes a node and keeps it.
fn pop_one(state: &State) {
    if pop(state).is_some() {
        state.popped.fetch_add(1, Ordering::Relaxed);
    }
}

/// Takes two nodes, returns the first and keeps the other.
fn pop_pop_push(state: &State) {
    let (first, second) = (pop(state), pop(state));
    if let Some(first) = first {
        push(state, first);
    }
    if second.is_some() {
        state.popped.fetch_add(1, Ordering::Relaxed);
    }
}

/// What was not kept is still on the stack, each node once.
fn check(state: &State, count: usize) {
    while pop(state).is_some() {
        state.popped.fetch_add(1, Ordering::Relaxed);
    }
    assert_eq!(state.popped.load(Ordering::Relaxed), count, "a node was lost, or taken twice");
}

#[test]
fn m04_sleeping_pop() {
    explore("m04_aba::sleeping_pop", SMALL, || stack(2), &[pop_one, pop_pop_push], |state| check(state, 2));
}

#[test]
fn m04_three_nodes() {
    explore("m04_aba::three_nodes", BOUNDED, || stack(3), &[pop_pop_push, pop_pop_push], |state| check(state, 3));
}
