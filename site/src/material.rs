//! Building materials and what they cost a signal.
//!
//! The classes and their losses are those by which walls are told apart; a wall's own loss varies
//! around its class by [`Material::deviation`]. Thickness is treated in [`crate::slab`].

use crate::building::Band;

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

impl BandLoss {
    /// Frequencies to which the three values belong, in GHz.
    pub const FREQUENCIES_GHZ: [f64; 3] = [2.44, 5.25, 6.2];

    /// Losses at 2.4 and 5 GHz, continued to 6 GHz along the straight line through both.
    ///
    /// The line meets the slab values of ITU-R P.2040 within a tenth: 1.12 against 1.13 times the
    /// 5 GHz loss for 200 mm of concrete, 1.11 against 1.03 for 200 mm of brick.
    pub const fn from_two(ghz2_db: f64, ghz5_db: f64) -> Self {
        let [low, middle, high] = Self::FREQUENCIES_GHZ;
        let ghz6_db = ghz5_db + (ghz5_db - ghz2_db) * (high - middle) / (middle - low);
        Self {
            ghz2_db,
            ghz5_db,
            ghz6_db,
        }
    }

    /// The loss for a radio of this band; Bluetooth counts as 2.4 GHz, ultra-wideband as 6 GHz.
    pub fn at(&self, band: Band) -> f64 {
        match band {
            Band::Ghz2 | Band::Ble => self.ghz2_db,
            Band::Ghz5 => self.ghz5_db,
            Band::Ghz6 | Band::Uwb => self.ghz6_db,
        }
    }

    /// The three values, each changed by `change(value, frequency in GHz)`.
    pub fn map(self, change: impl Fn(f64, f64) -> f64) -> Self {
        let [low, middle, high] = Self::FREQUENCIES_GHZ;
        Self {
            ghz2_db: change(self.ghz2_db, low),
            ghz5_db: change(self.ghz5_db, middle),
            ghz6_db: change(self.ghz6_db, high),
        }
    }
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

/// Words of plans and planning tools for our classes.
const ALIASES: [(&str, Material); 14] = [
    ("aluminium", Material::Metal),
    ("block", Material::Brick),
    ("chipboard", Material::Wood),
    ("door", Material::Wood),
    ("glazing", Material::Glass),
    ("gypsum", Material::Drywall),
    ("masonry", Material::Brick),
    ("partition", Material::Drywall),
    ("plasterboard", Material::Drywall),
    ("plywood", Material::Wood),
    ("reinforced concrete", Material::Concrete),
    ("steel", Material::Metal),
    ("timber", Material::Wood),
    ("window", Material::Glass),
];

impl Material {
    /// Every class, from the lightest to the heaviest.
    pub fn all() -> [Self; 6] {
        [
            Self::Glass,
            Self::Drywall,
            Self::Wood,
            Self::Brick,
            Self::Concrete,
            Self::Metal,
        ]
    }

