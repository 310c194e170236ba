// What the plot says. Its user may hand over other words for any of these.

const number = (n) => n.toLocaleString('en');
const count = (n, noun) => `${number(n)} ${noun}${n === 1 ? '' : 's'}`;

export const phrases = {
  title: 'charts',
  charts: 'charts; arrows move, plus and minus zoom, zero resets',
  window: 'window',
  windows: ['1 min', '5 min', '15 min', '1 h', 'all', 'by line'],
  pause: 'pause',
  resume: 'resume',
  reset: 'reset',
  resetTitle: 'reset the zoom: show the newest lines again',
  close: 'close the charts',
  noNumbers: (lines) => `${count(lines, 'line')}, and none that carries numbers so far.`,
  waiting: 'Waiting for lines that carry numbers.',
  works: 'What works: vmstat 1, ping, CSV, JSON, or text like',
  example: 'cpu=12.5 mem=340MB took=1.5ms',
  follows: (series, points) => `${number(series)} series · ${count(points, 'point')}`,
  still: (isPaused, points) => `${isPaused ? 'paused' : 'zoomed'} · ${count(points, 'point')} came since`,
  lost: (lines) => `${lines === 1 ? 'one older line was' : `${number(lines)} older lines were`} not read`,
  refused: (series) => `more than ${number(series)} series: the rest is left out`,
  row: (row) => `line ${number(Math.round(row))}`,
  others: (series) => `${number(series)} series not drawn`,
  more: (series) => `+${number(series)}`,
  less: '−',
  moreTitle: 'series of this chart that are not drawn',
  toggle: (name) => `${name}: click shows or hides, double click shows only this`,
  summary: (title, entries) => `${title ? `${title}: ` : ''}${entries.join(', ')}`,
};
