//! Where in a building a value of the file belongs, in words.

use std::fmt;

/// A part of the building within its outer parts, such as `floor "2", wall 3`.
///
/// A chain on the stack: naming a place costs nothing until a problem is told.
#[derive(Clone, Copy)]
pub(crate) struct Place<'p> {
    outer: Option<&'p Self>,
    kind: &'static str,
    name: Name<'p>,
}

#[derive(Clone, Copy)]
enum Name<'p> {
    None,
    Id(&'p str),
    Number(usize),
}

impl<'p> Place<'p> {
    /// The file as a whole: adds no words.
    pub(crate) const fn whole() -> Self {
        Self {
            outer: None,
            kind: "",
            name: Name::None,
        }
    }

    /// A part that there is once, such as `slab`.
    pub(crate) const fn part(&'p self, kind: &'static str) -> Self {
        Self {
            outer: Some(self),
            kind,
            name: Name::None,
        }
    }

    /// A part of a list: by its id where it has one, else by its number from 1.
    pub(crate) fn item(&'p self, kind: &'static str, id: Option<&'p str>, index: usize) -> Self {
        let name = id.map_or(Name::Number(index + 1), Name::Id);
        Self {
            outer: Some(self),
            kind,
            name,
        }
    }

    /// `what` with this place in front of it.
    pub(crate) fn says(&self, what: impl fmt::Display) -> String {
        if self.is_whole() {
            what.to_string()
        } else {
            format!("{self}: {what}")
        }
    }

    fn is_whole(&self) -> bool {
        self.kind.is_empty()
    }
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(outer) = self.outer.filter(|outer| !outer.is_whole()) {
            write!(formatter, "{outer}, ")?;
        }
        match self.name {
            Name::None => write!(formatter, "{}", self.kind),
            // Debug quotes and escapes: an id may be anything before it is checked.
            Name::Id(id) => write!(formatter, "{} {id:?}", self.kind),
            Name::Number(number) => write!(formatter, "{} {number}", self.kind),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_reads_from_the_outside_in() {
        let whole = Place::whole();
        assert_eq!(whole.says("nothing"), "nothing");
        let floor = whole.item("floor", Some("2"), 0);
        let wall = floor.item("wall", None, 2);
        assert_eq!(wall.says("no path"), "floor \"2\", wall 3: no path");
        assert_eq!(
            floor.part("slab").says("no material"),
            "floor \"2\", slab: no material"
        );
    }
}