    /// The class as files spell it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Glass => "glass",
            Self::Drywall => "drywall",
            Self::Wood => "wood",
            Self::Brick => "brick",
            Self::Concrete => "concrete",
            Self::Metal => "metal",
        }
    }

    /// The class named by a word: ours, or one of planning tools such as `plasterboard`, `block`.
    pub fn parse(text: &str) -> Option<Self> {
        let own = Self::all()
            .into_iter()
            .find(|material| material.as_str() == text);
        own.or_else(|| {
            ALIASES
                .iter()
                .find(|(alias, _)| *alias == text)
                .map(|(_, class)| *class)
        })
    }

    /// Mean loss of one wall of this class at normal incidence and nominal thickness.
    ///
    /// # Source
    /// Between ITU-R P.2040 slabs and vendors' planning tables (drywall 2 to 4 dB at 2.4 GHz,
    /// brick 4 to 8, concrete 12 to 15); 6 GHz as [`BandLoss::from_two`] says.
    pub const fn class_loss(self) -> BandLoss {
        match self {
            Self::Glass => BandLoss::from_two(2.0, 2.6),
            Self::Drywall => BandLoss::from_two(3.0, 4.2),
            Self::Wood => BandLoss::from_two(4.0, 5.6),
            Self::Brick => BandLoss::from_two(6.5, 9.5),
            Self::Concrete => BandLoss::from_two(13.0, 20.0),
            Self::Metal => BandLoss::from_two(26.0, 30.0),
        }
    }

    /// Standard deviation of that loss from wall to wall; the bands of one wall correlate by 0.9.
    pub const fn deviation(self) -> BandLoss {
        match self {
            Self::Glass => BandLoss::from_two(0.5, 0.7),
            Self::Drywall => BandLoss::from_two(0.6, 0.9),
            Self::Wood => BandLoss::from_two(0.7, 1.0),
            Self::Brick => BandLoss::from_two(1.2, 1.8),
            Self::Concrete => BandLoss::from_two(2.0, 3.0),
            Self::Metal => BandLoss::from_two(3.0, 3.0),
        }
    }

    /// Mean loss of a floor slab of this material, its screed and ceiling included.
    ///
    /// # Source
    /// Planning tables: concrete slab 15, 18, 21 dB, wood floor 5, 8, 10 dB. ITU-R P.1238 has 15 dB
    /// for the first office floor, COST 231 18.3 dB at 1.8 GHz. Others as walls.
    pub const fn slab_loss(self) -> BandLoss {
        match self {
            Self::Concrete => BandLoss {
                ghz2_db: 15.0,
                ghz5_db: 18.0,
                ghz6_db: 21.0,
            },
            Self::Wood => BandLoss {
                ghz2_db: 5.0,
                ghz5_db: 8.0,
                ghz6_db: 10.0,
            },
            other => other.class_loss(),
        }
    }

    /// Thickness of a wall to which [`Material::class_loss`] belongs, in metres.
    pub const fn nominal_thickness_m(self) -> f64 {
        match self {
            Self::Glass => 0.01,
            Self::Drywall => 0.1,
            Self::Wood => 0.04,
            Self::Brick | Self::Concrete => 0.2,
            Self::Metal => 0.05,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_class_is_read_as_it_is_written() {
        for material in Material::all() {
            assert_eq!(Material::parse(material.as_str()), Some(material));
        }
        assert_eq!(Material::parse("brik"), None);
        assert_eq!(Material::parse(""), None);
    }

    #[test]
    fn words_of_planning_tools_are_understood() {
        let check = |word, expected| assert_eq!(Material::parse(word), Some(expected), "{word}");
        check("plasterboard", Material::Drywall);
        check("block", Material::Brick);
        check("window", Material::Glass);
        check("reinforced concrete", Material::Concrete);
    }

    #[test]
    fn losses_grow_with_the_class_and_with_the_frequency() {
        for pair in Material::all().windows(2) {
            let (light, heavy) = (pair[0].class_loss(), pair[1].class_loss());
            assert!(light.ghz2_db < heavy.ghz2_db && light.ghz5_db < heavy.ghz5_db);
            assert!(light.ghz6_db < heavy.ghz6_db);
        }
        for loss in Material::all().map(Material::class_loss) {
            assert!(loss.ghz2_db < loss.ghz5_db && loss.ghz5_db < loss.ghz6_db);
        }
    }

    #[test]
    fn a_radio_takes_the_loss_of_its_band() {
        let loss = Material::Concrete.class_loss();
        assert_eq!(loss.at(Band::Ghz2), 13.0);
        assert_eq!(loss.at(Band::Ble), 13.0);
        assert_eq!(loss.at(Band::Ghz5), 20.0);
        assert!((loss.at(Band::Ghz6) - 22.366).abs() < 1e-3);
        assert_eq!(loss.at(Band::Uwb), loss.at(Band::Ghz6));
    }
}
