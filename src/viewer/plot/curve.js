// One series: where its numbers come from, what is known of all that came, and the points that are held.
import { Points } from './points.js';

const ENOUGH = 8; // numbers after which one that never fell is a counter
const IDENTITY = /(?:^|[._\s])(?:[a-z]{0,8}_?id|port|ttl|status(?:_?code)?|code|line(?:no)?|(?:icmp_)?seq|version|year|nice)$/i;

// What a series does, the most telling first; the order is the rank.
export const KINDS = ['varying', 'new', 'counter', 'constant', 'identity', 'stray'];

export class Curve {
  seen = 0;
  last = NaN;
  lastTime = 0;
  min = Infinity;
  max = -Infinity;
  wanted = undefined; // what the reader of the page said: true or false
  isOn = false; // drawn
  hue = -1; // none yet
  wish = 0; // the hue that its thing has elsewhere
  #step = NaN;
  #isSteady = true; // always the same step
  #isWhole = true;
  #falls = 0;

  constructor(channel, { name, field, label, unit, group }, most) {
    Object.assign(this, { channel, name, field, label, unit, group });
    this.points = new Points(most);
    this.isIdentity = group === '' && unit === '' && IDENTITY.test(field); // not the idle time of vmstat
  }

  add(time, row, value) {
    const step = value - this.last;
    if (step < 0) this.#falls += 1;
    if (this.seen === 1) this.#step = step;
    else if (this.seen > 1 && step !== this.#step) this.#isSteady = false;
    if (!Number.isInteger(value)) this.#isWhole = false;
    if (value < this.min) this.min = value;
    if (value > this.max) this.max = value;
    this.seen += 1;
    this.last = value;
    this.lastTime = time;
    this.points.add(time, row, value);
  }

  // `most` is how many numbers the richest series of the channel has had.
  kind(most) {
    if (this.seen < 3 && most > 20) return 'stray';
    if (this.seen > 1 && this.min === this.max) return this.isIdentity ? 'identity' : 'constant';
    if (this.#isCounter()) return 'counter';
    if (this.isIdentity) return 'identity';
    return this.seen < 2 ? 'new' : 'varying';
  }

  #isCounter() {
    return this.seen >= 3 && this.#isWhole && this.#falls === 0 && (this.#isSteady || this.seen >= ENOUGH);
  }
}
