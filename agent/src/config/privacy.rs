//! `[privacy]` and `[[access_point]]`: what may leave.

use serde::Deserialize;
use wire::ApName;

use super::error::{ConfigError, Place};
use super::tree::Spanned;
use crate::address::Address;
use crate::limits::RULE_ADDRESSES_MAX;
use crate::privacy::Rules;

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PrivacyText {
    randomised: Option<String>,
    rssi_min_dbm: Option<i8>,
    #[serde(default)]
    opted_out: Vec<String>,
    #[serde(default)]
    allow: Vec<String>,
    #[serde(default)]
    deny: Vec<String>,
    #[serde(default)]
    named: Vec<NamedText>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NamedText {
    address: String,
    name: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AccessPointText {
    ap: ApName,
    address: String,
}

/// The rules that both kinds of table make.
pub(super) fn rules(
    place: &Place<'_>,
    privacy: Option<&Spanned<PrivacyText>>,
    access_points: &[Spanned<AccessPointText>],
) -> Result<Rules, ConfigError> {
    let mut rules = match privacy {
        Some(table) => {
            privacy_rules(table.get_ref()).map_err(|what| place.problem(table.span(), what))?
        }
        None => Rules::default(),
    };
    for table in access_points {
        let AccessPointText { ap, address } = table.get_ref();
        let problem = |what: String| place.problem(table.span(), what);
        let address: Address = address
            .parse()
            .map_err(|error| problem(format!("access_point {ap}: {error}")))?;
        if address.is_group() {
            let what = "that is the address of a group; write the network's BSSID";
            return Err(problem(format!("access_point {ap}: {what}")));
        }
        if rules
            .access_points
            .iter()
            .any(|(known, _)| *known == address)
        {
            let what = "another [[access_point]] has this address; keep one of them";
            return Err(problem(format!("access_point {ap}: {what}")));
        }
        if rules.access_points.len() == RULE_ADDRESSES_MAX {
            return Err(problem(format!(
                "there are more than {RULE_ADDRESSES_MAX} of them"
            )));
        }
        rules.access_points.push((address, ap.clone()));
    }
    Ok(rules)
}

fn privacy_rules(text: &PrivacyText) -> Result<Rules, String> {
    let randomised = text.randomised.as_deref().map(str::parse).transpose();
    let mut rules = Rules {
        randomised: randomised
            .map_err(|error| format!("{error}"))?
            .unwrap_or_default(),
        rssi_min_dbm: text.rssi_min_dbm,
        opted_out: list("opted_out", &text.opted_out)?,
        allow: list("allow", &text.allow)?,
        deny: list("deny", &text.deny)?,
        ..Rules::default()
    };
    if text.named.len() > RULE_ADDRESSES_MAX {
        return Err(format!("named: more than {RULE_ADDRESSES_MAX} devices"));
    }
    for named in &text.named {
        let address = named
            .address
            .parse()
            .map_err(|error| format!("named: {error}"))?;
        let name = named
            .name
            .parse()
            .map_err(|error| format!("named: {error}"))?;
        rules.named.push((address, name));
    }
    Ok(rules)
}

/// Addresses, or starts of addresses, of one key.
fn list<T: std::str::FromStr<Err: std::fmt::Display>>(
    key: &str,
    texts: &[String],
) -> Result<Vec<T>, String> {
    if texts.len() > RULE_ADDRESSES_MAX {
        return Err(format!("{key}: more than {RULE_ADDRESSES_MAX} entries"));
    }
    let parse = |text: &String| text.parse().map_err(|error| format!("{key}: {error}"));
    texts.iter().map(parse).collect()
}
