use serde_json::json;
use crate::harness::Bridge;
use crate::sharing::*;
use crate::webdriver::Kind;
use crate::writer::Writer;

#[test]
fn debug_worker() {
    let mut page = prepare(Kind::Chromium, Sharing::Worker, Bridge::start(&[]));
    page.browser.preload("const W = SharedWorker; window.made = []; globalThis.SharedWorker = class extends W { constructor(...a) { super(...a); made.push([performance.now(), String(a[0])]); this.addEventListener('error', () => made.push('error')); this.port.addEventListener('message', (m) => made.push(JSON.stringify(m.data).slice(0, 80))); } };");
    page.browser.open(&page.proxy.url());
    page.wait_for_state("live");
    let mut writer = Writer::to(&mut page.bridge);
    writer.write(20);
    writer.assert_shown(&page, &[page.browser.current()]);
    page.browser.run_in_worker("setTimeout(close)");
    wait_for_clients(&page.bridge, 0);
    writer.write(20);
    page.browser.run(LATER, &json!([]));
    for _ in 0..8 {
        std::thread::sleep(std::time::Duration::from_secs(3));
        println!("{} {}", page.value("performance.now()"), page.value("made"));
    }
}

#[test]
fn debug_frozen() {
    let mut page = prepare(Kind::Chromium, Sharing::Alone, Bridge::start(&["--write-timeout", "1s"]));
    page.browser.preload("window.log = []; for (const n of ['freeze','resume','visibilitychange','online','offline']) document.addEventListener(n, () => log.push([n, performance.now()])); const f = window.fetch; window.fetch = async (...a) => { log.push(['fetch', String(a[0]), performance.now()]); try { const r = await f(...a); log.push(['head', performance.now()]); return r } catch (e) { log.push(['error', String(e), performance.now()]); throw e } }");
    page.browser.open(&page.bridge.url("/"));
    page.wait_for_state("live");
    let frozen = page.browser.current();
    page.browser.new_tab("about:blank");
    page.browser.freeze(&frozen);
    let lines: Vec<_> = (0..24_000).map(|number| format!("{number} {}", "x".repeat(990))).collect();
    page.feed(&(lines.join("\n") + "\n"));
    wait_for_clients(&page.bridge, 0);
    page.browser.thaw(&frozen);
    page.browser.switch(&frozen);
    for _ in 0..20 {
        std::thread::sleep(std::time::Duration::from_secs(3));
        println!("{} {} {}", page.value("performance.now()"), page.value("document.getElementById('lines').textContent + document.getElementById('state').textContent"), page.value("log.splice(0)"));
    }
}
