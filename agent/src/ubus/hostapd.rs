//! What hostapd tells its subscribers: who probed, authenticated or associated, and how strongly.
//!
//! Format: OpenWrt's patch of hostapd, `src/ap/ubus.c`.

use wire::Kind;

use super::blob::BlobError;
use super::fields::{Fields, Value};
use crate::address::Address;
use crate::channel::Channel;

/// A frame of a client, as hostapd tells it. What it does not tell is `None`.
#[expect(missing_debug_implementations, reason = "holds a real address")]
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Notification {
    /// What was heard.
    pub kind: Kind,
    /// The transmitter.
    pub from: Option<Address>,
    /// Signal strength in dBm.
    pub rssi_dbm: Option<i8>,
    /// The channel of the radio that heard; `None` outside the bands that are known.
    pub channel: Option<Channel>,
}

impl Notification {
    /// Reads a notification by its name and fields; `None` for one that tells of no frame.
    ///
    /// # Errors
    /// [`BlobError`] when the fields are unsound or one that matters is not of its type.
    pub fn parse(method: &str, data: &[u8]) -> Result<Option<Self>, BlobError> {
        let kind = match method {
            "probe" => Kind::Probe,
            "auth" | "assoc" => Kind::Management,
            _ => return Ok(None),
        };
        let mut notification = Self {
            kind,
            from: None,
            rssi_dbm: None,
            channel: None,
        };
        for field in Fields::new(data) {
            let field = field?;
            match (field.name, field.value) {
                (b"address", Value::Text(Some(text))) => {
                    let address = text.parse().map_err(|_| BlobError::Value)?;
                    notification.from = Some(address);
                }
                (b"signal", Value::U32(signal)) => {
                    // 0 stands for no reading, and no radio hears a client at 1 mW and more.
                    let dbm = i8::try_from(signal.cast_signed()).ok();
                    notification.rssi_dbm = dbm.filter(|dbm| *dbm < 0);
                }
                (b"freq", Value::U32(mhz)) => {
                    notification.channel = u16::try_from(mhz).ok().and_then(Channel::at_mhz);
                }
                (b"address" | b"signal" | b"freq", _) => return Err(BlobError::Value),
                _ => {}
            }
        }
        Ok(Some(notification))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ubus::blob::BlobWriter;

    fn fields(fill: impl FnOnce(&mut BlobWriter)) -> BlobWriter {
        let mut writer = BlobWriter::new();
        fill(&mut writer);
        writer
    }

    fn parse(method: &str, fill: impl FnOnce(&mut BlobWriter)) -> Option<Notification> {
        Notification::parse(method, fields(fill).as_bytes()).unwrap()
    }

    #[test]
    fn a_probe_as_hostapd_tells_it() {
        let probe = parse("probe", |writer| {
            writer.field_text("address", "00:00:5e:00:53:01");
            writer.field_text("target", "ff:ff:ff:ff:ff:ff");
            writer.field_u32("signal", (-67_i32).cast_unsigned());
            writer.field_u32("freq", 5_180);
            writer.field_table("ht_capabilities", |writer| {
                writer.field_u16("ht_capabilities_info", 7);
            });
        });
        let channel = Channel {
            band: "5",
            number: 36,
        };
        assert!(
            probe
                == Some(Notification {
                    kind: Kind::Probe,
                    from: Some(Address::new([0, 0, 0x5e, 0, 0x53, 1])),
                    rssi_dbm: Some(-67),
                    channel: Some(channel),
                })
        );
    }

    #[test]
    fn what_is_not_told_is_none() {
        let auth = parse("auth", |writer| {
            writer.field_u32("signal", 0);
            writer.field_u32("freq", 60_480);
        });
        let auth = auth.expect("a frame");
        assert!(auth.from.is_none() && auth.rssi_dbm.is_none() && auth.channel.is_none());
        assert_eq!(auth.kind, Kind::Management);
        for (signal, expected) in [(-128, Some(-128)), (-129, None), (1, None), (200, None)] {
            let probe = parse("probe", |w| {
                w.field_u32("signal", i32::cast_unsigned(signal))
            });
            assert_eq!(
                probe.map(|probe| probe.rssi_dbm),
                Some(expected),
                "{signal}"
            );
        }
    }

    #[test]
    fn other_notifications_tell_of_no_frame() {
        for method in ["disassoc", "sta-authorized", "", "Probe"] {
            assert!(parse(method, |_| {}).is_none(), "{method}");
        }
    }

    #[test]
    fn unsound_fields_are_refused() {
        let refused = |fill: fn(&mut BlobWriter)| {
            Notification::parse("probe", fields(fill).as_bytes()).is_err()
        };
        assert!(refused(|writer| writer.field_text("address", "00:00:5e")));
        assert!(refused(|writer| writer.field_text("signal", "-60")));
        assert!(refused(|writer| writer.field_u16("freq", 5_180)));
        assert!(Notification::parse("probe", &[1, 2, 3]).is_err());
    }
}
