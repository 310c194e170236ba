// Zoom with a finger: a drag aside selects, as the mouse does; a drag up or down scrolls the page.

const SHORTEST = 16; // px

export function selectByTouch(plot, onZoom) {
  const { over } = plot;
  let start = null;
  const select = (left, width) => plot.setSelect({ left, top: 0, width, height: over.clientHeight }, false);
  const place = (event) => event.clientX - over.getBoundingClientRect().left;
  over.style.touchAction = 'pan-y';
  over.addEventListener('pointerdown', (event) => {
    start = event.pointerType === 'mouse' ? null : place(event);
  });
  over.addEventListener('pointermove', (event) => {
    if (start !== null) select(Math.min(start, place(event)), Math.abs(place(event) - start));
  });
  over.addEventListener('pointercancel', () => {
    if (start !== null) select(0, 0);
    start = null;
  });
  over.addEventListener('pointerup', (event) => {
    if (start === null) return;
    const [from, to] = [start, place(event)].sort((a, b) => a - b);
    start = null;
    select(0, 0);
    if (to - from >= SHORTEST) onZoom(plot.posToVal(from, 'x'), plot.posToVal(to, 'x'));
  });
}
