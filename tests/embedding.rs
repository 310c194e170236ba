//! What the page draws, and what it gives away: charts of the numbers in lines, the module and the element for pages of other
//! people, the types of both, and the examples.
//!
//! Pictures of the main views are left in `target/screenshots`, in both themes.

mod harness;
mod scene;
#[allow(dead_code, reason = "each test target uses a part of this")]
mod webdriver;

/// A reader before charts.
#[path = "embedding/charts.rs"]
mod charts;

/// Which series are found in what programs print, and how they move.
#[path = "embedding/series.rs"]
mod series;

/// What a reader does with the charts, and what lines cannot do to them.
#[path = "embedding/hands.rs"]
mod hands;

/// A page of somebody else.
#[path = "embedding/guest.rs"]
mod guest;

/// What the module tells such a page.
#[path = "embedding/module.rs"]
mod module;

/// Tabs of such a page.
#[path = "embedding/tabs.rs"]
mod tabs;

/// The element in such a page.
#[path = "embedding/element.rs"]
mod element;

/// The types of module and element.
#[path = "embedding/types.rs"]
mod types;

/// A running example.
#[path = "embedding/example.rs"]
mod example;

/// All examples.
#[path = "embedding/examples.rs"]
mod examples;
