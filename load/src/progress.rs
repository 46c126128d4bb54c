//! A bar on stderr for whoever watches; nothing where nobody does.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// A bar that shows `what` out of `total`.
///
/// # Panics
/// Never: the template is a constant that indicatif accepts.
pub(crate) fn bar(total: u64, what: &str) -> ProgressBar {
    let template = "{bar:40} {human_pos}/{human_len} {msg}  {elapsed} (left {eta})";
    let style = ProgressStyle::with_template(template).expect("the template is a valid constant");
    let bar = ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr_with_hz(5));
    bar.set_style(style);
    bar.set_message(what.to_owned());
    bar
}
