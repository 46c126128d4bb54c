//! The captures, and the addresses that are in each.

use std::fmt::Write;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use tempfile::{NamedTempFile, TempDir};

use crate::testing::{dot11, heard_at, radiotap_pcap};

/// A capture.
pub(crate) struct Input {
    pub(crate) name: String,
    pub(crate) path: PathBuf,
    /// Every address of a device or a network in it; not those of groups.
    pub(crate) addresses: Vec<[u8; 6]>,
    /// It has no radiotap headers.
    pub(crate) is_refused: bool,
    _made: Option<NamedTempFile>,
}

impl Input {
    /// A folder with an `agent.toml` that plays the capture to this node under all kinds of rules,
    /// and the files that it names.
    pub(crate) fn configured(&self, node: &str, pem: &[&str; 3]) -> TempDir {
        let folder = tempfile::tempdir().expect("a folder");
        for (name, text) in ["ca.pem", "agent.pem", "agent.key"].iter().zip(pem) {
            let path = folder.path().join(name);
            fs::write(&path, text).expect("written");
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("ours");
        }
        let text = configuration(node, &self.path, &self.addresses);
        fs::write(folder.path().join("agent.toml"), text).expect("written");
        folder
    }
}

/// A configuration in which the first addresses are opted out, denied, named and an access point.
pub(crate) fn configuration(node: &str, capture: &Path, addresses: &[[u8; 6]]) -> String {
    let mut text = format!(
        "nodes = [\"{node}\"]\n\
         [identity]\nauthority = \"ca.pem\"\ncertificate = \"agent.pem\"\nkey = \"agent.key\"\n\
         [[radio]]\nap = \"ap-1\"\nband = \"2.4\"\n[[radio]]\nap = \"ap-1\"\nband = \"5\"\n\
         [[source]]\nkind = \"pcap\"\nspeed = \"max\"\npath = {:?}\n",
        capture.display().to_string()
    );
    let written = |address: &[u8; 6]| address.map(|octet| format!("{octet:02X}")).join(":");
    if let [opted_out, denied, named, access_point, ..] = addresses {
        write!(
            text,
            "[[access_point]]\nap = \"ap-2\"\naddress = \"{}\"\n\
             [privacy]\nrandomised = \"on\"\nopted_out = [\"{}\"]\ndeny = [\"{}\"]\n\
             [[privacy.named]]\naddress = \"{}\"\nname = \"badge-1\"\n",
            written(access_point),
            written(opted_out),
            written(denied),
            written(named)
        )
        .expect("a string takes all");
    }
    text
}

/// Our own capture last; before it those of the shared data, where they are.
pub(crate) fn inputs() -> Vec<Input> {
    let beside = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data");
    let data = std::env::var_os("TRILOBITE_DATA").unwrap_or_else(|| beside.into());
    let folder = PathBuf::from(data).join("captures");
    let mut inputs: Vec<_> = match fs::read_dir(&folder) {
        Ok(entries) => entries
            .filter_map(|entry| shared(&entry.ok()?.path()))
            .collect(),
        Err(_) => {
            eprintln!(
                "skipped: no captures in {}; set TRILOBITE_DATA",
                folder.display()
            );
            Vec::new()
        }
    };
    inputs.push(own());
    inputs
}

/// A capture of the shared data; its oracle tells the addresses.
fn shared(path: &Path) -> Option<Input> {
    let name = path.file_name()?.to_str()?;
    let (stem, _) = name.split_once(".pcap").or(name.split_once(".cap"))?;
    let oracle = fs::read_to_string(path.with_file_name(format!("{stem}.expected.tsv"))).ok()?;
    let mut addresses: Vec<[u8; 6]> = Vec::new();
    for cell in oracle.lines().flat_map(|row| row.split('\t')) {
        let octets: Vec<_> = cell
            .split(':')
            .filter_map(|o| u8::from_str_radix(o, 16).ok())
            .collect();
        if let Ok(address) = <[u8; 6]>::try_from(octets)
            && address[0] & 1 == 0
            && address != [0; 6]
            && !addresses.contains(&address)
        {
            addresses.push(address);
        }
    }
    Some(Input {
        name: name.to_owned(),
        path: path.to_owned(),
        addresses,
        is_refused: matches!(stem, "wpa" | "ieee802.11_tim_ie_oobr"),
        _made: None,
    })
}

/// Clients with factory-set and made-up addresses, associated and not, and access points.
fn own() -> Input {
    let address = |n: u8| {
        [
            n << 1,
            0x1b ^ n,
            0xc5,
            0xd2_u8.rotate_left(n.into()),
            0xe9 - n,
            0xa7 ^ n,
        ]
    };
    let addresses: Vec<_> = (1..=12).map(address).collect();
    let ap = addresses[3];
    let mut frames = Vec::new();
    for round in 0..40 {
        for (&client, signal) in addresses.iter().zip(1i8..) {
            let signal_dbm = -40 - signal - round % 7;
            frames.push(heard_at(
                2_437,
                signal_dbm,
                &dot11(0x40, 0, [[0xff; 6], client, [0xff; 6]]),
            ));
            frames.push(heard_at(
                5_180,
                signal_dbm,
                &dot11(0x08, 1, [ap, client, [0xff; 6]]),
            ));
        }
        frames.push(heard_at(2_437, -60, &dot11(0x80, 0, [[0xff; 6], ap, ap])));
    }
    let file = NamedTempFile::new().expect("a file");
    fs::write(file.path(), radiotap_pcap(&frames)).expect("written");
    Input {
        name: "our own".to_owned(),
        path: file.path().to_owned(),
        addresses,
        is_refused: false,
        _made: Some(file),
    }
}
