//! Channels in the order of a number that each of them has. Pure; every change and every question costs O(log n).

use std::collections::{BTreeSet, HashMap};

use crate::event::ChannelName;

/// Channels by a number.
#[derive(Debug, Default)]
pub struct Ranking {
    order: BTreeSet<(u64, ChannelName)>,
    ranks: HashMap<ChannelName, u64>,
}

impl Ranking {
    /// Gives a channel a number.
    pub fn set(&mut self, channel: &ChannelName, rank: u64) {
        match self.ranks.get_mut(channel) {
            Some(held) if *held == rank => return,
            Some(held) => {
                let before = std::mem::replace(held, rank);
                self.order.remove(&(before, channel.clone()));
            }
            None => drop(self.ranks.insert(channel.clone(), rank)),
        }
        self.order.insert((rank, channel.clone()));
    }

    /// Takes a channel out.
    pub fn remove(&mut self, channel: &ChannelName) {
        if let Some(rank) = self.ranks.remove(channel) {
            self.order.remove(&(rank, channel.clone()));
        }
    }

    /// Whether a channel has a number.
    #[must_use]
    pub fn contains(&self, channel: &ChannelName) -> bool {
        self.ranks.contains_key(channel)
    }

    /// The channel with the smallest number.
    #[must_use]
    pub fn first(&self) -> Option<(u64, &ChannelName)> {
        self.order.first().map(|(rank, channel)| (*rank, channel))
    }

    /// All of them, those with the largest numbers first.
    pub fn descending(&self) -> impl Iterator<Item = (u64, &ChannelName)> {
        self.order.iter().rev().map(|(rank, channel)| (*rank, channel))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    proptest! {
        #[test]
        fn it_is_a_sorted_list(steps in proptest::collection::vec((0..6_u8, proptest::option::of(0..9_u64)), 0..40)) {
            let name = |nth: u8| format!("c{nth}").parse::<ChannelName>().unwrap();
            let (mut ranking, mut model) = (Ranking::default(), BTreeMap::new());
            for (nth, rank) in steps {
                let channel = name(nth);
                if let Some(rank) = rank {
                    ranking.set(&channel, rank);
                    model.insert(channel.clone(), rank);
                } else {
                    ranking.remove(&channel);
                    model.remove(&channel);
                }
                let mut sorted: Vec<_> = model.iter().map(|(channel, rank)| (*rank, channel)).collect();
                sorted.sort_unstable();
                prop_assert_eq!(ranking.first(), sorted.first().copied());
                prop_assert_eq!(ranking.contains(&channel), model.contains_key(&channel));
                sorted.reverse();
                prop_assert_eq!(ranking.descending().collect::<Vec<_>>(), sorted);
            }
        }
    }
}
