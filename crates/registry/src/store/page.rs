/// Which page of a list is wanted.
#[derive(Debug, Clone, Default)]
pub struct PageRequest {
    /// Most items of the page; at least 1 (0 is taken as 1). The service sets its default and its limit.
    pub size: u32,
    /// [`Page::next_token`] of the page before; empty for the first.
    pub token: String,
}

/// A page of a list.
#[derive(Debug, Clone)]
pub struct Page<T> {
    /// The items, in the list's order.
    pub items: Vec<T>,
    /// Opaque; empty on the last page.
    pub next_token: String,
}
