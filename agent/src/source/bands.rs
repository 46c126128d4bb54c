//! Which radio hears on a channel.

use wire::frame::RadioHello;

use crate::channel::Channel;

/// The radio of the channel's band; without a channel only a single radio is beyond doubt.
pub(super) fn radio_of(radios: &[RadioHello], channel: Option<Channel>) -> Option<u8> {
    let index = match channel {
        Some(channel) => radios.iter().position(|radio| radio.band == channel.band)?,
        None if radios.len() == 1 => 0,
        None => return None,
    };
    u8::try_from(index).ok()
}
