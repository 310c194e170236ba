// What the page says of itself: the state of the stream, how many lines there are, what the reader should know.
import * as words from './words.js';

const SLOW = 6_000; // ms, after which the page says why an answer may be missing

const $ = (id) => document.getElementById(id);

export class Status {
  state = { name: 'connecting' };
  isFilling = false; // what was missed is being asked for
  lines = 0; // how many the reader could see so far
  seen = 0; // how many that was, with older ones that were asked for
  missed = 0; // how many came while the reader looks back
  #channels;
  #opened = Date.now();
  #noticed = '';

  constructor(channels) {
    this.#channels = channels;
  }

  // Something to be said until the reader goes on.
  notice(text) {
    this.#noticed = text;
    this.tell();
  }

  // Said once, for a moment.
  say(text) {
    $('said').textContent = text;
    $('said').classList.remove('fades');
    requestAnimationFrame(() => $('said').classList.add('fades'));
  }

  tell() {
    const isBehind = this.isFilling && this.lines > 0 && this.state.name === 'live';
    const shown = isBehind ? { name: 'catching up' } : this.state;
    document.documentElement.dataset.state = shown.name.replace(' ', '-');
    put($('state'), words.state(shown, Date.now()));
    $('state').title = shown.reason ?? '';
    const notice = words.reason(this.state) || this.#noticed || (this.#isSlow() ? words.slowConnect : '');
    $('notice').hidden = !notice;
    put($('notice'), notice);
    this.#wait(shown.name);
  }

  #isSlow() {
    return this.state.name === 'connecting' && !this.state.at && Date.now() - this.#opened > SLOW;
  }

  // What stands where lines will be.
  #wait(state) {
    const isOver = this.lines === 0 && this.#channels.haveAllEnded;
    document.documentElement.classList.toggle('many', this.#channels.areSeveral);
    document.documentElement.classList.toggle('over', isOver);
    $('empty').hidden = this.lines > 0;
    if (this.lines === 0) put($('waiting'), words.waiting(state, this.#channels.names, isOver));
  }

  // `isAway`: the reader does not see the newest line.
  tellNumbers(isAway, older, isTired) {
    put($('lines'), words.count(this.seen, 'line'));
    $('empty').hidden = this.lines > 0;
    $('follow').hidden = !isAway;
    put($('follow'), this.missed ? `↓ ${words.count(this.missed, 'new line')}` : '↓ follow');
    $('older').hidden = !older;
    put($('older').firstElementChild, older);
    $('older').lastElementChild.hidden = !isTired;
  }

  tellRate(rate) {
    put($('rate'), `${words.number(rate)}/s`);
  }
}

// A screen reader is told of texts that change: those that do not, stay.
export function put(element, text) {
  if (element.textContent !== text) element.textContent = text;
}
