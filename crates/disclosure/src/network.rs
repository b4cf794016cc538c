//! Figures as flows: what flows into a node flows out of it, as sums do. A figure that is told is a flow that cannot
//! change; how far another one can change, all sums kept and nothing negative, is what nobody can know of it.

use std::collections::VecDeque;

/// A figure.
#[derive(Clone, Copy, Debug)]
struct Edge {
    from: usize,
    to: usize,
    flow: u64,
    shown: bool,
}

/// A circulation with its true flows.
#[derive(Debug)]
pub struct Network {
    edges: Vec<Edge>,
    /// Edges that touch each node.
    touching: Vec<Vec<usize>>,
}

/// Direction of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// The figure could be greater.
    Up,
    /// The figure could be smaller.
    Down,
}

/// Nodes that a change can reach before it is stopped.
pub struct Stopped(Vec<bool>);

impl Network {
    pub fn new(nodes: usize) -> Self {
        Self {
            edges: Vec::new(),
            touching: vec![Vec::new(); nodes],
        }
    }

    /// Adds a figure that is not told.
    pub fn add(&mut self, from: usize, to: usize, flow: u64) -> usize {
        let edge = self.edges.len();
        self.edges.push(Edge {
            from,
            to,
            flow,
            shown: false,
        });
        self.touching[from].push(edge);
        self.touching[to].push(edge);
        edge
    }

    pub fn show(&mut self, edge: usize, shown: bool) {
        self.edges[edge].shown = shown;
    }

    pub fn is_shown(&self, edge: usize) -> bool {
        self.edges[edge].shown
    }

    /// Whether the figure could lie `amount` away from the truth, for all that is told.
    pub fn can_shift(&self, edge: usize, way: Way, amount: u64) -> Result<(), Stopped> {
        let Edge { from, to, flow, .. } = self.edges[edge];
        let (start, goal) = match way {
            Way::Up => (to, from),
            Way::Down => (from, to),
        };
        if amount == 0 {
            return Ok(());
        }
        if way == Way::Down && flow < amount {
            return Err(Stopped(vec![false; self.touching.len()]));
        }
        let mut flows: Vec<u64> = self.edges.iter().map(|edge| edge.flow).collect();
        let mut left = amount;
        while left > 0 {
            let path = self.path(start, goal, edge, &flows)?;
            let narrowest = path
                .iter()
                .filter(|(_, forward)| !forward)
                .map(|(edge, _)| flows[*edge])
                .min();
            let moved = narrowest.unwrap_or(left).min(left);
            for (edge, forward) in path {
                let flow = &mut flows[edge];
                *flow = if forward {
                    flow.saturating_add(moved)
                } else {
                    flow.saturating_sub(moved)
                };
            }
            left -= moved;
        }
        Ok(())
    }

    /// A shortest way for a change from `start` to `goal`, without the edge `without`: edges, each with or against it.
    fn path(
        &self,
        start: usize,
        goal: usize,
        without: usize,
        flows: &[u64],
    ) -> Result<Vec<(usize, bool)>, Stopped> {
        let mut reached = vec![false; self.touching.len()];
        let mut came_by: Vec<Option<(usize, bool)>> = vec![None; self.touching.len()];
        let mut queue = VecDeque::from([start]);
        reached[start] = true;
        while let Some(node) = queue.pop_front() {
            if node == goal {
                return Ok(self.back(goal, start, &came_by));
            }
            for &index in &self.touching[node] {
                let edge = self.edges[index];
                let forward = edge.from == node;
                let open = !edge.shown && index != without && (forward || flows[index] > 0);
                let next = if forward { edge.to } else { edge.from };
                if open && !reached[next] {
                    reached[next] = true;
                    came_by[next] = Some((index, forward));
                    queue.push_back(next);
                }
            }
        }
        Err(Stopped(reached))
    }

    fn back(
        &self,
        goal: usize,
        start: usize,
        came_by: &[Option<(usize, bool)>],
    ) -> Vec<(usize, bool)> {
        let mut path = Vec::new();
        let mut node = goal;
        while node != start {
            let Some((index, forward)) = came_by[node] else {
                break;
            };
            path.push((index, forward));
            node = if forward {
                self.edges[index].from
            } else {
                self.edges[index].to
            };
        }
        path
    }

    /// The smallest told figure among these that, withheld, would let a stopped change go further.
    pub fn opening(&self, stopped: &Stopped, among: &[usize]) -> Option<usize> {
        let helps = |edge: &Edge| {
            let (from, to) = (stopped.0[edge.from], stopped.0[edge.to]);
            edge.shown && ((from && !to) || (to && !from && edge.flow > 0))
        };
        among
            .iter()
            .copied()
            .filter(|index| helps(&self.edges[*index]))
            .min_by_key(|index| (self.edges[*index].flow, *index))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rows 3 and 9 with a told sum of 12.
    fn two_rows() -> (Network, [usize; 3]) {
        let mut network = Network::new(2);
        let edges = [
            network.add(0, 1, 3),
            network.add(0, 1, 9),
            network.add(1, 0, 12),
        ];
        network.show(edges[2], true);
        (network, edges)
    }

    #[test]
    fn two_withheld_rows_share_their_sum() {
        let (network, [three, nine, _]) = two_rows();
        assert!(network.can_shift(three, Way::Up, 9).is_ok());
        assert!(network.can_shift(three, Way::Up, 10).is_err());
        assert!(network.can_shift(three, Way::Down, 3).is_ok());
        assert!(network.can_shift(three, Way::Down, 4).is_err());
        assert!(network.can_shift(nine, Way::Up, 3).is_ok());
    }

    #[test]
    fn one_withheld_row_is_known_until_another_is() {
        let (mut network, [three, nine, sum]) = two_rows();
        network.show(nine, true);
        let stopped = network.can_shift(three, Way::Up, 1).unwrap_err();
        // The sum is told elsewhere too: it is not among what may still be withheld.
        assert_eq!(network.opening(&stopped, &[three, nine]), Some(nine));
        assert_eq!(network.opening(&stopped, &[nine, sum]), Some(nine));
        assert_eq!(network.opening(&stopped, &[three]), None);
    }
}
