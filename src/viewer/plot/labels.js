// Which thing the numbers of a line are about: the text fields beside them that have few distinct values. `{"host":"a","cpu":1}`
// and `{"host":"b","cpu":9}` are two series, not one that jumps. Text that is never the same twice (messages, paths, identifiers)
// is no label: a field that turns out to be such is given up, and the channel's series begin anew.
import { own } from './own.js';
import { isTime } from './quantities.js';

const LONGEST = 24; // characters of a label
const FIELDS = 64; // text fields that are watched
const LABELS = 2; // of one line
const FEW = 16; // distinct values of a field that nothing is known of
const MANY = 100; // of one whose name says that it names things

const NAMES = new Set(
  (
    'host hostname server machine node instance symbol ticker pair currency coin asset name device dev disk drive ' +
    'mount filesystem interface iface nic cpu core gpu service app container pod namespace cluster region zone site station ' +
    'city country sensor probe room location place topic queue partition shard tenant metric series channel job worker ' +
    'thread stage command cmd target upstream backend pool db database'
  ).split(' '),
);
const NEVER = new Set(
  (
    'level lvl severity loglevel msg message text time timestamp ts date datetime error err exception stack ' +
    'trace traceid trace_id spanid span_id request_id requestid uuid guid url uri path route query file caller source logger ' +
    'logger_name method verb status state result version user_agent useragent agent referer referrer hash commit sha token ' +
    'session description details comment title pid tid args protocol proto'
  ).split(' '),
);

// The last part of a dotted name, in lower case: `kubernetes.pod` names a pod.
const last = (name) => name.slice(name.lastIndexOf('.') + 1).toLowerCase();

export class Labels {
  #values = new Map(); // field → Set of its values; null once it is given up
  #unnamed = ''; // the field that labels where no name tells

  // `texts` are the line's [field, value] pairs. Sets the label of what was found.
  put(found, texts) {
    const usable = texts.filter(([name, value]) => this.#values.get(name) !== null && isLabel(name, value));
    if (usable.length === 0) return;
    const named = usable.filter(([name]) => isNamed(name)).slice(0, LABELS);
    for (const [name, value] of named.length > 0 ? named : usable) this.#learn(found, name, value);
    const chosen = named.length > 0 ? named : this.#richest(found, usable);
    found.label = chosen
      .filter(([name]) => this.#values.get(name))
      .map(([, value]) => value)
      .join(' ');
  }

  // Of several fields the one with most values: `{"type":"trade","s":"BTC"}` and `{"type":"trade","s":"ETH"}` differ by `s`.
  #richest(found, usable) {
    const count = ([name]) => this.#values.get(name)?.size ?? 0;
    const best = usable.reduce((most, each) => (count(each) > count(most) ? each : most));
    if (this.#unnamed !== best[0] && usable.some(([name]) => name === this.#unnamed)) found.fresh = true;
    this.#unnamed = best[0];
    return [best];
  }

  #learn(found, name, value) {
    let values = this.#values.get(name);
    if (values === undefined) {
      if (this.#values.size >= FIELDS) return;
      values = new Set();
      this.#values.set(own(name), values);
    }
    if (!values.has(value)) values.add(own(value));
    if (values.size <= (isNamed(name) ? MANY : FEW)) return;
    this.#values.set(name, null);
    found.fresh = true;
  }
}

const isNamed = (name) => NAMES.has(last(name));

function isLabel(name, value) {
  if (value.length === 0 || value.length > LONGEST || NEVER.has(last(name)) || isTime(value)) return false;
  if (!/^[^\s]+(?: [^\s]+){0,2}$/.test(value) || /^[0-9a-f-]{12,}$/i.test(value)) return false;
  return isNamed(name) || /\p{L}/u.test(value);
}
