//! `tpactl report --html`: a report as one page that needs nothing else: no script, no picture, no
//! font of elsewhere. It can be mailed, kept beside a ticket and printed.
//!
//! `story` and `month` say what there is to tell, `html` is the only way for text into markup,
//! `grant` and `month` are the two pages, `file` is where they go.

mod file;
mod grant;
mod html;
mod month;
mod parts;
mod replay;
mod story;
mod timeline;

pub use file::Target;
pub use grant::page as grant;
pub use month::page as month;
pub use replay::read as replays;
