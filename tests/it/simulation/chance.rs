//! Chance that a seed repeats: SplitMix64, of Steele, Lea and Flood, "Fast splittable pseudorandom number
//! generators" (OOPSLA 2014). Knows nothing of what it is for.

use std::cell::Cell;

pub struct Chance(Cell<u64>);

impl Chance {
    pub fn new(seed: u64) -> Self {
        let chance = Self(Cell::new(seed));
        // Seeds that follow each other are to have nothing in common.
        chance.next();
        Self(Cell::new(chance.next()))
    }

    fn next(&self) -> u64 {
        self.0.set(self.0.get().wrapping_add(0x9e37_79b9_7f4a_7c15));
        let mut z = self.0.get();
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `n`, which is not zero.
    pub fn below(&self, n: usize) -> usize {
        let n = u64::try_from(n.max(1)).unwrap_or(1);
        usize::try_from(self.next() % n).unwrap_or(0)
    }

    pub fn one_in(&self, n: usize) -> bool {
        self.below(n) == 0
    }

    pub fn pick<'t, T>(&self, all: &'t [T]) -> &'t T {
        &all[self.below(all.len())]
    }

    /// Another chance, which this one's seed repeats as well.
    pub fn split(&self) -> Self {
        Self::new(self.next())
    }
}
