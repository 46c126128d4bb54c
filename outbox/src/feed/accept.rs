//! Which of several media types an `Accept` header asks for.

/// Index of the media type of `offered` that the values of the `Accept` headers want most: RFC 9110,
/// section 12.5.1, without parameters other than `q`; the first of equals, and of all where nothing
/// legible is asked. `None` when they allow none of them.
pub fn choose<'a>(accept: impl IntoIterator<Item = &'a str>, offered: &[&str]) -> Option<usize> {
    let values = accept.into_iter();
    let ranges: Vec<MediaRange<'_>> = values
        .flat_map(|value| value.split(',').filter_map(MediaRange::parse))
        .collect();
    if ranges.is_empty() {
        return (!offered.is_empty()).then_some(0);
    }
    let wanted = |media_type: &str| -> f32 {
        let fitting = ranges.iter().filter(|range| range.fits(media_type));
        let closest = fitting.max_by_key(|range| range.closeness());
        closest.map_or(0.0, |range| range.weight)
    };
    // `max_by` keeps the last of equals, so the least preferred comes first.
    let weighed = offered.iter().enumerate().rev();
    let allowed = weighed
        .map(|(index, media_type)| (index, wanted(media_type)))
        .filter(|(_, weight)| *weight > 0.0);
    allowed
        .max_by(|(_, a), (_, b)| a.total_cmp(b))
        .map(|(index, _)| index)
}

struct MediaRange<'a> {
    kind: &'a str,
    subkind: &'a str,
    weight: f32,
}

impl<'a> MediaRange<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        let mut parts = text.split(';').map(str::trim);
        let (kind, subkind) = parts.next()?.split_once('/')?;
        let weight = parts
            .find_map(|part| part.strip_prefix("q="))
            .map_or(Some(1.0), |q| q.parse().ok())?;
        (0.0..=1.0).contains(&weight).then_some(Self {
            kind,
            subkind,
            weight,
        })
    }

    fn fits(&self, media_type: &str) -> bool {
        let Some((kind, subkind)) = media_type.split_once('/') else {
            return false;
        };
        (self.kind == "*" || self.kind.eq_ignore_ascii_case(kind))
            && (self.subkind == "*" || self.subkind.eq_ignore_ascii_case(subkind))
    }

    fn closeness(&self) -> u8 {
        u8::from(self.kind != "*") + u8::from(self.subkind != "*")
    }
}
