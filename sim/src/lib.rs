//! A seeded world: clients that walk, radios that hear them, a network that loses.
