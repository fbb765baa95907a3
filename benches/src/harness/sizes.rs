//! The sizes every contender serves: those of the 2,500 transactions of mainnet block 702861.

use std::ops::ControlFlow;

use bitcoin_slices::{Visit, Visitor, bsl};

use super::rng::Rng;

/// Requests of the rows with several threads stay below this.
pub const MANY_THREADS_BELOW: usize = 100_000;
/// Requests of the rows at the limit stay below this.
pub const AT_LIMIT_BELOW: usize = 8192;

#[derive(Clone, Debug)]
pub struct Sizes(Box<[u32]>);

impl Sizes {
    pub fn all() -> Sizes {
        let mut collect = Collect(Vec::new());
        bsl::Block::visit(bitcoin_test_data::blocks::mainnet_702861(), &mut collect).expect("the block parses");
        Sizes(collect.0.into())
    }

    pub fn below(bytes: usize) -> Sizes {
        Sizes(Sizes::all().0.into_iter().filter(|&size| (size as usize) < bytes).collect())
    }

    #[inline]
    pub fn pick(&self, rng: &mut Rng) -> usize {
        self.0[rng.below(self.0.len())] as usize
    }

    #[inline]
    pub fn pick_index(&self, rng: &mut Rng) -> usize {
        rng.below(self.0.len())
    }

    #[inline]
    pub fn at(&self, index: usize) -> usize {
        self.0[index] as usize
    }

    pub fn mean(&self) -> usize {
        self.0.iter().map(|&size| size as usize).sum::<usize>() / self.0.len()
    }
}

/// The transactions themselves, in the block's order.
pub fn transactions() -> Vec<&'static [u8]> {
    let block = bitcoin_test_data::blocks::mainnet_702861();
    // They end the block, and nothing lies between them.
    let Sizes(sizes) = Sizes::all();
    let mut rest = &block[block.len() - sizes.iter().map(|&size| size as usize).sum::<usize>()..];
    let next = |&size: &u32| rest.split_off(..size as usize).expect("the sizes add up");
    sizes.iter().map(next).collect()
}

struct Collect(Vec<u32>);

impl Visitor for Collect {
    fn visit_transaction(&mut self, transaction: &bsl::Transaction) -> ControlFlow<()> {
        self.0.push(transaction.as_ref().len() as u32);
        ControlFlow::Continue(())
    }
}

#[cfg(test)]
mod tests {
    use bitcoin_slices::{Parse, bsl};

    use super::{Sizes, transactions};

    #[test]
    fn are_those_of_block_702861() {
        let Sizes(mut sizes) = Sizes::all();
        sizes.sort_unstable();
        assert_eq!((sizes.len(), sizes[0], sizes[2499]), (2500, 188, 170_363));
        assert_eq!((sizes[1250], Sizes::all().mean()), (225, 552));
    }

    #[test]
    fn each_is_one_transaction() {
        for bytes in transactions() {
            assert_eq!(bsl::Transaction::parse(bytes).expect("it parses").remaining(), []);
        }
    }
}
