//! The appearance that a test asks of a browser.

/// The window and the choices of its user.
#[derive(Debug, Clone)]
pub(crate) struct Look {
    pub(crate) size: Size,
    /// The value of `Accept-Language`.
    pub(crate) language: &'static str,
    pub(crate) is_dark: bool,
    pub(crate) has_scripts: bool,
    /// Further arguments of Chromium.
    pub(crate) arguments: Vec<String>,
}

/// The size of a window in CSS pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Size {
    pub(crate) width: u32,
    pub(crate) height: u32,
    /// It is used by fingers.
    pub(crate) is_phone: bool,
}

pub(crate) const PHONE: Size = Size { width: 390, height: 844, is_phone: true };
/// The narrowest screen that is supported.
pub(crate) const NARROW: Size = Size { width: 320, height: 640, is_phone: true };
pub(crate) const LAPTOP: Size = Size { width: 1280, height: 800, is_phone: false };

impl Default for Look {
    fn default() -> Self {
        Self { size: LAPTOP, language: "en-US,en", is_dark: false, has_scripts: true, arguments: Vec::new() }
    }
}
