//! Where the agents of a hall hang, and which of them are next to a place.

/// Metres between neighbouring agents: a dense venue.
const SPACING_M: f64 = 8.0;

/// Rows and columns around a place in which its nearest agents are looked for first.
const REACH: usize = 3;

/// A place on the floor of a hall, in metres.
pub(crate) type Point = [f64; 2];

/// Agents in rows under the ceiling; the last row may be shorter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Grid {
    agents: usize,
    columns: usize,
    rows: usize,
}

impl Grid {
    /// As square as so many agents can hang.
    pub(crate) fn new(agents: usize) -> Self {
        let columns = (agents as f64).sqrt().ceil().max(1.0) as usize;
        Self {
            agents,
            columns,
            rows: agents.div_ceil(columns).max(1),
        }
    }

    /// Width and depth of the hall.
    pub(crate) fn size(&self) -> Point {
        [self.columns, self.rows].map(|count| count as f64 * SPACING_M)
    }

    /// Where an agent hangs.
    pub(crate) fn place(&self, agent: usize) -> Point {
        [agent % self.columns, agent / self.columns].map(|n| (n as f64 + 0.5) * SPACING_M)
    }

    /// Puts the `count` agents next to a place into `near`, or all where there are fewer.
    ///
    /// Looks only around the place, so that the cost does not grow with the hall.
    pub(crate) fn nearest(&self, at: Point, count: usize, near: &mut Vec<usize>) {
        let count = count.min(self.agents);
        let mut reach = REACH;
        loop {
            self.around(at, reach, near);
            let square = |agent: &usize| square(self.place(*agent), at);
            if count < near.len() {
                near.select_nth_unstable_by(count, |a, b| square(a).total_cmp(&square(b)));
            }
            let all = near.len() == self.agents;
            // An agent that was not looked at is farther away than this.
            let seen_m = (reach as f64 + 0.5) * SPACING_M;
            let found = near.len() >= count
                && (near[..count].iter()).all(|agent| square(agent) <= seen_m * seen_m);
            if all || found {
                near.truncate(count);
                return;
            }
            reach *= 2;
        }
    }

    /// The agents of the cells at most so many rows and columns away.
    fn around(&self, at: Point, reach: usize, near: &mut Vec<usize>) {
        let [column, row] = at.map(|metres| (metres / SPACING_M) as usize);
        let columns = column.saturating_sub(reach)..(column + reach + 1).min(self.columns);
        let rows = row.saturating_sub(reach)..(row + reach + 1).min(self.rows);
        near.clear();
        for row in rows {
            let agents = columns.clone().map(|column| row * self.columns + column);
            near.extend(agents.filter(|agent| *agent < self.agents));
        }
    }
}

/// Square of the distance between two places.
pub(crate) fn square([x, y]: Point, [to_x, to_y]: Point) -> f64 {
    (x - to_x).powi(2) + (y - to_y).powi(2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_are_those_that_a_look_at_all_agents_finds() {
        for agents in [1, 2, 7, 8, 9, 30, 64, 500] {
            let grid = Grid::new(agents);
            let [width, depth] = grid.size();
            let mut near = Vec::new();
            for step in 0..400 {
                let share = |prime: usize| (step * prime % 400) as f64 / 400.0;
                let at = [share(37) * width, share(171) * depth];
                grid.nearest(at, 8, &mut near);
                let mut squares: Vec<f64> = (0..agents)
                    .map(|agent| square(grid.place(agent), at))
                    .collect();
                squares.sort_by(f64::total_cmp);
                squares.truncate(8);
                let mut found: Vec<f64> = near
                    .iter()
                    .map(|agent| square(grid.place(*agent), at))
                    .collect();
                found.sort_by(f64::total_cmp);
                assert_eq!(found, squares, "{agents} agents, {at:?}");
            }
        }
    }
}
