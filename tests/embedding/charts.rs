//! A reader before charts: what stands in their legends, and what they draw.

use std::ops::{Deref, DerefMut};

use serde_json::{Value, json};

use crate::scene::Page;
use crate::webdriver::Kind;

/// The pictures of all charts, each as a number that is another one for another picture.
const PICTURES: &str = "[...document.querySelectorAll('.plot-picture canvas')].map((canvas) => {
    const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
    return new Uint32Array(data.buffer).reduce((sum, pixel) => Math.imul(sum ^ pixel, 16777619), 1);
})";

/// How many pixels of the n-th picture are no background.
const INK: &str = "const canvas = document.querySelectorAll('.plot-picture canvas')[arguments[0]];
    const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
    return data.filter((value, at) => at % 4 === 3 && value > 128).length";

/// A page whose charts are open.
pub struct Charts(Page);

impl Deref for Charts {
    type Target = Page;

    fn deref(&self) -> &Page {
        &self.0
    }
}

impl DerefMut for Charts {
    fn deref_mut(&mut self) -> &mut Page {
        &mut self.0
    }
}

impl Charts {
    /// Opens the charts of a daemon with these arguments by their key, once lines have come.
    pub fn open(kind: Kind, arguments: &[&str], lines: &str) -> Self {
        let mut page = Page::open(kind, arguments);
        if let Some(last) = lines.lines().last() {
            page.feed(lines);
            page.wait_for_line(last);
        }
        Self::of(page)
    }

    /// Opens the charts of a page.
    pub fn of(page: Page) -> Self {
        let charts = Self(page);
        charts.browser.press("p", &[]);
        charts.wait_until("the charts", "document.querySelector('.plot')?.checkVisibility()");
        charts
    }

    /// All series of the legends, by the title of their chart and their name.
    pub fn series(&self) -> Vec<String> {
        self.texts_of(
            "[...document.querySelectorAll('.plot-chart .plot-legend button:not(.plot-more)')].map((button) =>
            [button.closest('figure').querySelector('.plot-title').textContent, button.querySelector('.plot-name').textContent]
                .filter(Boolean).join(': '))",
        )
    }

    /// Waits until the legends have these series, in any order; others may be behind a button.
    pub fn wait_for_series(&self, names: &[&str]) {
        let script = "const found = [...document.querySelectorAll('.plot-chart .plot-name')].map((name) => name.textContent);
            return arguments[0].every((name) => found.includes(name))";
        self.browser.wait(&format!("series {names:?}"), script, &json!([names]));
    }

    /// Waits until the legend has this value for a series.
    pub fn wait_for_value(&self, name: &str, value: &str) {
        let script = "return [...document.querySelectorAll('.plot-legend button')].some((button) =>
            button.querySelector('.plot-name')?.textContent === arguments[0] && button.querySelector('.plot-value').textContent === arguments[1])";
        self.browser.wait(&format!("{name}: {value}"), script, &json!([name, value]));
    }

    /// The pictures of all charts.
    pub fn pictures(&self) -> Value {
        self.value(PICTURES)
    }

    /// Waits until the pictures are others than these.
    pub fn wait_for_other_pictures(&self, than: &Value) {
        let script = format!("return JSON.stringify({PICTURES}) !== JSON.stringify(arguments[0])");
        self.browser.wait("other pictures", &script, &json!([than]));
    }

    /// Waits until something is drawn in the n-th chart: axes with their marks, and curves.
    pub fn wait_for_ink(&self, chart: usize) {
        self.browser.wait("a picture", &format!("{INK} > 500"), &json!([chart]));
    }

    /// Waits until the charts say this of themselves.
    pub fn wait_for_status(&self, text: &str) {
        self.wait_for_text(".plot-status", text);
    }

    /// Draws a selection over the first picture, from one share of its width to another.
    pub fn drag(&self, from: f64, to: f64) {
        let place = self.value(
            "(({ x, y, width, height }) => [x, y, width, height])(document.querySelector('.u-over').getBoundingClientRect())",
        );
        let [x, y, width, height] = [0, 1, 2, 3].map(|at| place[at].as_f64().expect("a number"));
        let at = |share: f64| (x + width * share, y + height / 2.0);
        self.browser.drag(at(from), at(to));
    }

    fn texts_of(&self, expression: &str) -> Vec<String> {
        crate::scene::strings(&self.value(expression))
    }
}
