//! Building materials and what they cost a signal.

/// Loss of one crossing in dB at 2.4, 5 and 6 GHz.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BandLoss {
    /// At 2.44 GHz.
    pub ghz2_db: f64,
    /// At 5.25 GHz.
    pub ghz5_db: f64,
    /// At 6.2 GHz.
    pub ghz6_db: f64,
}

/// Class of material of a wall or slab.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Material {
    /// Single or double glazing.
    Glass,
    /// Plasterboard on studs.
    Drywall,
    /// Wood: doors, panels, light floors.
    Wood,
    /// Brick or block.
    Brick,
    /// Concrete.
    Concrete,
    /// Metal: opaque.
    Metal,
}
